"""Gap-free series, cut out of a ledger."""

from __future__ import annotations

from spendgraph_anomaly.series.bins import SECONDS, bin_starts, whole_bins
from spendgraph_anomaly.series.cutting import series_of
from spendgraph_anomaly.series.series import Every, Metric, Series

__all__ = ["SECONDS", "Every", "Metric", "Series", "bin_starts", "series_of", "whole_bins"]
