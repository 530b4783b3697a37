"""Questions to a ledger that DuckDB answers, in a process of its own."""

from __future__ import annotations

from spendgraph_reports.engine.asking import Copied, Question, ask, copy_to_parquet

__all__ = ["Copied", "Question", "ask", "copy_to_parquet"]
