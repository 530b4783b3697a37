"""What costs far more than its like, and why: tasks, days and releases."""

from __future__ import annotations

from spendgraph_reports.outliers.report import USUAL, outliers

__all__ = ["USUAL", "outliers"]
