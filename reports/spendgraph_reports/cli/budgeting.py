"""The report on budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spendgraph_reports.cli.offering import offer

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report


def register(app: typer.Typer) -> None:
    """Add it."""
    offer(app, variance, "variance")


def variance(
    books: Books,
    period: Period,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only the rows that need somebody.")] = False,
) -> Report:
    """Every budget against what was spent, by the version of its time; what needs somebody comes first."""
    from spendgraph_reports.budgeting import variance as report

    return report(books, period, flagged=flagged)
