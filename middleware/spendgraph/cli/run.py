"""`spendgraph run`: a program that nobody wants to edit, under a context.

It runs in this process, as `python SCRIPT` would run it, with a meter installed for every run and thread. What the
program prints is its own; the summary is one line on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli import script
from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    LedgerOption,
    PolicyOption,
    TagOption,
    context_of,
    misused,
    policy_path,
)
from spendgraph.cli.output import plain, say
from spendgraph.cli.tables import counted
from spendgraph.cli.task import walk
from spendgraph.money import format_usd

if TYPE_CHECKING:
    from spendgraph import Refusal
    from spendgraph.context import CostContext
    from spendgraph.ledger.reader import LedgerReader


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program did, in numbers.

    Attributes:
        exit_code: Its exit code.
        task_id: The task all of it was booked under.
        ledger: The ledger.
        cost_nanousd: What it cost.
        steps: How many steps were booked.
        unattributed_steps: How many of them lack tags.
        unpriced_steps: How many of them have no price and count as 0.
        refused_calls: How many calls were refused before they were sent.
    """

    exit_code: int
    task_id: str
    ledger: str
    cost_nanousd: int = 0
    steps: int = 0
    unattributed_steps: int = 0
    unpriced_steps: int = 0
    refused_calls: int = 0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", context_settings=script.PASS_ON)(run)


def run(
    target: Annotated[str, typer.Argument(metavar="SCRIPT", help="The script, or with -m the module.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[ARGS]...", help="Its arguments.")] = None,
    module: Annotated[bool, typer.Option("-m", help="Run a module, as `python -m` does.")] = False,
    ledger: LedgerOption = DEFAULT_LEDGER,
    policy: PolicyOption = None,
    tag: TagOption = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="USD", help="The most it may spend, in dollars.")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="The summary as one line of JSON, on stderr: stdout is the script's."),
    ] = False,
) -> None:
    """Run a script under a context, without an edit.

    The script's exit code is passed on; the summary is one line on stderr.
    """
    context = context_of(tag)
    if budget is not None:
        _check_budget(budget)
    script.find(target, module=module)
    outcome = run_metered(
        target, arguments or [], module=module, ledger=ledger, policy=policy, context=context, budget=budget
    )
    if as_json:
        print(json.dumps(asdict(outcome)), file=sys.stderr)
    else:
        say(summary(outcome))
    raise typer.Exit(outcome.exit_code)


def _check_budget(budget: str) -> None:
    from spendgraph.money import nanousd

    try:
        nanousd(budget, name="--budget")
    except ValueError as error:
        misused(str(error))


def run_metered(
    target: str,
    arguments: list[str],
    *,
    module: bool,
    ledger: Path,
    policy: Path | None,
    context: CostContext,
    budget: str | None = None,
) -> Outcome:
    """Run a program with a meter installed and everything in it booked under one task.

    Raises:
        LedgerError: The ledger cannot be used.
        PolicyError: The policy cannot be read.
    """
    from spendgraph.ledger.finding import count_refused
    from spendgraph.meter import Meter

    with Meter(ledger, policy=policy_path(policy)) as meter:
        meter.install(threads=True)
        with meter.task(context) if budget is None else meter.cap(usd=budget, context=context) as block:
            cap = "" if budget is None else f"cap={block.task_id}"
            code = script.execute(
                target, arguments, module=module, refused=lambda refusal: say(_refused(refusal, cap))
            )
            task_id = block.task_id  # a resumed thread goes on with a task of its own
        meter.flush()
        steps = _steps_below(meter.ledger, task_id)
        refused_calls = count_refused(meter.ledger, task_id)
    charges = [step for step in steps if step["entry"] == "charge"]
    return Outcome(
        exit_code=code,
        task_id=task_id,
        ledger=str(ledger),
        cost_nanousd=sum(step["cost_nanousd"] for step in steps),
        steps=len(charges),
        unattributed_steps=sum(1 for step in charges if step["missing_tags"]),
        unpriced_steps=sum(1 for step in charges if step["cost_basis"] == "unpriced"),
        refused_calls=refused_calls,
    )


def _refused(refusal: Refusal, cap: str) -> str:
    """A refusal in one line; the program's own cap is called by its option."""
    said = str(refusal)
    if cap and refusal.scope == cap:
        said = said.replace(f"budget {refusal.budget!r}", "--budget", 1)
        said = said.removesuffix(refusal.hint) + "Give a higher --budget."
    return f"{type(refusal).__name__}: {plain(' '.join(said.split()))}"


def _steps_below(reader: LedgerReader, task_id: str) -> list[Mapping[str, Any]]:
    """The rows of a task and of all tasks below it; none when nothing was booked."""
    from spendgraph.ledger.finding import find_tasks

    if task_id not in find_tasks(reader, task_id, limit=1):
        return []
    return [tree.row for tree in walk(reader.task(task_id)) if tree.kind == "step"]


def summary(outcome: Outcome) -> str:
    """The outcome in one line."""
    refused = f"{counted(outcome.refused_calls, 'call')} refused"
    if not outcome.steps:
        if outcome.refused_calls:
            return f"{refused}, nothing spent; task {outcome.task_id}, {outcome.ledger}"
        return f"nothing was booked in {outcome.ledger}: no step was seen"
    steps = counted(outcome.steps, "step")
    parts = [f"{format_usd(outcome.cost_nanousd)} in {steps}, task {outcome.task_id}, {outcome.ledger}"]
    if outcome.refused_calls:
        parts.append(refused)
    if outcome.unattributed_steps:
        parts.append(
            f"{counted(outcome.unattributed_steps, 'step')} unattributed (--tag gives them an owner)"
        )
    if outcome.unpriced_steps:
        parts.append(f"{counted(outcome.unpriced_steps, 'step')} WITHOUT A PRICE, counted as 0")
    return "; ".join(parts)
