"""The monthly report for finance: one page, and the same as data."""

from __future__ import annotations

from spendgraph_reports.monthly.month import Monthly, monthly
from spendgraph_reports.monthly.writing import monthly_document, monthly_page

__all__ = ["Monthly", "monthly", "monthly_document", "monthly_page"]
