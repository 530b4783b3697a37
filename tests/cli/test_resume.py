"""`spendgraph resume`: somebody's module is imported, and whatever is wrong with it is one line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from cli.kit import Cli
from spendgraph import Meter

GRAPH = """
import asyncio, sqlite3, sys
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

class OfALoop(InMemorySaver):
    # Like AsyncSqliteSaver: made where a loop runs; its checkpoints are there for the next one.
    kept = None
    def __init__(self):
        super().__init__()
        self.loop = asyncio.get_running_loop()
        if OfALoop.kept is not None:
            self.storage, self.writes, self.blobs = OfALoop.kept
        OfALoop.kept = self.storage, self.writes, self.blobs

class State(TypedDict):
    n: int

def node(state): return {"n": 1}
async def anode(state): return {"n": 1}

def build(saver, node=node):
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile(checkpointer=saver, interrupt_before=["node"])

"""

WRONG = {
    "raises": ("raise ValueError('no key\\nhere')", (), "cannot be imported: ValueError: no key here"),
    "exits": ("import sys\nsys.exit(3)", (), "ends the program with 3 when it is imported"),
    "syntax": ("def graph(:", (), "cannot be imported: SyntaxError: invalid syntax"),
    "name": ("grph = 1", (), "has no attribute 'graph'"),
    "arguments": (
        "def graph(tenant, *more, thread='1', **options): pass",
        (),
        "to be a graph or a function without arguments; it needs tenant",
    ),
    "function raises": ("def graph(): raise OSError('gone')", (), "graph() raised OSError: gone"),
    "coroutine": ("async def graph(): pass", (), "or a function that returns one, found coroutine"),
    "no graph": ("graph = 5", (), "to be a compiled graph or a function that returns one, found int"),
    "no checkpointer": (GRAPH + "graph = build(None)", (), "has no checkpointer"),
    "a checkpointer that is not asynchronous": (
        GRAPH + "graph = build(SqliteSaver(sqlite3.connect(':memory:')))",
        ("--async",),
        "leave --async out",
    ),
    "nodes that are": (
        GRAPH
        + "graph = build(InMemorySaver(), anode)\nasyncio.run(graph.ainvoke({'n': 0}, {'configurable': {'thread_id': '42'}}))",
        (),
        "give --async",
    ),
    "a checkpointer that is": (
        GRAPH + "def graph(): return build(OfALoop())",
        (),
        "with --async it is called on one",
    ),
    "one of a loop that is over": (
        GRAPH + "async def make(): return build(OfALoop())\ngraph = asyncio.run(make())",
        (),
        "is of an event loop: give --async",
    ),
}


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger; nothing waits in it."""
    Meter(tmp_path / "b.db").close()
    return tmp_path / "b.db"


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_resumed_is_one_line(cli: Cli, books: Path, what: str) -> None:
    """With exit code 2 and what was expected; no traceback."""
    text, options, message = WRONG[what]
    name = f"resumed_{list(WRONG).index(what)}"
    (books.parent / f"{name}.py").write_text(text)
    said = cli("resume", f"{name}:graph", "--thread", "42", "--ledger", books, *options)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert said.err.count("\n") == 1


def test_the_module_does_not_see_the_commands_arguments(
    cli: Cli, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that parses its own would take them for its own."""
    arguments = ["spendgraph", "resume", "--thread", "42"]
    monkeypatch.setattr(sys, "argv", arguments)
    (books.parent / "resumed_argv.py").write_text("import sys\nraise ValueError(sys.argv)")
    said = cli("resume", "resumed_argv:graph", "--thread", "42", "--ledger", books)
    assert "ValueError: ['resumed_argv']" in said.err
    assert sys.argv is arguments


def test_a_graph_may_be_made_on_the_loop(cli: Cli, books: Path) -> None:
    """Where its checkpointer belongs to one: the function is called there."""
    (books.parent / "resumed_loop.py").write_text(
        GRAPH + "def graph(): return build(OfALoop(), anode)\n"
        "async def start():\n"
        "    await graph().ainvoke({'n': 0}, {'configurable': {'thread_id': '42'}})\n"
    )
    sys.path.insert(0, "")
    try:
        import resumed_loop  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

        asyncio.run(resumed_loop.start())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    finally:
        sys.path.remove("")
    said = cli("resume", "resumed_loop:graph", "--thread", "42", "--async", "--ledger", books)
    assert (said.code, said.out) == (0, "The thread 42 has finished.\n")
