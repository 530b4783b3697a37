"""Anomalies and forecasts on a spendgraph ledger: nothing yet.

The package is here so that its name and its place above the ledger are settled: it will read ledgers and never
import what runs inside an agent. Nothing can be imported from it in this release.
"""

from __future__ import annotations

__all__: list[str] = []
