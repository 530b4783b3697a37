"""`spendgraph top`: who spends what, by any tags, live or once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, microseconds_of, misused
from spendgraph.cli.output import amounts, console, plain, print_json
from spendgraph.cli.tables import Column, counted, laid_out
from spendgraph.clock import from_us, utc_us

if TYPE_CHECKING:
    from rich.console import Group

    from spendgraph.ledger.reader import LedgerReader

Rows = Sequence[Mapping[str, Any]]

REFRESH_SECONDS = 2.0
_NUMBERS = ("cost", "share", "tasks", "steps", "tokens in", "tokens out")
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
            out.print(screen(rows, total, names, limit, since, out.width))
            return
        from rich.live import Live

        with Live(
            screen(rows, total, names, limit, since, out.width), console=out, auto_refresh=False, screen=True
        ) as live:
            while True:
                time.sleep(REFRESH_SECONDS)
                rows, total = _ask(reader, names, length_us, filters)
                live.update(screen(rows, total, names, limit, since, out.width), refresh=True)


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


def screen(
    rows: Rows, total: Mapping[str, Any], names: list[str], limit: int, since: str | None, width: int
) -> Group:
    """What is spent in all, what should be looked at, and the rows: dollars and their share, the total last.

    The first lines stay where they are when a live table is longer than the screen.
    """
    from rich.console import Group
    from rich.text import Text

    shown, rest = rows[:limit], rows[limit:]
    *dollars, all_of_it = amounts([row["cost_nanousd"] for row in shown] + [total["cost_nanousd"]])
    columns = [Column(name, may_fold=True) for name in names] + [
        Column(name, is_number=True) for name in _NUMBERS
    ]
    texts = [
        [*_tags(row, names), cost, share(row["cost_nanousd"], total["cost_nanousd"]), *_counts(row)]
        for row, cost in zip(shown, dollars, strict=True)
    ]
    tags = ["total", *[""] * (len(names) - 1)] if names else []
    made = laid_out(columns, texts, width, [*tags, all_of_it, "", *_counts(total)])
    period = f"of the last {since}" if since else "of all time"
    head = Text(f"Spend {period} at {from_us(utc_us()):%Y-%m-%d %H:%M:%S}Z: {all_of_it}", style="bold")
    body = Text(made) if isinstance(made, str) else made
    return Group(head, Text(_remarks(total, len(rest))), "", body)


def _tags(row: Mapping[str, Any], names: list[str]) -> list[str]:
    return [plain(str(row[name])) if row[name] not in ("", None) else "-" for name in names]


def _counts(row: Mapping[str, Any]) -> list[str]:
    return [f"{row[key]:,}" for key in ("tasks", "steps", "input_tokens", "output_tokens")]


def _remarks(total: Mapping[str, Any], hidden: int) -> str:
    parts = [f"{hidden} more {'row' if hidden == 1 else 'rows'}: --limit shows them"] if hidden else []
    parts.append(f"unattributed {share(total['unattributed_nanousd'], total['cost_nanousd'])}")
    parts.append(f"estimated {share(total['not_reported_nanousd'], total['cost_nanousd'])}")
    if total["unpriced_steps"]:
        parts.append(f"{counted(total['unpriced_steps'], 'step')} WITHOUT A PRICE, counted as 0")
    return "; ".join(parts)


def share(part: int, whole: int) -> str:
    """A part in percent of the whole."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"
