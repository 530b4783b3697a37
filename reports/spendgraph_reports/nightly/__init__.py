"""The night's papers: statements of closed months, the variance of the month so far, and what people are told of it."""

from __future__ import annotations

from spendgraph_reports.nightly.notices import Notice, notices
from spendgraph_reports.nightly.papers import Issued, issue, last_closed, write_variance

__all__ = ["Issued", "Notice", "issue", "last_closed", "notices", "write_variance"]
