"""What moved spending: for each payer, how much of the change is more steps, and how much is dearer steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import change, dollars, percent
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.months import before, named
from spendgraph_reports.report import UNNAMED, Column, Report, expect_tags, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

_SUMS: Final = ("cost_nanousd", "steps")

COLUMNS: Final = (
    Column(
        "moved_nanousd",
        "money",
        "How much more than before it cost; less than 0 where it cost less.",
        adds=True,
        label="moved",
    ),
    Column(
        "volume_nanousd",
        "money",
        "Of that, because of more or fewer steps, at what a step cost before.",
        adds=True,
        label="by more steps",
    ),
    Column(
        "rate_nanousd",
        "money",
        "Of that, because a step was dearer or cheaper than before.",
        adds=True,
        label="by dearer steps",
    ),
    Column("cost_nanousd", "money", "What the period cost.", adds=True),
    Column("before_nanousd", "money", "What the period before cost.", adds=True),
    Column("change", "change", "The cost beside that of the period before; infinite where that was nothing."),
    Column("steps", "count", "Billable steps in the period.", adds=True),
    Column("steps_before", "count", "Billable steps in the period before.", adds=True),
)
"""What `drivers` says of each row, after the names it is by."""


@of_one_moment
def drivers(books: Books, period: Period, *, by: Sequence[str] = ("feature",), **filters: object) -> Report:
    """What moved spending since the period before, what moved it most first.

    A step cost before what the row's steps then cost on average. What was not there before moved by its steps alone.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end.
        by: Tags and dimensions that together are a row; see `showback`.
        **filters: Only steps with these values.

    Returns:
        The names in `by` and `COLUMNS`; `volume_nanousd` and `rate_nanousd` add up to `moved_nanousd` in each row.

    Raises:
        ValueError: There is no such name, or the period has no end.
    """
    expect_tags(by)
    earlier = before(period, books.zone)
    found: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(
        lambda: {"cost_nanousd": 0, "steps": 0, "before_nanousd": 0, "steps_before": 0}
    )
    for row in books.rows(by, period, sums=_SUMS, **filters):
        found[tuple(row[name] for name in by)] |= {"cost_nanousd": row["cost_nanousd"], "steps": row["steps"]}
    for row in books.rows(by, earlier, sums=_SUMS, **filters):
        found[tuple(row[name] for name in by)] |= {
            "before_nanousd": row["cost_nanousd"],
            "steps_before": row["steps"],
        }
    rows: list[dict[str, Any]] = [
        {**dict(zip(by, key, strict=True)), **_moved(row)} for key, row in found.items()
    ]
    rows.sort(key=lambda row: (-abs(row["moved_nanousd"]), -row["cost_nanousd"], *(row[name] for name in by)))
    now, past = books.doubts(period, by=by, **filters), books.doubts(earlier, by=by, **filters)
    columns = (
        *map(tag_column, by),
        *COLUMNS,
    )
    moved = now.cost_nanousd - past.cost_nanousd
    volume = sum(row["volume_nanousd"] for row in rows)
    return Report(
        name="drivers",
        title=f"What moved spending, by {', '.join(name.replace('_', ' ') for name in by)}",
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals={
            "moved_nanousd": moved,
            "volume_nanousd": volume,
            "rate_nanousd": moved - volume,
            "cost_nanousd": now.cost_nanousd,
            "before_nanousd": past.cost_nanousd,
            "steps": now.steps,
            "steps_before": past.steps,
        },
        findings=_findings(by, rows, now.cost_nanousd, past.cost_nanousd, named(earlier, books.zone)),
        caveats=books.caveats(period, by=by, **filters),
        zone=books.zone,
        settings={"by": ", ".join(by), "before": named(earlier, books.zone)}
        | {name: str(value) for name, value in filters.items()},
    )


def _moved(row: dict[str, int]) -> dict[str, Any]:
    cost, past, steps, then = row["cost_nanousd"], row["before_nanousd"], row["steps"], row["steps_before"]
    # Without a step there is no price of one: what came or went whole did so by its steps.
    volume = round(Fraction(past * (steps - then), then)) if then and steps else cost - past
    return {
        **row,
        "moved_nanousd": cost - past,
        "volume_nanousd": volume,
        "rate_nanousd": cost - past - volume,
        "change": change(cost, past),
    }


def _findings(
    by: Sequence[str], rows: Sequence[dict[str, Any]], cost: int, past: int, earlier: str
) -> tuple[str, ...]:
    if not (cost or past):
        return ("Nothing was spent in this period, nor in the one before.",)
    if cost == past:
        return (f"Spending is what it was in {earlier}: {dollars(cost)}.",)
    direction = "more" if cost > past else "less"
    beside = f" ({percent(change(cost, past), signed=True)})" if past > 0 else ""
    said = [f"{dollars(abs(cost - past))} {direction} was spent than in {earlier}{beside}."]
    for row in [row for row in rows if row["moved_nanousd"]][:3]:
        who = ", ".join(row[name] or UNNAMED for name in by)
        said.append(f"{who} {_how(row)}.")
    return tuple(said)


def _how(row: dict[str, Any]) -> str:
    """How a row moved, and by what, in words."""
    moved = row["moved_nanousd"]
    by_how_much = f"{'grew' if moved > 0 else 'fell'} by {dollars(abs(moved))}"
    if not row["steps_before"]:
        return f"is new with {dollars(row['cost_nanousd'])}"
    if not row["steps"]:
        return f"{by_how_much}: it had no step any more"
    rate, past = (
        Fraction(row[cost], row[steps])
        for cost, steps in (("cost_nanousd", "steps"), ("before_nanousd", "steps_before"))
    )
    steps = _beside(change(row["steps"], row["steps_before"]), "more steps", "fewer steps") or "as many steps"
    if not past:
        return f"{by_how_much}: {steps}, which had cost nothing"
    return f"{by_how_much}: {steps}, and a step is {_beside(float(rate / past - 1), 'dearer', 'cheaper') or 'as dear'}"


def _beside(by: float, more: str, less: str) -> str:
    """How much more or less there is, in words; nothing where it is the same."""
    return f"{percent(abs(by))} {more if by > 0 else less}" if round(abs(by), 3) else ""
