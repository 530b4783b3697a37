"""Who spent what: showback by any tags."""

from __future__ import annotations

from spendgraph_reports.showback.spending import showback

__all__ = ["showback"]
