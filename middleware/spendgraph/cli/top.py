"""`spendgraph top`: who spends what, by any tags, live or once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, microseconds_of, misused
from spendgraph.cli.output import amounts, console, plain, print_json
from spendgraph.cli.tables import counted
from spendgraph.clock import from_us, utc_us

if TYPE_CHECKING:
    from rich.table import Table

    from spendgraph.ledger.reader import LedgerReader

Rows = Sequence[Mapping[str, Any]]

REFRESH_SECONDS = 2.0
SUMS = (
    "cost_nanousd",
    "saved_nanousd",
    "unattributed_nanousd",
    "not_reported_nanousd",
    "tasks",
    "steps",
    "unpriced_steps",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("top")(top)


def top(
    ledger: LedgerOption = DEFAULT_LEDGER,
    by: Annotated[
        str,
        typer.Option("--by", help="What to group by: tags, node, model, kind, hour, day, extra.<key>, ..."),
    ] = "feature,tenant",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="Only steps started in the last 15m, 24h, 7d ..."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", "-w", metavar="NAME=VALUE", help="Only steps with this value; repeat for more."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows to show.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show who spends what: live, or `--once`."""
    from spendgraph.ledger import Ledger

    names = [name.strip() for name in by.split(",") if name.strip()]
    length_us = None if since is None else microseconds_of(since)
    filters = _filters(where)
    with Ledger.open_readonly(ledger) as reader:
        rows, total = _ask(reader, names, length_us, filters)
        if as_json:
            print_json({"by": names, "since": since, "rows": [*rows], "total": total})
            return
        out = console()
        if once or not out.is_terminal:
            out.print(table(rows, total, names, limit, since))
            return
        from rich.live import Live

        with Live(
            table(rows, total, names, limit, since), console=out, auto_refresh=False, screen=True
        ) as live:
            while True:
                time.sleep(REFRESH_SECONDS)
                rows, total = _ask(reader, names, length_us, filters)
                live.update(table(rows, total, names, limit, since), refresh=True)


def _filters(where: list[str] | None) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for condition in where or []:
        name, equals, value = condition.partition("=")
        if not equals or not name or name in ("by", "since", "until"):
            misused(f"expected --where NAME=VALUE with the name of a tag or column, found {condition!r}")
        filters.setdefault(name, []).append(value)
    return filters


def _ask(
    reader: LedgerReader, names: list[str], length_us: int | None, filters: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows, and the sum over everything (tasks cannot be added up: one can be in several rows)."""
    start = None if length_us is None else utc_us() - length_us
    try:
        total = reader.spend(since=start, **filters)
        return reader.spend(names, since=start, **filters), total[0] if total else dict.fromkeys(SUMS, 0)
    except ValueError as error:
        misused(str(error))


def table(rows: Rows, total: Mapping[str, Any], names: list[str], limit: int, since: str | None) -> Table:
    """The rows as a table: dollars, their share, and what should be looked at."""
    from rich.table import Table

    shown, rest = rows[:limit], rows[limit:]
    dollars = amounts([row["cost_nanousd"] for row in shown] + [total["cost_nanousd"]])
    drawn = Table(
        title=f"Spend {f'of the last {since}' if since else 'of all time'} at {from_us(utc_us()):%Y-%m-%d %H:%M:%S}Z",
        caption=_caption(total, len(rest)),
        show_footer=True,
        caption_justify="left",
    )
    for position, name in enumerate(names):
        drawn.add_column(name, footer="" if position else "total", overflow="fold")
    for heading, footer in (
        ("cost", dollars[-1]),
        ("share", ""),
        ("tasks", f"{total['tasks']:,}"),
        ("steps", f"{total['steps']:,}"),
        ("tokens in", f"{total['input_tokens']:,}"),
        ("out", f"{total['output_tokens']:,}"),
    ):
        drawn.add_column(heading, footer=footer, justify="right", no_wrap=True)
    for row, cost in zip(shown, dollars, strict=False):
        tags = [plain(str(row[name])) if row[name] not in ("", None) else "-" for name in names]
        counts = (f"{row[key]:,}" for key in ("tasks", "steps", "input_tokens", "output_tokens"))
        drawn.add_row(*tags, cost, share(row["cost_nanousd"], total["cost_nanousd"]), *counts)
    return drawn


def _caption(total: Mapping[str, Any], hidden: int) -> str:
    parts = [f"{hidden} more {'row' if hidden == 1 else 'rows'}: --limit shows them"] if hidden else []
    parts.append(f"unattributed {share(total['unattributed_nanousd'], total['cost_nanousd'])}")
    parts.append(f"estimated {share(total['not_reported_nanousd'], total['cost_nanousd'])}")
    if total["unpriced_steps"]:
        parts.append(f"{counted(total['unpriced_steps'], 'step')} WITHOUT A PRICE, counted as 0")
    return "; ".join(parts)


def share(part: int, whole: int) -> str:
    """A part in percent of the whole."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"
