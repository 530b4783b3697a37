"""The anomaly review: a report, a section of the monthly page, and what the notebook says."""

from __future__ import annotations

from spendgraph_anomaly.review.anomalies import anomalies

__all__ = ["anomalies"]
