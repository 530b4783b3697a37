"""Budgets against actuals: what each came to, compared with the version of its time, and what has to be done."""

from __future__ import annotations

from spendgraph_reports.budgeting.actuals import Actual
from spendgraph_reports.budgeting.flags import ACTIONS, Flag
from spendgraph_reports.budgeting.variance import Judged, actuals, variance

__all__ = ["ACTIONS", "Actual", "Flag", "Judged", "actuals", "variance"]
