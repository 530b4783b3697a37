"""Chargeback: statements of who pays for a period, which foot and stay as they were issued."""

from __future__ import annotations

from spendgraph_reports.chargeback.closing import CLOSE_DAYS
from spendgraph_reports.chargeback.payers import payers
from spendgraph_reports.chargeback.statements import chargeback

__all__ = ["CLOSE_DAYS", "chargeback", "payers"]
