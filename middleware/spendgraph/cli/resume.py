"""`spendgraph resume`: go on with a graph's thread after a decision, in a process of its own."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Generator
from contextlib import contextmanager
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

_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

_OTHER_KIND = (
    "does not support async",
    "Synchronous calls to",
    "No synchronous function provided",
    "event loop",
)
"""What LangGraph, its checkpointers and asyncio say when a graph is called synchronously that should not be, or the other way round."""


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
    refusal = None
    waiting: list[Any] = []
    with _arguments_of(target):
        found = _found(target)
        with Meter(ledger, policy=policy_path(policy)) as meter:
            config: Any = meter.config(thread_id=thread)
            try:
                if asynchronous:
                    state, result = asyncio.run(_resumed(target, found, config))
                else:
                    graph = _graph(target, found)
                    _expect_no_loop(target, graph)
                    with _one_line(target, asynchronous=False):
                        state = graph.get_state(config)
                        result = graph.invoke(None, config) if state.next else None
            except Refusal as error:
                refusal = error
            else:
                if not state.next:
                    had = "has finished already" if state.values else f"has no checkpoint of {target}"
                    misused(f"the thread {thread!r} {had}: there is nothing to go on with")
                waiting = (
                    cast("dict[str, Any]", result).get("__interrupt__", [])
                    if isinstance(result, dict)
                    else []
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


async def _resumed(target: str, found: Any, config: Any) -> tuple[Any, Any]:
    """Where a graph of coroutines stood, and what came of going on from there."""
    graph = _graph(
        target, found
    )  # made here, because an asynchronous checkpointer belongs to the loop it is made on
    with _one_line(target, asynchronous=True):
        state = await graph.aget_state(config)
        return state, await graph.ainvoke(None, config) if state.next else None


@contextmanager
def _arguments_of(target: str) -> Generator[None, None, None]:
    """The program sees no arguments: those of this command are not its own."""
    kept = sys.argv
    sys.argv = [target.partition(":")[0]]
    try:
        yield
    finally:
        sys.argv = kept


def _found(target: str) -> Any:
    """What is at `module:name`; nothing there ends with exit code 2."""
    from spendgraph.errors import SpendgraphError

    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        misused(f"expected MODULE:GRAPH such as agent:graph, found {target!r}")
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")
    try:
        return getattr(import_module(module), name)
    except SpendgraphError:
        raise
    except (ImportError, AttributeError) as error:
        misused(f"{target} cannot be imported: {_words(error)}")
    except SystemExit as error:
        misused(
            f"{target} cannot be imported: {module} ends the program with {error.code!r} when it is imported"
        )
    except Exception as error:  # noqa: BLE001 -- whatever somebody's module raises is one line here
        misused(f"{target} cannot be imported: {type(error).__name__}: {_words(error)}")


def _graph(target: str, found: Any) -> Any:
    """The graph that was found, or that the function found returns; anything else ends with exit code 2."""
    from spendgraph.errors import SpendgraphError

    if callable(found) and not hasattr(found, "invoke"):
        wanted = [
            name
            for name, parameter in inspect.signature(found).parameters.items()
            if parameter.default is parameter.empty and parameter.kind not in _ANY_NUMBER
        ]
        if wanted:
            misused(
                f"expected {target} to be a graph or a function without arguments; it needs {', '.join(wanted)}"
            )
        try:
            found = found()
        except SpendgraphError:
            raise
        except Exception as error:  # noqa: BLE001 -- as above
            advice = "; with --async it is called on one" if "no running event loop" in str(error) else ""
            misused(f"{target}() raised {type(error).__name__}: {_words(error)}{advice}")
    if not hasattr(found, "invoke"):
        if inspect.iscoroutine(found):
            found.close()
        misused(
            f"expected {target} to be a compiled graph or a function that returns one, found {type(found).__name__}"
        )
    if getattr(found, "checkpointer", None) is None:
        misused(f"{target} has no checkpointer: there is nothing to go on from")
    return found


def _expect_no_loop(target: str, graph: Any) -> None:
    """A checkpointer of an event loop that does not run would be waited for for ever."""
    loop = getattr(graph.checkpointer, "loop", None)
    if isinstance(loop, asyncio.AbstractEventLoop) and not loop.is_running():
        misused(
            f"the checkpointer of {target} is of an event loop: give --async, and a function that makes the graph"
        )


@contextmanager
def _one_line(target: str, *, asynchronous: bool) -> Generator[None, None, None]:
    """A graph or a checkpointer of the other kind ends with exit code 2; other errors of the graph are its own."""
    try:
        yield
    except (NotImplementedError, asyncio.InvalidStateError, RuntimeError, TypeError) as error:
        if not any(sign in str(error) for sign in _OTHER_KIND):
            raise
        advice = "leave --async out" if asynchronous else "give --async"
        misused(f"{target} or its checkpointer cannot be used this way ({_words(error)}): {advice}")


def _words(error: BaseException) -> str:
    """What an error says, in one line."""
    return plain(" ".join(str(error).split()))
