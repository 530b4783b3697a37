"""Detectors: how unusual a bin is, whether somebody is to be told, and what belongs to one incident."""

from __future__ import annotations

from spendgraph_anomaly.detectors.detector import Detector
from spendgraph_anomaly.detectors.incidents import Incident, incidents
from spendgraph_anomaly.detectors.judgement import Judgement, Kind, Severity
from spendgraph_anomaly.detectors.pooling import Prior, pool
from spendgraph_anomaly.detectors.settings import Settings

__all__ = ["Detector", "Incident", "Judgement", "Kind", "Prior", "Settings", "Severity", "incidents", "pool"]
