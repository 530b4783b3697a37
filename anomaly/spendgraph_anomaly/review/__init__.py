"""The anomaly review: a report, a section of the monthly page, and what the notebook says."""

from __future__ import annotations

from spendgraph_anomaly.review.anomalies import Review, anomalies, reviewed
from spendgraph_anomaly.review.section import monthly_section

__all__ = ["Review", "anomalies", "monthly_section", "reviewed"]
