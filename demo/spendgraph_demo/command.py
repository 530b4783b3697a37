"""`spendgraph demo`: a real application on a real model, and what its ledger knows afterwards.

Everything heavy is imported by the command itself, so that the other commands stay quick.
"""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from spendgraph.cli.options import JsonOption
from spendgraph.cli.output import console, print_json, say

if TYPE_CHECKING:
    from spendgraph_demo.books import Books
    from spendgraph_demo.limits import Limits
    from spendgraph_demo.models import Models

DEFAULT_LEDGER = Path(".demo/ledger.db")
POLICY = Path(__file__).with_name("policy.yaml")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    ledger: Annotated[
        Path | None,
        typer.Option(
            "--ledger", "-l", help="The demo's ledger; runs are added to it, a history needs a new one."
        ),
    ] = None,
    scripted: Annotated[
        bool, typer.Option("--scripted", help="Scripted models instead of the language model.")
    ] = False,
    history: Annotated[
        str | None,
        typer.Option("--history", metavar="90d", help="Write so many simulated days instead of running."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="DATE", help="The first day after the history; without it, today."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of the history's chance.")] = 7,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Where the history's people work and sleep.")
    ] = "Europe/Berlin",
    tenants: Annotated[int, typer.Option("--tenants", help="The history's customers.")] = 40,
    scale: Annotated[
        float, typer.Option("--scale", help="The history's traffic; 1 is 1,600 steps a day.")
    ] = 1.0,
    growth: Annotated[
        float, typer.Option("--growth", help="What the history's traffic grows by in 30 days.")
    ] = 0.12,
    as_json: JsonOption = False,
) -> None:
    """Run a real agent and show who spent what, or write a believable history.

    The application has three features and three tenants, and runs on a small language model on this machine.
    With --history 90d, months of simulated steps are written into a new ledger, with planted surprises and with
    invoices and contracts beside it.
    """
    if history is not None:
        from spendgraph_demo.history.command import run_history

        run_history(
            ledger,
            history,
            end=end,
            seed=seed,
            timezone=timezone,
            tenants=tenants,
            scale=scale,
            growth=growth,
            as_json=as_json,
        )
        return
    _run(DEFAULT_LEDGER if ledger is None else ledger, scripted=scripted, as_json=as_json)


def _run(ledger: Path, *, scripted: bool, as_json: bool) -> None:
    """Run the application."""
    from spendgraph.clock import utc_us
    from spendgraph.meter import Meter
    from spendgraph_demo.books import read_books
    from spendgraph_demo.cases import CASES, choose_cases
    from spendgraph_demo.limits import run_into_limits
    from spendgraph_demo.models import LOG_NAME, open_models
    from spendgraph_demo.progress import Screen
    from spendgraph_demo.report import show
    from spendgraph_demo.scenario import play

    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        say(f"cannot make the directory {ledger.parent} for the ledger: {error.strerror}")
        raise typer.Exit(1) from error
    began_us, began = utc_us(), time.monotonic()
    with _quiet(), Meter(ledger, policy=POLICY) as meter:
        if not scripted:
            say("loading the language model")
        with open_models(ledger.parent, scripted=scripted) as models:
            say(models.describe())
            cases = choose_cases(models.probe_seconds)
            if len(cases) < len(CASES):
                say(f"this machine is slow or busy: {len(cases)} of {len(CASES)} cases are run")
            try:
                with _ctrl_c_ends(models), Screen(console(stderr=True), total=len(cases) + 3) as screen:
                    run = play(meter, models, screen, cases)
                    books = read_books(meter.ledger, run, since_us=began_us)
                    limits = run_into_limits(meter, models, screen)
            except models.errors as error:
                say(f"the language model failed: {error}")
                say(f"its log is {ledger.parent / LOG_NAME}; `spendgraph demo --scripted` runs without it")
                raise typer.Exit(1) from error
            except KeyboardInterrupt:
                say(f"stopped; what was spent so far is in {ledger}")
                raise
        books = replace(books, problems=[str(problem) for problem in meter.ledger.verify()])
    if as_json:
        print_json(_document(books, limits, models, ledger))
    else:
        show(console(), books, limits, ledger=ledger, seconds=time.monotonic() - began)
    if books.problems:
        raise typer.Exit(1)


@contextmanager
def _quiet() -> Generator[None]:
    """No warnings of other libraries on the screen, and no traces sent to anybody."""
    from langsmith.run_helpers import tracing_context  # pyright: ignore[reportUnknownVariableType] - bare Mapping

    with warnings.catch_warnings(), tracing_context(enabled=False):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _ctrl_c_ends(models: Models) -> Generator[None]:
    """Let Ctrl-C end the model first.

    A graph that is interrupted waits for its threads, and these for the model: without it they fail at once.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        models.stop()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _document(books: Books, limits: Limits, models: Models, ledger: Path) -> dict[str, object]:
    return {
        "model": models.chat_name,
        "is_real": models.is_real,
        "reason": models.reason,
        "ledger": str(ledger),
        "tasks": books.tasks,
        "steps": books.steps,
        "total_nanousd": books.total_nanousd,
        "unattributed_nanousd": books.unattributed_nanousd,
        "unattributed_steps": books.unattributed_steps,
        "spend": [
            {"feature": feature, "tenant": tenant, "cost_nanousd": amount}
            for (feature, tenant), amount in books.spend.items()
        ],
        "owners": [{"team": team, "cost_nanousd": amount} for team, amount in books.owners.items()],
        "task_id": books.task_id,
        "limits": asdict(limits),
        "problems": books.problems,
    }
