"""Graphs whose calls do not all fit a budget that asks a person for more."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from budgets.fanout import PRICES, State
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.ledger.approvals import Decided, Decision
from spendgraph.policy import Policy, parse_policy

APPROVE: dict[str, Any] = {"decisions": [{"type": "approve"}]}
REJECT: dict[str, Any] = {"decisions": [{"type": "reject", "message": "not this month"}]}


def asks(calls: int = 2, *, more: str = "", budget: str = "", usd: str = "0.0075") -> Policy:
    """So many calls, of three quarters of a cent by default, fit; for more a person is asked."""
    limit = Decimal(usd) * calls
    return parse_policy(
        f"{PRICES.replace('0.0075', usd)}\nbudgets:\n  - {{name: cap, owner: growth, per: tenant, limit_usd: '{limit}',"
        f" thresholds: [{{at: 100%, do: approve}}]{budget}}}\n{more}"
    )


def edit(amount: object) -> dict[str, Any]:
    """An answer that grants another amount."""
    action = {"name": "spend", "args": {"amount": amount}}
    return {"decisions": [{"type": "edit", "edited_action": action}]}


def branching(model: ScriptedModel, branches: int, saver: Any) -> Any:
    """One paid call in each of so many parallel branches."""

    def call(_: State) -> dict[str, list[str]]:
        return {"answers": [str(model.invoke("hi").content)]}

    async def acall(_: State) -> dict[str, list[str]]:
        return {"answers": [str((await model.ainvoke("hi")).content)]}

    builder: Any = StateGraph(State)
    builder.add_node("call", RunnableLambda(call, acall))
    sends = [Send("call", {"answers": []})] * branches
    builder.add_conditional_edges(START, lambda _: sends, ["call"])  # pyright: ignore[reportUnknownLambdaType]
    builder.add_edge("call", END)
    return builder.compile(checkpointer=saver)


def line(saver: Any, *nodes: Callable[[State], Any]) -> Any:
    """Nodes one after the other."""
    builder: Any = StateGraph(State)
    before = START
    for number, node in enumerate(nodes):
        name = f"node{number}"
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    builder.add_edge(before, END)
    return builder.compile(checkpointer=saver)


def paying(model: ScriptedModel, calls: int = 1) -> Callable[[State], Any]:
    """A node that makes paid calls, one after the other."""
    return lambda _: {"answers": [str(model.invoke("hi").content) for _ in range(calls)]}


async def _astream(graph: Any, inputs: Any, config: Any) -> Any:
    return _together([chunk async for chunk in graph.astream(inputs, config, stream_mode="values")])


def _together(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The last of every key: the questions come in a chunk of their own."""
    return {key: value for chunk in chunks for key, value in chunk.items()}


_WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda graph, inputs, config: graph.invoke(inputs, config),
    "ainvoke": lambda graph, inputs, config: asyncio.run(graph.ainvoke(inputs, config)),
    "stream": lambda graph, inputs, config: _together(
        list(graph.stream(inputs, config, stream_mode="values"))
    ),
    "astream": lambda graph, inputs, config: asyncio.run(_astream(graph, inputs, config)),
    "batch": lambda graph, inputs, config: graph.batch([inputs], config)[0],
    "abatch": lambda graph, inputs, config: asyncio.run(graph.abatch([inputs], config))[0],
}
WAYS = tuple(_WAYS)
"""How a graph can be run."""


def go(graph: Any, inputs: Any, config: Any, *, way: str = "invoke", asynchronous: bool = False) -> Any:
    """Run a graph, and return what it ends with."""
    return _WAYS["ainvoke" if asynchronous else way](graph, inputs, config)


def waiting(result: Any) -> list[Any]:
    """What the graph waits for."""
    found: list[Any] = result.get("__interrupt__", [])
    return found


def decide(meter: Meter, *, yes: bool = True, by: str = "lead", **details: Any) -> Decided:
    """Decide the one question that waits."""
    (question,) = meter.ledger.approvals(pending=True)
    why = details.pop("why", "it is worth it")
    return meter.ledger.inbox.decide(question["approval_id"], Decision(yes, by, why, **details))


RESUME_NONE: Any = None


def resume(value: Any) -> Any:
    """Go on with an answer."""
    return Command(resume=value)
