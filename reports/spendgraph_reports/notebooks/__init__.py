"""Notebooks on a ledger: found, run with parameters in a process of their own, and written as a page.

Their text and numbers are made here, from the ledger; the notebooks themselves only put them in order.
"""

from __future__ import annotations

from spendgraph_reports.notebooks.finding import names, source
from spendgraph_reports.notebooks.opening import last_month, opened
from spendgraph_reports.notebooks.paging import to_page
from spendgraph_reports.notebooks.running import run
from spendgraph_reports.notebooks.showing import show, table

__all__ = ["last_month", "names", "opened", "run", "show", "source", "table", "to_page"]
