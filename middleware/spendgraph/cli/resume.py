"""`spendgraph resume`: go on with a graph's thread after a decision, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Annotated, Any, cast

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
from spendgraph.cli.output import plain, print_json

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
    as_json: JsonOption = False,
) -> None:
    """Go on with a thread that was paused or refused; what is finished is not paid for again."""
    from spendgraph import Meter, Refusal

    existing(ledger)
    graph = _graph(target)
    if getattr(graph, "checkpointer", None) is None:
        misused(f"{target} has no checkpointer: there is nothing to go on from")
    refusal = None
    waiting: list[Any] = []
    with Meter(ledger, policy=policy_path(policy)) as meter:
        config: Any = meter.config(thread_id=thread)
        going_on = _resumed(graph, config) if asynchronous else None
        try:
            if going_on is not None:
                state, result = asyncio.run(going_on)
            else:
                state = graph.get_state(config)
                result = graph.invoke(None, config) if state.next else None
        except Refusal as error:
            refusal = error
        else:
            if not state.next:
                had = "has finished already" if state.values else f"has no checkpoint of {target}"
                misused(f"the thread {thread!r} {had}: there is nothing to go on with")
            waiting = (
                cast("dict[str, Any]", result).get("__interrupt__", []) if isinstance(result, dict) else []
            )
    status = "refused" if refusal is not None else "waiting" if waiting else "finished"
    if as_json:
        ids = sorted({each.id for each in waiting})
        print_json({"thread": thread, "status": status, "reason": str(refusal or ""), "approvals": ids})
    elif refusal is not None:
        print(f"spendgraph: {refusal}", file=sys.stderr)
    elif waiting:
        print(f"The thread {plain(thread)} waits again: `spendgraph approvals` shows for what.")
    else:
        print(f"The thread {plain(thread)} has finished.")
    if status != "finished":
        raise typer.Exit(1)


async def _resumed(graph: Any, config: Any) -> tuple[Any, Any]:
    """Where a graph of coroutines stood, and what came of going on from there."""
    state = await graph.aget_state(config)
    return state, await graph.ainvoke(None, config) if state.next else None


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
