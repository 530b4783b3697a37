"""`spendgraph nightly`: the night's work from cron: rollups, variance, statements, and what people are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    PolicyOption,
    existing,
    misused,
    policy_path,
)
from spendgraph.cli.output import plain, print_json, say
from spendgraph.cli.rollup import shown_progress
from spendgraph.cli.telling import Teller
from spendgraph_reports.cli.offering import TimezoneOption, opened

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.budgeting import Judged
    from spendgraph_reports.nightly import Issued


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("nightly")(nightly)


def nightly(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder for the papers; it is made, private.")
    ] = Path("spendgraph-reports"),
    ledger: LedgerOption = DEFAULT_LEDGER,
    policy: PolicyOption = None,
    timezone: TimezoneOption = "UTC",
    of: Annotated[
        str, typer.Option("--of", help="Who pays: team, cost_center, tenant or another tag.")
    ] = "team",
    close_days: Annotated[
        int, typer.Option("--close-days", min=0, help="The books of a month close so many days after it.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Roll up, write the month's variance and the last closed month's statements, and tell owners what is flagged.

    Run again, it does what is left to do. Exit code 1 when rollups contradict each other or somebody was not reached.
    """
    from spendgraph.ledger import Ledger

    path = policy_path(policy)
    teller = Teller(path)
    # The writer first: it brings a ledger of an older version up to date.
    with Ledger.open(existing(ledger)) as writer, opened(ledger, timezone, path) as books:
        with shown_progress("rolling up") as progress:
            rolled = writer.upkeep.roll(progress)
        if wrong := writer.upkeep.disagreements():
            for sentence in wrong:
                say(sentence)
            say("nothing was written: `spendgraph rollup --rebuild` makes the sums anew")
            raise typer.Exit(1)
        _make_private(output)
        issued, judged, files = _papers(books, output, of, close_days)
        told = teller.tell(writer, _notices(judged))
    flagged = sum(1 for rows in judged.values() for each in rows if each.flags)
    if as_json:
        print_json(
            {
                "ledger": str(ledger),
                "rolled": rolled,
                "statements": issued._asdict() | {"file": str(issued.file)},
                "variance": [str(file) for file in files],
                "flagged": flagged,
                "alerts": None if told is None else told._asdict(),
            }
        )
    else:
        print(_summary(rolled, issued, flagged, None if told is None else (told.raised, told.delivered)))
    if told is not None and told.waiting:
        what = "alert has" if told.waiting == 1 else "alerts have"
        say(f"{told.waiting:,} {what} not reached everybody: the next night tries again (see `alert_log`)")
        raise typer.Exit(1)


def _papers(
    books: Books, folder: Path, of: str, close_days: int
) -> tuple[Issued, dict[str, list[Judged]], list[Path]]:
    """The statements of the last closed month, and the variance of it and of every month since."""
    from spendgraph.clock import utc_us
    from spendgraph_reports.budgeting import actuals, variance
    from spendgraph_reports.months import closed, month_of, months
    from spendgraph_reports.nightly import issue, last_closed, write_variance
    from spendgraph_reports.period import Period

    now_us = utc_us()
    last = last_closed(now_us, books.zone, close_days)
    since, until = closed(last)[0], closed(month_of(now_us, books.zone))[1]
    judged: dict[str, list[Judged]] = {}
    files: list[Path] = []
    with shown_progress("writing the papers") as progress:
        spans = months(Period(since, until), books.zone)
        for at, (name, month) in enumerate(spans):
            judged[name] = actuals(books, month, now_us=now_us)
            files.append(write_variance(books, folder, variance(books, month, now_us=now_us)))
            if progress is not None:
                progress(at + 1, len(spans) + 1)
        try:
            issued = issue(books, folder, last, of=of, close_days=close_days)
        except ValueError as error:
            misused(str(error))
    return issued, judged, files


def _notices(judged: dict[str, list[Judged]]) -> list[dict[str, Any]]:
    """What owners are told of months."""
    from spendgraph_reports.nightly import notices

    return [notice._asdict() for month, rows in judged.items() for notice in notices(rows, month)]


def _make_private(folder: Path) -> None:
    """Make the folder where there is none; only its owner may look into it."""
    from spendgraph_reports.errors import ExportError

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"cannot make the folder {folder}: {error.strerror or error}; give another with --output"
        ) from error


def _summary(rolled: int, issued: Issued, flagged: int, alerts: tuple[int, int] | None) -> str:
    """The night in a line; of alerts, how many were raised and how many got there."""
    from spendgraph_reports.amounts import counted, dollars

    version = f", version {issued.version}" if issued.version > 1 else ""
    told = (
        "nobody to tell"
        if alerts is None
        else f"{counted(alerts[0], 'alert')} raised, {alerts[1]:,} delivered"
    )
    return (
        f"{counted(rolled, 'row')} rolled up; statements of {issued.month} ({dollars(issued.cost_nanousd)}) {issued.state}:"
        f" {plain(str(issued.file))}{version}; {counted(flagged, 'budget row')} flagged; {told}."
    )
