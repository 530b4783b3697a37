"""`spendgraph export`: the steps of a period as CSV, JSON or Parquet, or their costs in FOCUS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, misused
from spendgraph.cli.output import plain, print_json

Format = Literal["csv", "json", "parquet", "focus"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="csv, json, parquet or focus.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; it is replaced whole.")],
    ledger: LedgerOption = DEFAULT_LEDGER,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day (or an ISO time).")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The day (or time) that is not in it any more.")
    ] = None,
    month: Annotated[str | None, typer.Option("--month", help="A month such as 2026-08, instead.")] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Whose midnight a date is; FOCUS is UTC.")
    ] = "UTC",
    account: Annotated[
        str, typer.Option("--account", help="The billing account in FOCUS rows.")
    ] = "spendgraph",
    as_json: JsonOption = False,
) -> None:
    """Write the steps of a period to a file, or their costs in the FOCUS format.

    Without a period everything is written. The cost of what was written is said, and is the ledger's.
    """
    from spendgraph.money import format_usd
    from spendgraph_reports.exports import (
        FOCUS_VERSION,
        export_csv,
        export_focus,
        export_json,
        export_parquet,
    )
    from spendgraph_reports.period import Period

    try:
        if month is not None and (since is not None or until is not None):
            misused("expected either --month or --from and --to, found both")
        period = Period.between(since, until, timezone) if month is None else Period.month(month, timezone)
        if form == "focus":
            written = export_focus(ledger, output, period, account=account)
        else:
            plainly = {"csv": export_csv, "json": export_json, "parquet": export_parquet}[form]
            written = plainly(ledger, output, period)
    except ValueError as error:
        misused(str(error))
    if as_json:
        print_json(
            {
                "file": str(output),
                "format": form,
                "focus_version": FOCUS_VERSION if form == "focus" else None,
                "since": period.since,
                "until": period.until,
                "rows": written.rows,
                "cost_nanousd": written.cost_nanousd,
            }
        )
        return
    name = f"FOCUS {FOCUS_VERSION}" if form == "focus" else form
    print(
        f"{plain(str(output))}: {written.rows:,} rows ({name}), {format_usd(written.cost_nanousd)}, {period.text}"
    )
