"""`spendgraph reconcile`: a provider's invoice beside the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, misused
from spendgraph.cli.output import amounts, console, plain, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from spendgraph_reports.reconcile import ColumnMap, Reconciliation

Format = Literal["openai", "anthropic", "csv"]

ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        "-c",
        metavar="NAME=VALUE",
        help="Which column of a csv is what: cost, day, model, currency; day_format, delimiter, decimal.",
    ),
]
ColumnsOption = Annotated[
    Path | None, typer.Option("--columns", metavar="YAML", help="The same from a file.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    month: Annotated[str, typer.Option("--month", "-m", help="The invoice's month, such as 2026-08 (UTC).")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="The invoice or usage export.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", "-f", help="Whose export it is, or csv with columns.")
    ] = None,
    imported: Annotated[
        bool,
        typer.Option(
            "--imported", help="Take the invoice that was imported of --provider, instead of files."
        ),
    ] = False,
    ledger: LedgerOption = DEFAULT_LEDGER,
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="Whose steps are compared; of csv without it all steps."),
    ] = None,
    column: ColumnOption = None,
    columns: ColumnsOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows to show.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Compare an invoice with the ledger, and show the rows that explain the difference.

    Exit code 1 when more than 5 percent of the invoice have no owner.
    """
    try:
        if imported:
            if files or form or column or columns:
                misused("expected either --imported or files with their --format, found both")
            found = _of_import(ledger, month, provider)
        else:
            found = _of_files(ledger, month, files or [], form, provider, columns_of(form, column, columns))
    except ValueError as error:
        misused(str(error))
    if as_json:
        print_json(found.document())
    else:
        out = console()
        out.print(_summary(found, month))
        if explaining := [row for row in found.rows if row.difference]:
            out.print(_explanation(found, limit))
            if len(explaining) > limit:
                out.print(f"{len(explaining) - limit} more rows differ: --limit shows them")
        out.print(_verdict(found))
    raise typer.Exit(0 if found.reaches_goal else 1)


def _of_import(ledger: Path, month: str, provider: str | None) -> Reconciliation:
    from spendgraph_reports.reconcile import reconcile_imported

    if not provider:
        misused("expected --provider with --imported, found none")
    return reconcile_imported(ledger, provider, month)


def _of_files(
    ledger: Path,
    month: str,
    files: list[Path],
    form: Format | None,
    provider: str | None,
    columns: ColumnMap | None,
) -> Reconciliation:
    from spendgraph_reports.period import Period
    from spendgraph_reports.reconcile import read_invoice
    from spendgraph_reports.reconcile import reconcile as compare
    from spendgraph_reports.reconcile.formats import PROVIDERS

    if not files or form is None:
        misused("expected FILE... with --format, or --imported with --provider, found neither")
    period = Period.month(month)
    lines = [line for file in files for line in read_invoice(file, form, columns)]
    return compare(ledger, lines, period, provider=provider or PROVIDERS.get(form))


def columns_of(form: str | None, options: list[str] | None, file: Path | None) -> ColumnMap | None:
    """The column map of a csv, from options or a file; other formats have none."""
    from spendgraph_reports.reconcile import ColumnMap

    if form != "csv":
        if options or file:
            misused(f"expected --column and --columns with --format csv only, found them with {form}")
        return None
    if file is not None:
        if options:
            misused("expected either --column or --columns, found both")
        return ColumnMap.load(file)
    pairs = [option.partition("=") for option in options or []]
    for name, equals, _ in pairs:
        if not equals or not name:
            misused(f"expected --column NAME=VALUE, found {name!r}")
    return ColumnMap.of({name: value for name, _, value in pairs})


def _summary(found: Reconciliation, month: str) -> Table:
    """What the invoice is made of; the residual is a line of its own and belongs to nobody."""
    from rich.table import Table

    table = Table(title=f"{plain(found.provider or 'all providers')}, {month}", box=None, header_style="bold")
    table.add_column("")
    for name in ("tokens" if found.unit == "tokens" else "amount", "of the invoice"):
        table.add_column(name, justify="right")
    parts = {
        "in the ledger, with an owner": found.ledger - found.unattributed,
        "in the ledger, unattributed": found.unattributed,
        "residual: not in the ledger, nobody's": found.residual,
        "invoice": found.invoice,
    }
    for (name, part), text in zip(parts.items(), _shown(list(parts.values()), found.unit), strict=True):
        share = f"{100 * part / found.invoice:.1f} %" if found.invoice > 0 else "-"
        table.add_row(name, text, share, style="bold" if name == "invoice" else None)
    return table


def _explanation(found: Reconciliation, limit: int) -> Table:
    from rich.table import Table

    rows = [row for row in found.rows if row.difference][:limit]
    table = Table(title="The rows that explain the residual", box=None, header_style="bold")
    for name in ("day", "model", "invoice", "ledger", "difference", "why"):
        table.add_column(name, justify="right" if name in {"invoice", "ledger", "difference"} else "left")
    invoice, ledger, difference = (
        _shown([getattr(row, name) for row in rows], found.unit)
        for name in ("invoice", "ledger", "difference")
    )
    for row, *cells in zip(rows, invoice, ledger, difference, strict=True):
        table.add_row(
            "month" if row.day is None else row.day.isoformat(), plain(row.model), *cells, row.cause
        )
    return table


def _verdict(found: Reconciliation) -> str:
    if found.coverage is None or found.unattributed_share is None:
        return "The file bills nothing in this month."
    parts = [
        f"The ledger covers {100 * found.coverage:.1f} % of the invoice;",
        f"{100 * found.unattributed_share:.1f} % have no owner",
        "(goal: at most 5 %)." if found.reaches_goal else "(goal: at most 5 %: MISSED).",
    ]
    if found.outside_lines:
        parts.append(f"{found.outside_lines:,} lines of other days were left out.")
    return " ".join(parts)


def _shown(values: list[int], unit: str) -> list[str]:
    return amounts(values) if unit == "nanousd" else [f"{value:,}" for value in values]
