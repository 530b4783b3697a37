"""`spendgraph rollup`: bring the sums that reports read up to date."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, misused
from spendgraph.cli.output import console, plain, print_json

Progress = Callable[[int, int], None]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rollup")(rollup)


def rollup(
    ledger: LedgerOption = DEFAULT_LEDGER,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Compare every sum with the steps too, and make what is wrong anew."),
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say how far it is.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the sums that reports read up to date; programs go on meanwhile."""
    from spendgraph.ledger import Ledger

    if rebuild and status:
        misused("expected --rebuild or --status, found both")
    expect_ledger(ledger)
    added = repaired = 0
    if status:
        with Ledger.open_readonly(ledger) as reader:
            now = reader.rollup_status()
    else:
        with Ledger.open(ledger) as books:
            with shown_progress("rolling up") as progress:
                if rebuild:
                    added, repaired = books.upkeep.rebuild(progress)
                else:
                    added = books.upkeep.roll(progress)
            now = books.rollup_status()
    if as_json:
        done = {} if status else {"added": added, "repaired": repaired}
        print_json({"ledger": str(ledger), **done, **now._asdict()})
        return
    if rebuild:
        print(f"{repaired:,} sums were wrong and are made anew." if repaired else "Every sum is right.")
    if not status:
        print(f"Added {added:,} rows of steps.")
    print(
        f"{plain(str(ledger))} is rolled up to {now.rolled_seq:,} of {now.last_seq:,} rows{_since(now.waiting_since_us)}."
    )


def _since(waiting_since_us: int | None) -> str:
    from spendgraph.clock import from_us

    if waiting_since_us is None:
        return ""
    return f"; what waits was booked from {from_us(waiting_since_us).isoformat(timespec='seconds')} on"


def expect_ledger(ledger: object) -> None:
    """Work on a ledger that is there: a path mistyped must not make one.

    Raises:
        LedgerError: There is none, or the file is something else.
    """
    from pathlib import Path

    from spendgraph.errors import LedgerError

    if isinstance(ledger, Path) and not ledger.exists():
        raise LedgerError(f"there is no ledger at {ledger}: give the path of one with --ledger")


@contextmanager
def shown_progress(what: str) -> Generator[Progress | None, None, None]:
    """A progress bar where somebody watches."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield None
        return
    from rich.progress import Progress as Bar

    with Bar(console=out, transient=True) as bar:
        line = bar.add_task(what, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(line, completed=done, total=total)

        yield progress
