"""`spendgraph report notebook NAME`: runs a notebook on a ledger and writes what it shows as a page."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, misused, policy_path
from spendgraph.cli.output import plain, print_json
from spendgraph_reports.cli.offering import TimezoneOption, WhosePolicyOption, opened, period_of
from spendgraph_reports.errors import ReportsUnavailable

_NEEDED: Final = ("matplotlib", "nbclient", "nbformat", "ipykernel", "mistune")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("notebook")(notebook)


def notebook(
    name: Annotated[str, typer.Argument(help="anomaly_review, forecast, spend_explorer or unit_economics.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write; it is replaced whole.")],
    ledger: LedgerOption = DEFAULT_LEDGER,
    month: Annotated[
        str | None,
        typer.Option(
            "--month",
            "-m",
            help="A month such as 2026-08; when no period is given, the last in which something was booked.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day, instead of a month.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="The day that is not in it any more; now, when not given."),
    ] = None,
    timezone: TimezoneOption = "UTC",
    policy: WhosePolicyOption = None,
    code: Annotated[bool, typer.Option("--code", help="Show the notebook's code too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a notebook on a ledger, in a process of its own, and write what it shows as one HTML page."""
    with opened(ledger, timezone, policy) as books:
        if missing := [each for each in _NEEDED if find_spec(each) is None]:
            raise ReportsUnavailable(
                f"notebooks need {', '.join(missing)}, which is not installed: pip install 'spendgraph[analytics]'"
            )
        from spendgraph_reports.months import named
        from spendgraph_reports.notebooks import last_month, run, source, to_page
        from spendgraph_reports.rendering import write_page

        try:
            given = month is not None or since is not None or until is not None
            period = period_of(books, month, since, until) if given else last_month(books)
        except ValueError as error:
            misused(str(error))
        rules = policy_path(policy)
        parameters = {
            "ledger": books.reader.place.name,
            "since": period.since or "",
            "until": period.until or "",
            "timezone": timezone,
            "policy": "" if rules is None else str(rules.absolute()),
        }
        when = f"{named(period, timezone)} ({timezone})"
        made = run(source(name), parameters)
        foot = {"notebook": name, "period": period.text, "time zone": timezone}
        write_page(to_page(made, when=when, code=code, foot=foot), output, ledger)
    if as_json:
        print_json({"file": str(output), "notebook": name, "since": period.since, "until": period.until})
        return
    print(f"{plain(str(output))}: {name}, {when}")
