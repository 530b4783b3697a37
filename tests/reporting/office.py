"""Ledgers with something unusual in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.rows import context_row, step, task
from reporting.kit import DAY
from spendgraph.ledger import Ledger
from spendgraph_reports.period import DAY_US, Period

if TYPE_CHECKING:
    from spendgraph_reports.report import Report

HOUR_US = 3_600_000_000
SEPTEMBER = Period.month("2026-09")
DOLLAR = 1_000_000_000

Extra = Mapping[tuple[str, str, int], int]
"""What a tenant's feature spends in an hour beyond what is usual, in nano-USD; the hour is counted from the start of `DAY`."""


def office(path: Path, extra: Extra, *, days: int = 35, usual: int = DOLLAR // 250) -> Path:
    """Three tenants, each with two features, who spend the same in every hour from 8 to 18 UTC; and what is extra.

    They begin four weeks before `DAY`, the 21st of September.
    """
    contexts = {
        (tenant, feature): context_row(tenant=tenant, feature=feature, team="support")
        for tenant in ("acme", "globex", "initech")
        for feature in ("chat", "triage")
    }
    first = DAY - 28 * DAY_US
    steps = [
        step(
            f"{tenant}-{feature}-{day}-{hour}",
            context_id=context.context_id,
            started_us=first + day * DAY_US + hour * HOUR_US,
            cost_nanousd=usual + (7 * day + 3 * hour) % 11 * usual // 50,
        )
        for (tenant, feature), context in contexts.items()
        for day in range(days)
        for hour in range(8, 18)
    ]
    steps += [
        step(
            f"extra-{tenant}-{feature}-{hour}",
            context_id=contexts[tenant, feature].context_id,
            started_us=DAY + hour * HOUR_US,
            cost_nanousd=cost,
        )
        for (tenant, feature, hour), cost in extra.items()
    ]
    with Ledger.open(path) as ledger:
        ledger.post(*contexts.values(), task(context_id=contexts["acme", "chat"].context_id))
        ledger.post(*steps)
    return path


def rows_of(report: Report) -> list[dict[str, Any]]:
    """The rows as dicts."""
    return [dict(zip(report.frame.columns, row, strict=True)) for row in report.frame.itertuples(index=False)]
