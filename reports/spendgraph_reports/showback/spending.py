"""Showback: who spent how much in a period, beside the period before and the year so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import change, dollars, percent, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.months import before, named, year_to_date
from spendgraph_reports.report import UNNAMED, Column, Report, expect_tags, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

_COST: Final = ("cost_nanousd",)
_OWN: Final = ("cost_nanousd", "steps", "unattributed_nanousd", "not_reported_nanousd", "unpriced_steps")
_ADDS: Final = (*_OWN, "before_nanousd", "year_to_date_nanousd")

COLUMNS: Final = (
    Column("cost_nanousd", "money", "What the period cost.", adds=True),
    Column("share", "share", "Of the whole period's cost."),
    Column("steps", "count", "Billable steps in the period.", adds=True),
    Column(
        "before_nanousd",
        "money",
        "What the period before cost: as many months, or as long a time.",
        adds=True,
        group="compared",
    ),
    Column(
        "change",
        "change",
        "The cost beside that of the period before; infinite where that was nothing.",
        group="compared",
    ),
    Column(
        "year_to_date_nanousd",
        "money",
        "What the calendar year cost up to the period's end.",
        adds=True,
        group="compared",
    ),
    Column(
        "unattributed_nanousd",
        "money",
        "The part of the cost that lacks required tags.",
        adds=True,
        label="unattributed",
        group="in doubt",
    ),
    Column(
        "not_reported_nanousd",
        "money",
        "The part that is estimated or an upper bound.",
        adds=True,
        label="estimated",
        group="in doubt",
    ),
    Column(
        "unpriced_steps",
        "count",
        "Steps without a price, which cost nothing here.",
        adds=True,
        label="unpriced",
        group="in doubt",
    ),
)
"""What `showback` says of each row, after the names it is by."""


@of_one_moment
def showback(books: Books, period: Period, *, by: Sequence[str] = ("team",), **filters: object) -> Report:
    """Spending by tags or dimensions of the steps, the dearest first.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end.
        by: Tags and dimensions: `feature`, `team`, `tenant`, `user`, `model`, `template`, `cost_center`, `workspace`, `project`,
            `owner_team` (who provided), `kind`, `provider`, `extra.<key>` and others; together they are a row.
        **filters: Only steps with these values.

    Returns:
        The names in `by` and `COLUMNS`. What spent in any of the three periods has a row.

    Raises:
        ValueError: There is no such name, or the period has no end.
    """
    expect_tags(by)
    earlier, year = before(period, books.zone), year_to_date(period, books.zone)
    found: defaultdict[tuple[str, ...], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(_ADDS, 0))
    for row in books.rows(by, period, sums=_OWN, **filters):
        found[tuple(row[name] for name in by)] |= row
    for name, other in {"before_nanousd": earlier, "year_to_date_nanousd": year}.items():
        for row in books.rows(by, other, sums=_COST, **filters):
            found[tuple(row[each] for each in by)][name] = row["cost_nanousd"]
    own = books.doubts(period, by=by, **filters)
    totals = own._asdict() | {
        "before_nanousd": books.doubts(earlier, by=by, **filters).cost_nanousd,
        "year_to_date_nanousd": books.doubts(year, by=by, **filters).cost_nanousd,
    }
    rows: list[dict[str, Any]] = [
        {
            **dict(zip(by, key, strict=True)),
            **row,
            "share": share(row["cost_nanousd"], own.cost_nanousd),
            "change": change(row["cost_nanousd"], row["before_nanousd"]),
        }
        for key, row in found.items()
    ]
    rows.sort(key=lambda row: (-row["cost_nanousd"], -row["before_nanousd"], *(row[name] for name in by)))
    columns = (*map(tag_column, by), *COLUMNS)
    return Report(
        name="showback",
        title=f"Spending by {', '.join(name.replace('_', ' ') for name in by)}",
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals={name: totals[name] for name in _ADDS},
        findings=_findings(by, rows, totals, named(earlier, books.zone)),
        caveats=books.caveats(period, by=by, **filters),
        zone=books.zone,
        settings={"by": ", ".join(by), "before": named(earlier, books.zone)}
        | {name: str(value) for name, value in filters.items()},
    )


def _findings(
    by: Sequence[str], rows: Sequence[dict[str, Any]], totals: dict[str, int], earlier: str
) -> tuple[str, ...]:
    cost, past = totals["cost_nanousd"], totals["before_nanousd"]
    if not (cost or past):
        return ("Nothing was spent in this period, nor in the one before.",)
    beside = (
        f", {percent(change(cost, past), signed=True)} beside {earlier} ({dollars(past)})" if past > 0 else ""
    )
    said = [f"{dollars(cost)} was spent{beside}."]
    if len(rows) > 1 and cost > 0:
        first = rows[0]
        said.append(
            f"{_who(by, first)} is the largest with {dollars(first['cost_nanousd'])}, {percent(first['share'])} of it."
        )
    if len(rows) > 1 and past > 0:
        most = max(rows, key=lambda row: abs(row["cost_nanousd"] - row["before_nanousd"]))
        moved = most["cost_nanousd"] - most["before_nanousd"]
        if moved:
            said.append(
                f"{_who(by, most)} moved most: it {'grew' if moved > 0 else 'fell'} by {dollars(abs(moved))}."
            )
    return tuple(said)


def _who(by: Sequence[str], row: dict[str, Any]) -> str:
    return ", ".join(row[name] or UNNAMED for name in by)
