"""The forecast by day: what each day is expected to cost, and where the sum up to it is expected to lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spendgraph_anomaly.forecasting.report import caveats, findings, spent_of
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_anomaly.forecasting.outlook import Outlook
    from spendgraph_reports.books import Books

COLUMNS: Final = (
    Column("day", "day", "The day, in the time zone of the report."),
    Column("spent_nanousd", "money", "Spent on it so far.", adds=True, label="so far"),
    Column("rest_nanousd", "money", "Expected of it, of today what is left of it.", adds=True, label="to come"),
    Column("forecast_nanousd", "money", "Both.", adds=True),
    Column("sum_nanousd", "money", "From the period's start to the day's end.", label="up to then"),
    Column("low_80_nanousd", "money", "Of 100 such sums 80 lie above this and below the next.", label="from", group="80 percent"),
    Column("high_80_nanousd", "money", "Where that interval ends.", label="to", group="80 percent"),
    Column("low_95_nanousd", "money", "The same for 95 of 100.", label="from", group="95 percent"),
    Column("high_95_nanousd", "money", "Where that interval ends.", label="to", group="95 percent"),
)  # fmt: skip
"""What `daily_report` says of each day."""


def daily_report(books: Books, seen: Outlook, **filters: object) -> Report:
    """The days of a period, those that are over with what was spent."""
    spent = spent_of(books, seen, **filters)
    rest = sum(seen.all.rest)
    return Report(
        name="forecast-days",
        title="Forecast by day",
        period=seen.period,
        frame=frame_of(day_rows(seen), COLUMNS),
        columns=COLUMNS,
        totals={"spent_nanousd": spent, "rest_nanousd": rest, "forecast_nanousd": spent + rest},
        findings=findings(seen, books.zone),
        caveats=caveats(books, seen, **filters),
        zone=books.zone,
    )


def day_rows(seen: Outlook) -> list[dict[str, Any]]:
    """A row for each day of the period: what was spent, what is expected, and the sum up to it with its bounds."""
    every, past = seen.all, seen.past
    known = dict(zip(past.starts, (int(cost) for cost in every.history), strict=True))
    known[past.today] = sum(past.spent_today.values())
    expected = dict(zip(seen.ahead, every.rest, strict=True))
    rows: list[dict[str, Any]] = []
    summed = 0
    for day in seen.days:
        spent, rest = known.get(day, 0), expected.get(day, 0)
        summed += spent + rest
        bounds: dict[str, int] = dict.fromkeys(("low_80", "high_80", "low_95", "high_95"), summed)
        if day in expected:
            at = len(expected) - len([each for each in expected if each >= day])
            for level in (80, 95):
                bounds[f"low_{level}"] = every.spent + every.low[level][at]
                bounds[f"high_{level}"] = every.spent + every.high[level][at]
        rows.append(
            {
                "day": day.isoformat(),
                "spent_nanousd": spent,
                "rest_nanousd": rest,
                "forecast_nanousd": spent + rest,
                "sum_nanousd": summed,
                **{f"{name}_nanousd": amount for name, amount in bounds.items()},
            }
        )
    return rows
