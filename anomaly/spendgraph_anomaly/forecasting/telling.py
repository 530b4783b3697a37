"""What the monthly page and the notebook say of the time ahead: sentences, figures and a plot, true for every ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us, utc_us
from spendgraph_anomaly.forecasting.daily import day_rows
from spendgraph_anomaly.forecasting.outlook import Outlook, outlook
from spendgraph_anomaly.forecasting.report import findings, forecast, report_of
from spendgraph_reports.amounts import dollars
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.months import closed, month_of, named
from spendgraph_reports.notebooks.spend import nothing, owned
from spendgraph_reports.period import Period
from spendgraph_reports.plots import Fan, fan
from spendgraph_reports.rendering import Fact, Facts, Prose, Section

if TYPE_CHECKING:
    from spendgraph_reports.plots import Plot
    from spendgraph_reports.report import Report

_ON_THE_PAGE: Final = ("forecast_nanousd", "low_80_nanousd", "high_80_nanousd", "before_nanousd", "change")
"""The columns that fit on a page."""


@of_one_moment
def review(books: Books, period: Period) -> Section:
    """The section of the monthly page: this month to its end, or once it is over the next one, as known when it ended.

    Args:
        books: The ledger.
        period: The month that the page is about.
    """
    seen = looked(books, period, by=("feature",))
    if not seen.all.total:
        return Section("Forecast", (Prose(findings(seen, books.zone)),))
    report = report_of(books, seen)
    made = (
        f"As known on {_day(seen.past.now_us, books.zone)}.",
        *(note for note in report.caveats if note.startswith("The total is the median")),
    )
    shown = replace(report.only(*seen.by, *_ON_THE_PAGE), title="Forecast", caveats=())
    return Section("Forecast", (plot(seen).picture(), shown, Prose(made, leads=False)))


def looked(books: Books, period: Period, *, by: tuple[str, ...] = ()) -> Outlook:
    """What a period will come to, or after one that is over the month that follows."""
    return outlook(books, target(books, period), by=by, now_us=moment_of(period))


@of_one_moment
def conclusion(books: Books, period: Period, seen: Outlook) -> tuple[str, ...]:
    """What a reader should know who reads nothing else, the most important first."""
    doubts = books.doubts(period)
    if not doubts.steps:
        return (nothing(books, period),)
    return (
        *findings(seen, books.zone),
        f"{dollars(doubts.cost_nanousd)} was spent in {named(period, books.zone)}.",
        owned(doubts.unattributed_nanousd, doubts.cost_nanousd),
    )


def facts(books: Books, period: Period, seen: Outlook) -> Facts:
    """The figures that go with it."""
    every, when = seen.all, named(seen.period, books.zone)
    low, high = every.bounds(80)
    return Facts(
        (
            Fact("spent", dollars(books.doubts(period).cost_nanousd), f"in {named(period, books.zone)}"),
            Fact("expected", dollars(every.total), f"in {when}"),
            Fact("80 times of 100", f"{dollars(low)} to {dollars(high)}", f"in {when}"),
            Fact("linear burn rate", dollars(every.linear), f"in {when}"),
        )
    )


def plot(seen: Outlook) -> Plot:
    """The sum of a period so far, what it is expected to grow to, and the interval."""
    rows = day_rows(seen)
    days = tuple(date.fromisoformat(row["day"]) for row in rows)
    return fan(
        Fan(
            days,
            tuple(row["sum_nanousd"] for row in rows),
            tuple(row["low_80_nanousd"] for row in rows),
            tuple(row["high_80_nanousd"] for row in rows),
            len(days) - len(seen.ahead),
        )
    )


def next_days(books: Books, period: Period, days: int, *, by: tuple[str, ...] = ()) -> Report:
    """The forecast of the next days, from when the period ended, or from today where it has not."""
    now_us = moment_of(period)
    today = from_us(now_us).astimezone(ZoneInfo(books.zone)).date()
    return forecast(books, Period.days(today, today + timedelta(days=days), books.zone), by=by, now_us=now_us)


def target(books: Books, period: Period) -> Period:
    """What is forecast: a period that is not over itself, and after one that is over the calendar month that follows."""
    _, until = closed(period)
    return period if moment_of(period) < until else month_of(until, books.zone)


def moment_of(period: Period) -> int:
    """When it is forecast: now, or of a period that is over, when it ended; so a page says the same whenever it is made."""
    _, until = closed(period)
    return min(utc_us(), until)


def _day(moment_us: int, zone: str) -> str:
    return f"{from_us(moment_us).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
