"""The versions of budgets, kept so that March is compared with March's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.ledger.statements import Execute


class BudgetRow(NamedTuple):
    """A budget as the policy has it now; `limit_amount` is in `unit`, `definition` the whole entry as JSON."""

    budget: str
    owner: str
    signed_off_by: str
    signed_off_on: str
    unit: str
    limit_amount: int
    period: str
    timezone: str
    definition: str


_LATEST = "SELECT version, definition FROM budgets WHERE budget = ? ORDER BY version DESC LIMIT 1"

_INSERT = f"""\
INSERT INTO budgets ({", ".join(BudgetRow._fields)}, version, valid_from_us)
VALUES ({", ".join("?" * len(BudgetRow._fields))}, ?, ?)"""  # noqa: S608 - names are this file's own


def register(execute: Execute, budgets: Iterable[BudgetRow], now_us: int) -> None:
    """Write a new version of every budget that is not as the ledger has it."""
    for row in budgets:
        latest = execute(_LATEST, (row.budget,)).fetchone()
        if latest is None or latest[1] != row.definition:
            execute(_INSERT, (*row, 1 if latest is None else latest[0] + 1, now_us))
