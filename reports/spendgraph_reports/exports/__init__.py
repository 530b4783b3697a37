"""Exports: the steps of a period as CSV, JSON or Parquet, and their costs in the FOCUS format."""

from __future__ import annotations

from spendgraph_reports.exports.focus import FOCUS_VERSION, export_focus
from spendgraph_reports.exports.steps import Exported, export_csv, export_json, export_parquet

__all__ = ["FOCUS_VERSION", "Exported", "export_csv", "export_focus", "export_json", "export_parquet"]
