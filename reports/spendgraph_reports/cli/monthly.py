"""`spendgraph report monthly`: the month for finance, as a page or as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, LedgerOption, misused
from spendgraph.cli.output import plain, print_json
from spendgraph_reports.cli.offering import TimezoneOption, WhosePolicyOption, opened

if TYPE_CHECKING:
    from spendgraph_reports.monthly import Monthly
    from spendgraph_reports.monthly.month import Review

REVIEWS: Final = "spendgraph.monthly"
"""The group of entry points in which other packages name the sections that they add."""


def register(app: typer.Typer) -> None:
    """Add it."""
    app.command("monthly")(monthly)


def monthly(
    month: Annotated[
        str | None,
        typer.Option(
            "--month", "-m", help="A month such as 2026-08; the last one that is over, when not given."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; it is replaced whole.")
    ] = None,
    form: Annotated[
        Literal["html", "json"], typer.Option("--format", "-f", help="A page, or its data.")
    ] = "html",
    ledger: LedgerOption = DEFAULT_LEDGER,
    timezone: TimezoneOption = "UTC",
    policy: WhosePolicyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """The month for finance: what was spent, what moved it, cost centers, workspaces and invoices."""
    form = "json" if as_json else form
    if output is None and form == "html":
        misused("expected --output with --format html, found none")
    with opened(ledger, timezone, policy) as books:
        from spendgraph.clock import utc_us
        from spendgraph_reports.exports.replacing import replacing
        from spendgraph_reports.monthly import monthly as report
        from spendgraph_reports.monthly import monthly_document, monthly_page
        from spendgraph_reports.months import before, month_of
        from spendgraph_reports.period import Period
        from spendgraph_reports.rendering import write_page

        now_us = utc_us()
        try:
            period = (
                Period.month(month, books.zone) if month else before(month_of(now_us, books.zone), books.zone)
            )
        except ValueError as error:
            misused(str(error))
        made: Monthly = report(books, period, now_us=now_us, reviews=_reviews())
        if form == "html":
            assert output is not None
            write_page(monthly_page(made), output, ledger)
        elif output is None:
            print_json(monthly_document(made))
            return
        else:
            with replacing(output, ledger) as path:
                text = json.dumps(monthly_document(made), indent=1, ensure_ascii=False) + "\n"
                path.write_bytes(text.encode("utf-8", errors="backslashreplace"))
    print(f"{plain(str(output))}: {plain(made.title)}, {made.when}")


def _reviews() -> Mapping[str, Review]:
    """The sections that installed packages add, by name; the page says of one whose own needs are not installed that it was made without."""
    reviews: dict[str, Review] = {}
    for found in entry_points(group=REVIEWS):
        try:
            reviews[found.name] = found.load()
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("spendgraph"):
                raise
    return reviews
