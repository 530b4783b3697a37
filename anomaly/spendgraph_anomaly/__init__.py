"""Anomalies and forecasts on a spendgraph ledger.

It reads ledgers and never imports what runs inside an agent. `spendgraph_anomaly.series` cuts gap-free series out of a
ledger; everything else looks at series.
"""

from __future__ import annotations

__all__: list[str] = []
