"""Small graphs and chains, and what was booked for them."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
from __future__ import annotations

from typing import Any, TypedDict

from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph

from spendgraph import Meter


class State(TypedDict):
    """What the graphs pass along."""

    n: int


def rows(meter: Meter) -> list[dict[str, Any]]:
    """The booked steps."""
    return list(meter.ledger.steps())


def chain_of(function: Any) -> Any:
    """A chain of one function."""
    return RunnableLambda(function)


def graph_of(node: Any, checkpointer: Any = None, *, context_schema: Any = None, **options: Any) -> Any:
    """A graph without a name, with one node called `work`; the options are the node's."""
    builder = StateGraph(State, context_schema)
    builder.add_node("work", node, **options)
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder.compile(checkpointer=checkpointer)
