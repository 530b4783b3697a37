"""The statements of who pays."""

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
    offer(app, chargeback, "chargeback")


def chargeback(
    books: Books,
    period: Period,
    of: Annotated[
        str, typer.Option("--of", help="Who pays: team, cost_center, tenant or another tag.")
    ] = "team",
    team: Annotated[str | None, typer.Option("--team", help="Only the statement of this team.")] = None,
    payer: Annotated[
        str | None,
        typer.Option("--payer", help="Only the statement of this one, whatever --of says; '' for nobody's."),
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="One row for each payer.")] = False,
    close_days: Annotated[
        int,
        typer.Option(
            "--close-days",
            help="The books close so many days after the period; what comes later is restated in the next one.",
        ),
    ] = 1,
) -> Report:
    """Who pays what, line by line, with what is restated of earlier months."""
    from spendgraph_reports.chargeback import chargeback as report
    from spendgraph_reports.chargeback import payers

    if team is not None and (payer is not None or of != "team"):
        raise ValueError("expected either --team, or --of and --payer, found both")
    one = payer if team is None else team
    if summary:
        if one is not None:
            raise ValueError("expected --summary of all payers, found one named")
        return payers(books, period, of=of, close_days=close_days)
    return report(books, period, of=of, payer=one, close_days=close_days)
