"""`spendgraph resume`: go on with a graph's thread after a decision, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, LedgerOption, PolicyOption, misused, policy_path

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:GRAPH", help="Where the compiled graph is, or a function that returns it."
    ),
]
ThreadOption = Annotated[str, typer.Option("--thread", help="The thread to go on with.")]
AsyncOption = Annotated[bool, typer.Option("--async", help="The graph's nodes are coroutines.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("resume")(resume)


def resume(
    target: TargetArgument,
    thread: ThreadOption,
    ledger: LedgerOption = DEFAULT_LEDGER,
    policy: PolicyOption = None,
    asynchronous: AsyncOption = False,
) -> None:
    """Go on with a thread that was paused or refused; what is finished is not paid for again."""
    from spendgraph import Meter, Refusal

    graph = _graph(target)
    if getattr(graph, "checkpointer", None) is None:
        misused(f"{target} has no checkpointer: there is nothing to go on from")
    with Meter(ledger, policy=policy_path(policy)) as meter:
        config: Any = meter.config(thread_id=thread)
        try:
            result = asyncio.run(graph.ainvoke(None, config)) if asynchronous else graph.invoke(None, config)
        except Refusal as refusal:
            print(f"spendgraph: {refusal}", file=sys.stderr)
            raise typer.Exit(1) from None
    waiting = result.get("__interrupt__") if isinstance(result, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if waiting:
        print(f"The thread {thread} waits again: `spendgraph approvals` shows for what.")
        raise typer.Exit(1)
    print(f"The thread {thread} has finished.")


def _graph(target: str) -> Any:
    """The graph at `module:name`; anything else ends with exit code 2."""
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        misused(f"expected MODULE:GRAPH such as agent:graph, found {target!r}")
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")
    try:
        found: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        misused(f"{target} cannot be imported: {error}")
    return found() if callable(found) and not hasattr(found, "invoke") else found
