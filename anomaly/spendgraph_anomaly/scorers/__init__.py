"""Scorers: how unusual a number is, each by what was before it."""

from __future__ import annotations

from spendgraph_anomaly.scorers.past import Past
from spendgraph_anomaly.scorers.tails import Tails

__all__ = ["Past", "Tails"]
