"""A report for people and programs: cells of text, pages of HTML, and files as CSV, JSON and Parquet."""

from __future__ import annotations

from spendgraph_reports.rendering.files import document, to_csv, to_json, to_parquet
from spendgraph_reports.rendering.html import assembled, fragment, page, style, to_html, write_page
from spendgraph_reports.rendering.sections import Fact, Facts, Picture, Prose, Section
from spendgraph_reports.rendering.shown import NUMBERS, Shown, shown

__all__ = [
    "NUMBERS",
    "Fact",
    "Facts",
    "Picture",
    "Prose",
    "Section",
    "Shown",
    "assembled",
    "document",
    "fragment",
    "page",
    "shown",
    "style",
    "to_csv",
    "to_html",
    "to_json",
    "to_parquet",
    "write_page",
]
