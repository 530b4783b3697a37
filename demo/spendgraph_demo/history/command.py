"""`spendgraph demo --history 90d`: writes a history, checks it, and says what is in it."""

from __future__ import annotations

import shlex
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.table import Table

from spendgraph.cli.options import misused
from spendgraph.cli.output import console, print_json, say
from spendgraph.ledger import Ledger
from spendgraph.money import format_usd
from spendgraph_demo.history.parameters import Parameters, days_of
from spendgraph_demo.history.progress import Days
from spendgraph_demo.history.writing import LedgerNotEmpty, Written, write_history

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_LEDGER: Final = Path(".demo/history.db")


def run_history(
    ledger: Path | None,
    history: str,
    *,
    end: str | None,
    seed: int,
    timezone: str,
    tenants: int,
    scale: float,
    growth: float,
    as_json: bool,
) -> None:
    """Write a history and show what it is; exit code 1 where it cannot be written, 2 for what is no parameter."""
    try:
        parameters = Parameters(
            end=date.min if end is None else date.fromisoformat(end),
            days=days_of(history),
            seed=seed,
            timezone=timezone,
            tenants=tenants,
            scale=scale,
            growth=growth,
        )
    except ValueError as error:
        misused(str(error))
    parameters = _ending(parameters, end)
    path = ledger or DEFAULT_LEDGER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say(f"cannot make the directory {path.parent} for the ledger: {error.strerror}")
        raise typer.Exit(1) from error
    try:
        with Days(console(stderr=True), days=parameters.days) as screen:
            written = write_history(path, parameters, screen.written)
            screen.checking()
            with Ledger.open_readonly(path) as reader:
                problems = [str(problem) for problem in reader.verify()]
    except LedgerNotEmpty as error:
        say(f"{error}; give another path with --ledger")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        say(f"stopped; {path} holds a part of a history and can be removed")
        raise
    if as_json:
        print_json(_summary(written, problems))
    else:
        _show(console(), written, problems)
    if problems:
        raise typer.Exit(1)


def _ending(parameters: Parameters, end: str | None) -> Parameters:
    """The parameters with a day on which the history ends: the one that was given, or today."""
    from dataclasses import replace

    today = datetime.now(parameters.zone).date()
    if end is None:
        return replace(parameters, end=today)
    if parameters.end > today:
        misused(f"--end: expected {today} or earlier, found {end}: a ledger refuses entries from the future")
    return parameters


def _summary(written: Written, problems: list[str]) -> dict[str, object]:
    return {
        "ledger": str(written.ledger),
        "files": {name: str(path) for name, path in written.files.items()},
        "seconds": round(written.seconds, 3),
        "steps_per_second": round(written.document["steps"] / written.seconds),
        "problems": problems,
        **written.document,
    }


def _show(shown: Console, written: Written, problems: list[str]) -> None:
    found = written.document
    tasks = sum(found["tasks"].values())
    total = format_usd(round(found["total_nanousd"], -7))
    days = found["parameters"]["days"]
    shown.print(
        f"{days} days from {found['first_day']}: {tasks:,} tasks, {found['steps']:,} steps, {total}"
        f" in {written.seconds:.0f} s\n"
    )
    table = Table(
        title="Planted, to be found", title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False
    )
    for name, justify in (("what", "left"), ("where", "left"), ("from", "left"), ("dollars", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for event in found["planted"]:
        where = ", ".join(f"{tag}={value or 'none'}" for tag, value in event["tags"].items())
        since = event.get("from_day") or event["from"][:16].replace("T", " ")
        dollars = f"{event['nanousd'] / 1e9:,.2f}" if event["steps"] else ""
        table.add_row(event["name"], where, since, dollars)
    shown.print(table)
    if problems:
        shown.print(f"The ledger {written.ledger} has {len(problems)} problems:", style="bold red")
        for problem in problems:
            shown.print(f"  {problem}")
        return
    shown.print(f"The ledger is {written.ledger}, and every sum in it is right. Beside it:", style="bold")
    for name, path in written.files.items():
        shown.print(f"  {path}  ({name})")
    at = f"--ledger {shlex.quote(str(written.ledger))}"
    shown.print("Go on with:", style="bold")
    last = (found["until_us"] - 1) // 1_000_000
    month = datetime.fromtimestamp(last, ZoneInfo(found["parameters"]["timezone"])).strftime("%Y-%m")
    anomalies = f"anomalies --month {month} --timezone {found['parameters']['timezone']}"
    for command in ("top --once --by feature,tenant", "budgets", anomalies, "verify"):
        shown.print(f"  spendgraph {command} {at}", style="green")
