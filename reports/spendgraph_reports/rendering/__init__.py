"""A report for people and programs: cells of text, and files as CSV, JSON and Parquet."""

from __future__ import annotations

from spendgraph_reports.rendering.files import document, to_csv, to_json, to_parquet
from spendgraph_reports.rendering.shown import NUMBERS, Shown, shown

__all__ = ["NUMBERS", "Shown", "document", "shown", "to_csv", "to_json", "to_parquet"]
