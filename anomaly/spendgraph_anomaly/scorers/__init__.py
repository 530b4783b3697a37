"""Scorers: how unusual a number is, each by what was before it."""

from __future__ import annotations

from spendgraph_anomaly.scorers.baselines import AllTimeHigh, RollingSigma, Scorer, StlMad, WindowedGaussian
from spendgraph_anomaly.scorers.season import Season

__all__ = ["AllTimeHigh", "RollingSigma", "Scorer", "Season", "StlMad", "WindowedGaussian"]
