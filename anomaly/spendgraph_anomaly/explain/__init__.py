"""Explanations: which combination of tags carries an excess, in which tasks, and what changed."""

from __future__ import annotations

from spendgraph_anomaly.explain.baseline import past_weeks
from spendgraph_anomaly.explain.changes import Change
from spendgraph_anomaly.explain.explaining import TAGS, explain
from spendgraph_anomaly.explain.explanation import Explanation, SampleTask

__all__ = ["TAGS", "Change", "Explanation", "SampleTask", "explain", "past_weeks"]
