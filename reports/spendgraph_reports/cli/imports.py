"""`spendgraph import`: contracts, plans and invoices into the ledger, and what was brought in so far."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, existing, misused
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.tables import Column, counted, show, when
from spendgraph_reports.cli.reconcile import ColumnOption, ColumnsOption, Format, columns_of

if TYPE_CHECKING:
    from spendgraph.ledger import Imported, LedgerReader

ByOption = Annotated[str, typer.Option("--by", help="Who brings it in; it is kept with the import.")]
DecimalOption = Annotated[
    Literal[".", ","], typer.Option("--decimal", help="What stands before the cents: . or ,")
]
DayFormatOption = Annotated[
    str | None, typer.Option("--day-format", help="How dates are written, such as %d.%m.%Y; else 2026-08-01.")
]
ListArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The list, a CSV.")]

commands = typer.Typer(
    help="Bring in what finance knows (contracts, plans, invoices), or show what was brought in.",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="import")


@commands.callback()
def imports(
    context: typer.Context, ledger: LedgerOption = DEFAULT_LEDGER, as_json: JsonOption = False
) -> None:
    """Show every import there was, and which of them count."""
    if context.invoked_subcommand is not None:
        return
    from spendgraph.ledger import Ledger

    with Ledger.open_readonly(ledger) as reader:
        rows = reader.imports()
    if as_json:
        print_json([{**row, "files": json.loads(row["files"])} for row in rows])
    elif rows:
        names = ("import", "of", "counts", "imported", "rows", "files", "by")
        show([Column(name, name == "rows", name in {"files", "by"}) for name in names], [*map(_row, rows)])
    else:
        print(f"Nothing was imported into {plain(str(ledger))}.")


@commands.command()
def contracts(
    file: ListArgument,
    by: ByOption = "",
    decimal: DecimalOption = ".",
    day_format: DayFormatOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Keep a list of contracts as the newest one, in place of the whole list before.

    Columns: tenant, plan, monthly_revenue_usd, valid_from, valid_until (the first day after it, or nothing).
    """
    from spendgraph.ledger import Ledger
    from spendgraph_reports.imports import import_contracts

    try:
        with Ledger.open(existing(ledger)) as books:
            done = import_contracts(books, file, decimal=decimal, day_format=day_format, by=by)
            unlisted = _unlisted(books)
    except ValueError as error:
        misused(str(error))
    if as_json:
        print_json({**_said(ledger, "contracts", done), "unlisted_plans": unlisted})
        return
    print(_told(counted(done.rows, "contract"), [file], done))
    _tell_unlisted(unlisted)


@commands.command()
def plans(
    file: ListArgument,
    by: ByOption = "",
    decimal: DecimalOption = ".",
    day_format: DayFormatOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Keep a list of plans and what a month of each is listed at, in place of the whole list before.

    Columns: plan, monthly_list_price_usd and, where prices change, valid_from (the first day).
    """
    from spendgraph.ledger import Ledger
    from spendgraph_reports.imports import import_plans

    try:
        with Ledger.open(existing(ledger)) as books:
            done = import_plans(books, file, decimal=decimal, day_format=day_format, by=by)
            unlisted = _unlisted(books)
    except ValueError as error:
        misused(str(error))
    if as_json:
        print_json({**_said(ledger, "plans", done), "unlisted_plans": unlisted})
        return
    print(_told(counted(done.rows, "price"), [file], done))
    _tell_unlisted(unlisted)


@commands.command()
def invoice(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The invoice or usage export.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="Whose export it is, or csv with columns.")],
    month: Annotated[str, typer.Option("--month", "-m", help="The invoice's month, such as 2026-08 (UTC).")],
    provider: Annotated[
        str | None, typer.Option("--provider", help="Whose it is, as the ledger names it; of a csv.")
    ] = None,
    column: ColumnOption = None,
    columns: ColumnsOption = None,
    by: ByOption = "",
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Keep an invoice as the newest one of its provider and month; `spendgraph reconcile --imported` compares it."""
    from spendgraph.ledger import Ledger
    from spendgraph.money import format_amount
    from spendgraph_reports.imports import import_invoice

    try:
        mapped = columns_of(form, column, columns)
        with Ledger.open(existing(ledger)) as books:
            done = import_invoice(books, files, form, month, provider=provider, columns=mapped, by=by)
    except ValueError as error:
        misused(str(error))
    bill = done.invoice
    if as_json:
        print_json(
            {
                **_said(ledger, "invoice", done.imported),
                "provider": bill.provider,
                "month": bill.month,
                "unit": bill.unit,
                f"amount_{bill.unit}": bill.amount,
                "outside_lines": bill.outside_lines,
            }
        )
        return
    what = f"{plain(bill.provider)} {bill.month}, {format_amount(bill.amount, bill.unit)}"
    print(_told(what, files, done.imported))
    if bill.outside_lines:
        print(f"{counted(bill.outside_lines, 'line')} of other months left out.")


def _said(ledger: Path, kind: str, done: Imported) -> dict[str, Any]:
    return {"ledger": str(ledger), "kind": kind, **done._asdict()}


def _told(what: str, files: list[Path], done: Imported) -> str:
    names = plain(", ".join(str(file) for file in files))
    if not done.is_new:
        return f"{names} was imported before ({what}, import {done.import_id}); nothing was changed."
    instead = "" if done.replaced is None else f", in place of import {done.replaced}, which stays"
    return f"{names}: {what}, as import {done.import_id}{instead}."


def _unlisted(reader: LedgerReader) -> list[str]:
    """Plans that contracts name and the list of plans has not, once there is one."""
    listed = {row.plan for row in reader.plans()}
    return sorted({row.plan for row in reader.contracts()} - listed) if listed else []


def _tell_unlisted(plans: list[str]) -> None:
    if plans:
        print(f"Contracts name plans that the list of plans has not: {plain(', '.join(plans))}.")


def _row(row: dict[str, Any]) -> list[str]:
    return [
        str(row["import_id"]),
        plain(row["subject"]),
        "yes" if row["counts"] else "replaced",
        when(row["imported_us"]),
        f"{row['rows']:,}",
        plain(", ".join(file["name"] for file in json.loads(row["files"]))),
        plain(row["imported_by"]),
    ]
