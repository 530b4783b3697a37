"""A graph that pays, asks a person and pays again; run as a process of its own, it resumes a thread.

Arguments of the process: the provider's address, the account, the ledger's and the checkpoints' files, the way
the meter is attached, and the thread. Nothing in them says who pays.
"""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from acceptance.apps.graphs import State, line_of_nodes
from acceptance.kit import Kit
from provider import POLICY
from spendgraph import Meter
from spendgraph.policy import parse_policy


def flow(kit: Kit, checkpointer: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph: one paid node before the question, and one that is paid again when it is answered."""
    model = kit.openai()

    def before(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("before")).text]}

    def question(state: State) -> Any:
        model.invoke(kit.ask("asking"))
        answer = interrupt("go on?")
        return {"notes": [str(answer), model.invoke(kit.ask("after")).text]}

    return line_of_nodes(checkpointer, before=before, question=question)


def resume(url: str, account: str, ledger: str, checkpoints: str, way: str, thread: str) -> None:
    """Resume a thread with nothing but its id."""
    with (
        Meter(Path(ledger), policy=parse_policy(POLICY)) as meter,
        SqliteSaver.from_conn_string(checkpoints) as saver,
    ):
        graph = flow(Kit(url, account), saver)
        if way == "install":
            meter.install(threads=True)
            graph.invoke(Command(resume="yes"), {"configurable": {"thread_id": thread}})
        else:
            graph.invoke(Command(resume="yes"), meter.config(thread_id=thread))


if __name__ == "__main__":
    resume(*sys.argv[1:])
