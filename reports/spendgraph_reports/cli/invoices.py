"""The report on imported invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph_reports.cli.offering import offer

if TYPE_CHECKING:
    import typer

    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report


def register(app: typer.Typer) -> None:
    """Add it."""
    offer(app, invoices, "invoices")


def invoices(books: Books, period: Period) -> Report:
    """The imported invoices beside the ledger: what of each has an owner."""
    from spendgraph_reports.reconcile.invoices import invoices as report

    return report(books, period)
