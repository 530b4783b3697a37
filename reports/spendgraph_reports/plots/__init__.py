"""Plots of reports: drawn by matplotlib, named at the lines and bars themselves, and written as SVG that runs nothing."""

from __future__ import annotations

from spendgraph_reports.plots.beside import beside
from spendgraph_reports.plots.fan import Fan, fan
from spendgraph_reports.plots.multiples import multiples
from spendgraph_reports.plots.over_time import over_time
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.ranked import ranked
from spendgraph_reports.plots.spread import spread
from spendgraph_reports.plots.svg import svg
from spendgraph_reports.plots.unusual import Expectation, Mark, unusual

__all__ = [
    "Expectation",
    "Fan",
    "Mark",
    "Plot",
    "beside",
    "fan",
    "multiples",
    "over_time",
    "ranked",
    "spread",
    "svg",
    "unusual",
]
