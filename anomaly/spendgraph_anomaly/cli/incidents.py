"""`spendgraph incidents`: what the watch has found, and saying what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.approvals import WhyOption
from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    existing,
    microseconds_of,
    misused,
)
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.tables import Column, show, when

if TYPE_CHECKING:
    from pathlib import Path

    from spendgraph.ledger import LedgerReader
    from spendgraph.ledger.incidents import Mute, Verdict

AllOption = Annotated[bool, typer.Option("--all", help="Those that ended more than a week ago, too.")]
IdArgument = Annotated[str, typer.Argument(help="The incident's id, or enough of its beginning.")]
ByOption = Annotated[str, typer.Option("--by", help="Who says it.")]

_WEEK_US = 7 * 86_400_000_000

commands = typer.Typer(
    help="List what the watch has found, and say what it was.", invoke_without_command=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="incidents")


@commands.callback()
def incidents(
    context: typer.Context,
    ledger: LedgerOption = DEFAULT_LEDGER,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what stood out, what it cost beyond what is usual, and what was said of it."""
    if context.invoked_subcommand is not None:
        return
    from spendgraph.clock import utc_us
    from spendgraph.ledger import Ledger

    since_us = None if every else utc_us() - _WEEK_US
    with Ledger.open_readonly(ledger) as reader:
        rows = reader.watched.incidents(since_us=since_us)
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows)
    else:
        print(f"No incident {'ever' if every else 'within a week'} in {plain(str(ledger))}.")


@commands.command("show")
def show_one(
    incident: IdArgument, ledger: LedgerOption = DEFAULT_LEDGER, as_json: JsonOption = False
) -> None:
    """Show one incident with what explains it and everything that was said of it."""
    from spendgraph.ledger import Ledger

    with Ledger.open_readonly(ledger) as reader:
        row = _found(reader, incident)
        said = reader.watched.verdicts(row["incident_id"])
    if as_json:
        print_json({**row, "verdicts": said})
        return
    _show([row])
    for sentence in row["explanation"].get("sentences", []):
        print(plain(sentence))
    for each in said:
        print(
            f"{when(each['said_us'])}: {each['verdict']}, by {plain(each['said_by'])}: {plain(each['why'])}"
        )


@commands.command()
def real(
    incident: IdArgument,
    by: ByOption,
    why: WhyOption,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Say that it was a real problem; what was muted of its scope is told again."""
    _say(ledger, incident, "real", by, why, as_json=as_json)


@commands.command()
def expected(
    incident: IdArgument,
    by: ByOption,
    why: WhyOption,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DATE",
            help="Mute its scope until this day; else in the same hours of the week.",
        ),
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", envvar="SPENDGRAPH_TIMEZONE", help="Whose hours and days are meant.")
    ] = "UTC",
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Say that it was meant: for 90 days nobody is told of up to twice as much in the same hours of the week."""
    from spendgraph.clock import utc_us
    from spendgraph_anomaly.watching import expected_mute
    from spendgraph_reports.period import Period

    now_us = utc_us()
    try:
        until_us = Period.between(None, until, timezone).until_us
    except ValueError as error:
        misused(str(error))
    if until_us is not None and until_us <= now_us:
        misused(f"expected a day to come in --until, found {until!r}")

    def learnt(row: dict[str, Any]) -> Mute:
        return expected_mute(row, timezone, now_us, until_us=until_us)

    _say(ledger, incident, "expected", by, why, learnt, as_json=as_json)


@commands.command()
def noise(
    incident: IdArgument,
    by: ByOption,
    why: WhyOption,
    for_: Annotated[str, typer.Option("--for", help="How long its like is muted, such as 14d.")] = "30d",
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Say that it was nothing: nobody is told of as much again, and half of that, in its scope for a while."""
    from spendgraph.clock import utc_us
    from spendgraph_anomaly.watching import noise_mute

    for_us, now_us = microseconds_of(for_), utc_us()
    _say(ledger, incident, "noise", by, why, lambda row: noise_mute(row, now_us, for_us), as_json=as_json)


@commands.command()
def mutes(ledger: LedgerOption = DEFAULT_LEDGER, as_json: JsonOption = False) -> None:
    """Show of what nobody is told, and for which word."""
    from spendgraph.clock import utc_us
    from spendgraph.ledger import Ledger
    from spendgraph_reports.amounts import dollars

    with Ledger.open_readonly(ledger) as reader:
        rows = reader.watched.mutes(utc_us())
    if as_json:
        print_json([{**row._asdict(), "mute": row.mute._asdict()} for row in rows])
        return
    if not rows:
        print(f"Nothing is muted in {plain(str(ledger))}.")
        return
    names = ("watch", "scope", "up to", "until", "hours", "said", "by", "why")
    show(
        [Column(name, name == "up to", name in {"watch", "by", "why"}) for name in names],
        [
            [
                plain(row.watch),
                plain(row.scope) or "all",
                dollars(row.mute.below_nanousd),
                when(row.mute.until_us),
                f"{len(row.mute.hours)} of the week" if row.mute.hours else "any",
                row.verdict,
                plain(row.said_by),
                plain(row.why),
            ]
            for row in rows
        ],
    )


def _say(
    ledger: Path,
    named: str,
    verdict: Verdict,
    by: str,
    why: str,
    learn: Callable[[dict[str, Any]], Mute] | None = None,
    *,
    as_json: bool,
) -> None:
    from spendgraph.ledger import Ledger

    if not by.strip() or not why.strip():
        misused("expected --by and --why with a name and a reason: both are kept with the incident")
    with Ledger.open(existing(ledger)) as books:
        row = _found(books, named)
        mute = None if learn is None else learn(row)
        number = books.watch_book.say(row["incident_id"], verdict, by=by, why=why, mute=mute)
    if as_json:
        learnt = None if mute is None else mute._asdict()
        print_json(
            {"incident_id": row["incident_id"], "verdict": verdict, "verdict_id": number, "mute": learnt}
        )
        return
    print(f"{row['incident_id']} is {verdict}, by {plain(by)}.{_learnt(mute)}")


def _learnt(mute: Mute | None) -> str:
    from spendgraph_reports.amounts import dollars

    if mute is None:
        return ""
    hours = " in these hours of the week" if mute.hours else ""
    return f" Nobody is told of up to {dollars(mute.below_nanousd)}{hours} until {when(mute.until_us)}."


def _found(reader: LedgerReader, named: str) -> dict[str, Any]:
    """The incident whose id begins so; none or several end with exit code 2."""
    rows = reader.watched.incidents(named=named) if named else []
    if len(rows) != 1:
        what = "none" if not rows else f"{len(rows)}: give more of it"
        misused(
            f"expected the id of an incident, or enough of its beginning, found {named!r}, which is that of {what}"
        )
    return rows[0]


def _show(rows: list[dict[str, Any]]) -> None:
    names = (
        "incident",
        "watch",
        "scope",
        "kind",
        "severity",
        "excess",
        "from",
        "until",
        "stopped",
        "said",
        "by",
    )
    folded = {"watch", "by"}
    show([Column(name, name == "excess", name in folded) for name in names], [*map(_row, rows)])


def _row(row: dict[str, Any]) -> list[str]:
    from spendgraph_reports.amounts import dollars

    return [
        row["incident_id"],
        plain(row["watch"]),
        plain(row["scope"]) or "all",
        plain(row["kind"]),
        row["severity"],
        dollars(row["excess_nanousd"]),
        when(row["start_us"]),
        when(row["end_us"]) or "goes on",
        when(row["suspended_us"]),
        row["verdict"] or ("muted" if row["muted_by"] else ""),
        plain(row["said_by"]),
    ]
