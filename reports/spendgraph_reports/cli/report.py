"""`spendgraph report NAME`: the reports, each a command."""

from __future__ import annotations

import typer

from spendgraph_reports.cli import (
    budgeting,
    chargeback,
    economics,
    efficiency,
    invoices,
    monthly,
    notebook,
    showback,
)

HELP = "What the ledger says, as a table, CSV, JSON, Parquet or HTML."


def register(app: typer.Typer) -> None:
    """Add every report."""
    reports = typer.Typer(no_args_is_help=True, help=HELP)
    for module in (
        budgeting,
        chargeback,
        economics,
        efficiency,
        invoices,
        monthly,
        notebook,
        showback,
    ):
        module.register(reports)
    app.add_typer(reports, name="report")
