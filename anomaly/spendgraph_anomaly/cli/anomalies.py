"""`spendgraph anomalies`: what stood out of a period's spending, and what carries it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from spendgraph_reports.cli.offering import offer
from spendgraph_reports.errors import ReportsUnavailable

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report

_NEEDED: Final = ("numpy", "scipy", "statsmodels")


def register(app: typer.Typer) -> None:
    """Add it."""
    offer(app, anomalies, "anomalies")


def anomalies(
    books: Books,
    period: Period,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            "-b",
            help="A tag to look at: each value of each, and all together; repeat for more. Tenant and feature, when not given.",
        ),
    ] = None,
    every: Annotated[
        Literal["quarter", "hour", "day"], typer.Option("--every", "-e", help="How long one look is.")
    ] = "hour",
    minimum: Annotated[
        str | None,
        typer.Option(
            "--minimum",
            metavar="USD",
            help="What an incident must have cost too much to be told. When not given, one percent of the period, from $5 to $1,000.",
        ),
    ] = None,
) -> Report:
    """What stood out of spending: since when, what it cost too much, what carries it, and what changed."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ReportsUnavailable(
            f"anomalies need {', '.join(missing)}, which is not installed: pip install 'spendgraph[analytics]'"
        )
    from spendgraph_anomaly.review import anomalies as report

    return report(books, period, by=by or ["tenant", "feature"], every=every, minimum_usd=minimum)
