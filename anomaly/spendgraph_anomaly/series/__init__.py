"""Gap-free series, cut out of a ledger."""

from __future__ import annotations

from spendgraph_anomaly.series.series import Series

__all__ = ["Series"]
