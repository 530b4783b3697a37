"""Ledgers whose days are known, to be forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from ledger.rows import step
from reporting.kit import CONTEXTS, write
from spendgraph.ledger import StepRow
from spendgraph_reports.period import midnight

DOLLAR = 1_000_000_000
ACME, GLOBEX = CONTEXTS[2], CONTEXTS[1]
"""Payers: tenant acme with the feature search, tenant globex with triage."""

TENANTS = {"acme": ACME, "globex": GLOBEX, "": CONTEXTS[4]}


def steps_of(
    first: date, days: Mapping[str, Sequence[int]], *, zone: str = "UTC", hour: int = 12
) -> list[StepRow]:
    """A step a day of each tenant, of so many nano-USD, so many hours after midnight."""
    return [
        step(
            f"{tenant}-{number}",
            task_id=f"task-{tenant}",
            context_id=TENANTS[tenant].context_id,
            started_us=midnight(first + timedelta(days=number), zone) + hour * 3_600_000_000,
            cost_nanousd=cost,
        )
        for tenant, costs in days.items()
        for number, cost in enumerate(costs)
    ]


def ledger_of(
    path: Path, first: date, days: Mapping[str, Sequence[int]], *, zone: str = "UTC", hour: int = 12
) -> Path:
    """The same as a ledger."""
    return write(path, steps_of(first, days, zone=zone, hour=hour))
