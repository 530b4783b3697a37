"""`spendgraph forecast`: what the month will come to, who will have spent it, and when budgets run out."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, LedgerOption, misused
from spendgraph_reports.cli.offering import (
    AsJsonOption,
    FormOption,
    OutputOption,
    SinceOption,
    TimezoneOption,
    WhosePolicyOption,
    deliver,
    opened,
    period_of,
)
from spendgraph_reports.errors import ReportsUnavailable

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report

Show = Literal["rows", "days", "budgets", "backtest"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forecast")(forecast)


def forecast(
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            "-b",
            help="A tag or dimension to forecast by; repeat for more. Everything, when not given.",
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option("--days", "-d", min=1, max=366, help="So many days from today on, instead of a month."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--change",
            metavar="'DAY [TAG=VALUE] AMOUNT'",
            help="What is known to come, such as '2026-12-01 tenant=acme +20%', '2026-12-01 x1.5' or"
            " '2026-12-01..2026-12-14 feature=search +$40/day'; repeat for more.",
        ),
    ] = None,
    show: Annotated[
        Show,
        typer.Option(
            "--show",
            help="The rows; each day with the sum up to it; when budgets run out; or how each model did at earlier moments.",
        ),
    ] = "rows",
    backtest: Annotated[bool, typer.Option("--backtest", help="The same as --show backtest.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="Forecast as if it were the start of this day; now, when not given.",
        ),
    ] = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    month: Annotated[
        str | None,
        typer.Option("--month", "-m", help="A month such as 2026-12; this one, when nothing is given."),
    ] = None,
    since: SinceOption = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="The day that is not in it any more; with --from."),
    ] = None,
    timezone: TimezoneOption = "UTC",
    policy: WhosePolicyOption = None,
    form: FormOption = "table",
    output: OutputOption = None,
    as_json: AsJsonOption = False,
) -> None:
    """What the month will come to, with an interval that holds what it promises; or the next days, or when budgets run out."""
    if as_json and form not in {"table", "json"}:
        misused(f"expected either --json or --format {form}, found both")
    if backtest and show not in {"rows", "backtest"}:
        misused(f"expected either --backtest or --show {show}, found both")
    if since is not None and until is None:
        misused("expected --to with --from, found --from alone")
    if show == "budgets" and as_of is not None:
        misused("expected --show budgets without --as-of: budgets count what is spent by now")
    with opened(ledger, timezone, policy) as books:
        if find_spec("statsmodels") is None:
            raise ReportsUnavailable(
                "forecasts need statsmodels, which is not installed: pip install 'spendgraph[analytics]'"
            )
        try:
            now_us = _moment(as_of, books.zone)
            period = _period(books, now_us, days, (month, since, until))
            report = _report(books, period, by or [], change or [], "backtest" if backtest else show, now_us)
        except ValueError as error:
            misused(str(error))
        deliver(report, "json" if as_json else form, output, ledger)


def _report(
    books: Books, period: Period, by: list[str], changes: list[str], show: Show, now_us: int
) -> Report:
    from spendgraph_anomaly.forecasting import Change, backtest_report, budget_forecast, daily_report, outlook
    from spendgraph_anomaly.forecasting import forecast as report

    known = [Change.read(text) for text in changes]
    if show != "rows" and by:
        raise ValueError(f"expected --by with --show rows, found --show {show}")
    match show:
        case "rows":
            return report(books, period, by=by, changes=known, now_us=now_us)
        case "budgets":
            return budget_forecast(books, now_us=now_us)
        case "days" | "backtest":
            with books.one_moment():
                seen = outlook(books, period, changes=known, now_us=now_us)
                return daily_report(books, seen) if show == "days" else backtest_report(books, seen)


def _moment(as_of: str | None, zone: str) -> int:
    from datetime import date

    from spendgraph.clock import utc_us
    from spendgraph_reports.period import midnight

    if as_of is None:
        return utc_us()
    try:
        day = date.fromisoformat(as_of)
    except ValueError:
        raise ValueError(f"expected a day such as 2026-12-01 with --as-of, found {as_of!r}") from None
    return midnight(day, zone)


def _period(
    books: Books, now_us: int, days: int | None, given: tuple[str | None, str | None, str | None]
) -> Period:
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from spendgraph.clock import from_us
    from spendgraph_reports.months import month_of
    from spendgraph_reports.period import Period

    if days is not None:
        if any(each is not None for each in given):
            raise ValueError("expected either --days or a period, found both")
        today = from_us(now_us).astimezone(ZoneInfo(books.zone)).date()
        return Period.days(today, today + timedelta(days=days), books.zone)
    if all(each is None for each in given):
        return month_of(now_us, books.zone)
    return period_of(books, *given)
