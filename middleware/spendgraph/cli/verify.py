"""`spendgraph verify`: recompute what a ledger says of itself, and name every row that does not fit."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption
from spendgraph.cli.output import console, plain, print_json
from spendgraph.cli.tables import counted

if TYPE_CHECKING:
    from spendgraph.ledger import LedgerReader, Problem


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(ledger: LedgerOption = DEFAULT_LEDGER, as_json: JsonOption = False) -> None:
    """Recompute the ledger; name every row that does not fit."""
    from spendgraph.ledger import Ledger

    with Ledger.open_readonly(ledger) as reader:
        problems = _checked(reader)
        total = (reader.spend() or [{"steps": 0, "cost_nanousd": 0}])[0]
    if as_json:
        print_json(
            {
                "ledger": str(ledger),
                "sound": not problems,
                "steps": total["steps"],
                "cost_nanousd": total["cost_nanousd"],
                "problems": [asdict(problem) for problem in problems],
            }
        )
    elif problems:
        for problem in problems:
            print(f"{problem.check}: {plain(problem.subject)}: {plain(problem.message)}")
        print(
            f"{plain(str(ledger))}: {counted(len(problems), 'problem')} in {counted(total['steps'], 'step')}. Nothing was changed."
        )
    else:
        print(f"{plain(str(ledger))} is sound: {counted(total['steps'], 'step')} checked.")
    raise typer.Exit(1 if problems else 0)


def _checked(reader: LedgerReader) -> list[Problem]:
    """The problems, with a progress bar where somebody watches."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        return reader.verify()
    from rich.progress import Progress

    with Progress(console=shown, transient=True) as bar:
        line = bar.add_task("checking", total=None)

        def progress(check: str, done: int, total: int) -> None:
            bar.update(line, description=check or "done", completed=done, total=total)

        return reader.verify(progress)
