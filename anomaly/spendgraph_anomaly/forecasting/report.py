"""The forecast of a period: what is spent, what is expected, and between which amounts it will end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_anomaly.forecasting.outlook import Cut, Outlook, outlook
from spendgraph_reports.amounts import change, counted, dollars, percent
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.months import before, closed, named
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import UNNAMED, Column, Report, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_anomaly.forecasting.changes import Change

COLUMNS: Final = (
    Column("forecast_nanousd", "money", "What the period will have cost: spent and still to come.", adds=True),
    Column("low_80_nanousd", "money", "Of 100 such forecasts 80 end above this and below the next.", label="from", group="80 percent"),
    Column("high_80_nanousd", "money", "Where that interval ends.", label="to", group="80 percent"),
    Column("low_95_nanousd", "money", "The same for 95 of 100.", label="from", group="95 percent"),
    Column("high_95_nanousd", "money", "Where that interval ends.", label="to", group="95 percent"),
    Column("spent_nanousd", "money", "Spent so far.", adds=True, label="so far"),
    Column("rest_nanousd", "money", "Expected from now to the period's end.", adds=True, label="to come"),
    Column("linear_nanousd", "money", "What it comes to at the linear burn rate, to compare.", label="linear burn"),
    Column("before_nanousd", "money", "What the period before cost: as many months, or as long a time.", adds=True, label="before"),
    Column("change", "change", "The forecast beside the period before; infinite where that was nothing."),
    Column("history_days", "count", "Days of history, from the first one with spending.", label="days known"),
    Column("models", "text", "The models whose median it is, the best in the backtest first."),
)  # fmt: skip
"""What `forecast` says of each row, after the names it is by."""


@of_one_moment
def forecast(
    books: Books,
    period: Period,
    *,
    by: Sequence[str] = (),
    changes: Sequence[Change] = (),
    now_us: int | None = None,
    **filters: object,
) -> Report:
    """What a period will come to: this month to its end, the next 30 days, or any whole days.

    Rows add up to what everything comes to, to the nano-dollar. Intervals do not add up: not everybody is dear at once.

    Args:
        books: The ledger.
        period: Whole days; those that are over are what was spent.
        by: Tags and dimensions, as in `Books.rows`; none is one row of everything.
        changes: What is known to come.
        now_us: The time; nothing that starts later is known. The clock's, when not given.
        **filters: Only steps with these values.

    Raises:
        ValueError: The period is not of whole days, there is no such name, or a change has begun already.
    """
    seen = outlook(books, period, by=by, changes=changes, now_us=now_us, **filters)
    return report_of(books, seen, **filters)


def report_of(books: Books, seen: Outlook, **filters: object) -> Report:
    """The report of an outlook that is there already."""
    earlier = before(seen.period, books.zone)
    past = {
        tuple(str(row[name]) for name in seen.by): row["cost_nanousd"]
        for row in books.rows(seen.by, earlier, sums=("cost_nanousd",), **filters)
    }
    rows = [_row(seen, cut, past.pop(cut.tags, 0)) for cut in seen.cuts]
    rows += [_gone(seen, tags, cost) for tags, cost in past.items() if cost]
    spent = spent_of(books, seen, **filters)
    columns = (*map(tag_column, seen.by), *COLUMNS)
    return Report(
        name="forecast",
        title=f"Forecast{f' by {_words(seen.by)}' if seen.by else ''}",
        period=seen.period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals={
            "forecast_nanousd": spent + sum(seen.all.rest),
            "spent_nanousd": spent,
            "rest_nanousd": sum(seen.all.rest),
            "before_nanousd": books.doubts(earlier, by=seen.by, **filters).cost_nanousd,
        },
        findings=findings(seen, books.zone),
        caveats=caveats(books, seen, **filters),
        zone=books.zone,
        settings={"by": _words(seen.by), "before": named(earlier, books.zone)}
        | {name: str(value) for name, value in filters.items()}
        | {f"known change {number}": each.text for number, each in enumerate(seen.changes, start=1)},
    )


def findings(seen: Outlook, zone: str) -> tuple[str, ...]:
    """What the numbers say, the most important first."""
    every, when = seen.all, named(seen.period, zone)
    if not every.total and not every.spent:
        return (f"Nothing is expected in {when}.",)
    if not seen.ahead:
        return (f"{when} is over: {dollars(every.spent)} was spent.",)
    low, high = every.bounds(80)
    far_low, far_high = every.bounds(95)
    said: list[str] = []
    said.append(
        f"{when} will come to about {dollars(every.total)}: 80 times of 100 between {dollars(low)} and {dollars(high)}, 95 times"
        f" between {dollars(far_low)} and {dollars(far_high)}."
    )
    if every.spent:
        said.append(
            f"{dollars(every.spent)} is spent, and {counted(len(seen.ahead), 'day')} of {len(seen.days)} are left, today among"
            f" them; at the linear burn rate it would be {dollars(every.linear)}."
        )
    if len(seen.cuts) > 1:
        first = seen.cuts[0]
        share = f", {percent(first.total / every.total)} of it" if every.total > 0 else ""
        said.append(f"{name_of(first)} is the largest with {dollars(first.total)}{share}.")
    if seen.changes:
        said.append(
            f"{counted(len(seen.changes), 'known change')} counted: {'; '.join(each.text for each in seen.changes)}."
        )
    return tuple(said)


def caveats(books: Books, seen: Outlook, **filters: object) -> tuple[str, ...]:
    """What is uncertain in it: how it was made, short histories, and what is uncertain in the spending itself."""
    said: list[str] = []
    if seen.ahead:
        made = seen.all.prediction
        said += made.notes
        if made.done is not None:
            said.append(
                f"The total is the median of {', '.join(made.models)}, the best at {counted(made.spread.moments, 'earlier moment')};"
                " its interval is how far they were off then."
            )
        short = [name_of(cut) for cut in seen.cuts if seen.by and cut.prediction.done is None and cut.total]
        if short:
            said.append(
                f"{_some(short)} {'has' if len(short) == 1 else 'have'} too short a history for more than the linear burn rate."
            )
    return (*said, *books.caveats(_known(seen), by=seen.by, **filters))


def name_of(cut: Cut) -> str:
    """A cut for people."""
    return ", ".join(tag or UNNAMED for tag in cut.tags) or "everything"


def _row(seen: Outlook, cut: Cut, past: int) -> dict[str, Any]:
    bounds = {
        f"{end}_{level}_nanousd": amount
        for level in (80, 95)
        for end, amount in zip(("low", "high"), cut.bounds(level), strict=True)
    }
    begun = next((at for at, cost in enumerate(cut.history) if cost), len(cut.history))
    return {
        **dict(zip(seen.by, cut.tags, strict=True)),
        **bounds,
        "forecast_nanousd": cut.total,
        "spent_nanousd": cut.spent,
        "rest_nanousd": sum(cut.rest),
        "linear_nanousd": cut.linear,
        "before_nanousd": past,
        "change": change(cut.total, past),
        "history_days": len(cut.history) - begun,
        "models": ", ".join(cut.prediction.models) if seen.ahead else "",
    }


def _gone(seen: Outlook, tags: tuple[str, ...], past: int) -> dict[str, Any]:
    """Who has spent in the period before, and is not expected to any more."""
    nothing = {column.name: 0 for column in COLUMNS if column.kind in ("money", "count")}
    return (
        dict(zip(seen.by, tags, strict=True))
        | nothing
        | {"before_nanousd": past, "change": change(0, past), "models": ""}
    )


def _known(seen: Outlook) -> Period:
    """The part of the period, or of the past, that the forecast rests on."""
    since, until = closed(seen.period)
    now = seen.past.now_us
    return Period(since, min(until, now)) if since < now else Period(now - 28 * DAY_US, now)


def spent_of(books: Books, seen: Outlook, **filters: object) -> int:
    """What the ledger has for the part of the period that is over, asked apart from the rows."""
    since, until = closed(seen.period)
    if since >= seen.past.now_us:
        return 0
    return books.doubts(Period(since, min(until, seen.past.now_us)), by=seen.by, **filters).cost_nanousd


def _words(by: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in by)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2:,} others"
