"""The reports on who spent what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spendgraph_reports.cli.offering import offer

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report


def register(app: typer.Typer) -> None:
    """Add them."""
    offer(app, showback, "showback")
    offer(app, drivers, "drivers")


def showback(
    books: Books,
    period: Period,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", "-b", help="A tag or dimension to report by; repeat for more. The team, when not given."
        ),
    ] = None,
) -> Report:
    """Who spent what, beside the period before and the year so far."""
    from spendgraph_reports.showback import showback as report

    return report(books, period, by=by or ["team"])


def drivers(
    books: Books,
    period: Period,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", "-b", help="A tag or dimension; repeat for more. The feature, when not given."),
    ] = None,
) -> Report:
    """What moved spending since the period before: more steps, or dearer ones."""
    from spendgraph_reports.showback import drivers as report

    return report(books, period, by=by or ["feature"])
