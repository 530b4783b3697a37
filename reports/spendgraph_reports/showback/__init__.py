"""Who spent what, and what moved it."""

from __future__ import annotations

from spendgraph_reports.showback.drivers import drivers
from spendgraph_reports.showback.spending import showback

__all__ = ["drivers", "showback"]
