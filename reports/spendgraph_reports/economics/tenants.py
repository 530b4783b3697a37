"""Spending per tenant, or per user, beside the one in the middle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from spendgraph.ledger.ranks import nearest_rank
from spendgraph_reports.amounts import dollars, percent, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.economics.shares import mean, times
from spendgraph_reports.economics.tasks import tasks_of
from spendgraph_reports.report import Column, Report, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

COLUMNS: Final = (
    Column("cost_nanousd", "money", "What the period cost.", adds=True),
    Column("share", "share", "Of the whole period's cost."),
    Column(
        "times_median",
        "ratio",
        "The cost beside that of the one in the middle; nothing for who names none.",
        label="x median",
    ),
    Column("is_above", "flag", "Whether it is above the limit.", label="above"),
    Column("tasks", "count", "Tasks that began in the period, with at least one step.", adds=True),
    Column(
        "per_task_nanousd",
        "money",
        "What one of those cost on average, whenever it was spent.",
        label="per task",
    ),
)
"""What `tenants` says of each row, after the tenant's or the user's name."""


@of_one_moment
def tenants(
    books: Books, period: Period, *, per: Literal["tenant", "user"] = "tenant", limit: float = 10.0
) -> Report:
    """Spending per tenant or user beside the one in the middle, the dearest first.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end.
        per: Whose spending.
        limit: Who costs more than so many times the median is flagged. The median is that of those who spent in the period, the lower one of
            two; steps that name nobody are a row and not in it.

    Returns:
        The name and `COLUMNS`.

    Raises:
        ValueError: It is per something else, the limit is not above 0, or the period has no end.
    """
    if per not in {"tenant", "user"}:
        raise ValueError(f"expected tenant or user, found {per!r}")
    if not 0 < limit < float("inf"):
        raise ValueError(f"expected a number above 0 to times the median by, found {limit}")
    spent = {row[per]: row["cost_nanousd"] for row in books.rows([per], period, sums=["cost_nanousd"])}
    number, costs = defaultdict[str, int](int), defaultdict[str, int](int)
    for row in tasks_of(books, period, [per], ["cost_nanousd"]):
        number[row[per]] += 1
        costs[row[per]] += row["cost_nanousd"]
    ordered = sorted(cost for name, cost in spent.items() if name)
    median = nearest_rank(ordered, 0.5) if ordered else 0
    total = books.doubts(period).cost_nanousd
    rows: list[dict[str, Any]] = []
    for name in {**spent, **number}:
        cost = spent.get(name, 0)
        beside = times(cost, median) if name else None
        rows.append(
            {
                per: name,
                "cost_nanousd": cost,
                "share": share(cost, total),
                "times_median": beside,
                "is_above": beside is not None and beside > limit,
                "tasks": number[name],
                "per_task_nanousd": mean(costs[name], number[name]),
            }
        )
    rows.sort(key=lambda row: (-row["cost_nanousd"], row[per]))
    columns = (tag_column(per), *COLUMNS)
    found = books.reader.task_costs(since=period.since_us, until=period.until_us, quantiles=())
    return Report(
        name="tenants",
        title=f"Spending per {per}",
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals={"cost_nanousd": total, "tasks": sum(row["tasks"] for row in found)},
        findings=_findings(per, rows, len(ordered), median, limit),
        caveats=books.caveats(period),
        zone=books.zone,
        settings={"per": per, "limit": f"{limit:g}", "median_nanousd": str(median)},
    )


def _findings(
    per: str, rows: Sequence[dict[str, Any]], number: int, median: int, limit: float
) -> tuple[str, ...]:
    if not number:
        return (f"No {per} spent anything in this period.",)
    said = [f"{number:,} {per}{'s' if number != 1 else ''} spent; the one in the middle {dollars(median)}."]
    above = [row for row in rows if row["is_above"]]
    if above:
        cost, part = sum(row["cost_nanousd"] for row in above), sum(row["share"] for row in above)
        first = ", ".join(f"{row[per]} ({row['times_median']:,.1f} x)" for row in above[:3])
        more = f" and {len(above) - 3:,} more" if len(above) > 3 else ""
        verb = "is" if len(above) == 1 else "are"
        said.append(f"{first}{more} {verb} above {limit:g} x that: {dollars(cost)}, {percent(part)} of all.")
    else:
        said.append(f"None is above {limit:g} x that.")
    unnamed = next((row for row in rows if not row[per] and row["cost_nanousd"]), None)
    if unnamed is not None:
        said.append(f"{dollars(unnamed['cost_nanousd'])} names no {per}.")
    return tuple(said)
