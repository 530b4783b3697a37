"""Graphs with a budget gate between a paid node and the work it guards."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from budgets.fanout import ACME, PRICES
from scripted import ScriptedModel
from spendgraph import BudgetGate, Meter
from spendgraph.ledger import Ledger
from spendgraph.policy import Policy, parse_policy

CALL = 7_500_000
"""Nano-USD of one call."""

WAYS = ["invoke", "ainvoke", "stream", "astream"]


class State(TypedDict):
    """What the nodes have said."""

    said: Annotated[list[str], operator.add]


def policy(limit: str = "0.03", *, asks: bool = False, more: str = "") -> Policy:
    """Each call costs $0.0075; acme has a cap, beyond which a person may be asked."""
    approve = ", thresholds: [{at: 100%, do: [approve]}]" if asks else ""
    return parse_policy(
        f"{PRICES}\nbudgets:\n  - {{name: cap, owner: growth, per: tenant, limit_usd: '{limit}'{approve}}}\n{more}"
    )


def saying(*words: str) -> Any:
    """A node that costs nothing."""

    def say(state: State) -> dict[str, list[str]]:
        return {"said": list(words)}

    return say


def calling(model: ScriptedModel, name: str) -> RunnableLambda[State, Any]:
    """A node that calls the model, both ways."""

    def call(state: State) -> dict[str, list[str]]:
        return {"said": [f"{name} {model.invoke('hi').content}"]}

    async def acall(state: State) -> dict[str, list[str]]:
        return {"said": [f"{name} {(await model.ainvoke('hi')).content}"]}

    return RunnableLambda(call, acall)


def gated(gate: BudgetGate, model: ScriptedModel) -> StateGraph[Any]:
    """From `before` (paid) to the gate to `work` (paid); `sorry` is where a refusal may go."""
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("before", calling(model, "before"))
    builder.add_node("budget", gate)
    builder.add_node("work", calling(model, "work"))
    builder.add_node("sorry", saying("sorry"))
    builder.add_edge(START, "before")
    builder.add_edge("before", "budget")
    builder.add_edge("budget", "work")
    builder.add_edge("work", END)
    return builder


def run(graph: Any, way: str, inputs: Any, config: Any = None) -> Any:
    """The final state, in one of `WAYS`."""

    async def arun() -> Any:
        if way == "ainvoke":
            return await graph.ainvoke(inputs, config)
        return [state async for state in graph.astream(inputs, config, stream_mode="values")][-1]

    if way == "invoke":
        return graph.invoke(inputs, config)
    if way == "stream":
        return list(graph.stream(inputs, config, stream_mode="values"))[-1]
    return asyncio.run(arun())


def spend(meter: Meter, calls: int) -> None:
    """Use up some of acme's cap by calls before."""
    for _ in range(calls):
        ScriptedModel().invoke("hi", meter.config(ACME))


def amounts(ledger: Ledger, budget: str = "cap") -> tuple[int, int]:
    """What is spent and held in a budget's windows."""
    found = [row for row in ledger.windows() if row["budget"] == budget]
    return sum(row["spent_nanousd"] for row in found), sum(row["held_nanousd"] for row in found)


def envelopes(ledger: Ledger) -> list[int]:
    """What is left in every envelope."""
    ledger.flush()
    with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
        return [row[0] for row in connection.execute("SELECT held_nanousd FROM envelopes ORDER BY 1")]


def decisions(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Kind, outcome, and where the graph went instead."""
    ledger.flush()
    query = "SELECT kind, outcome, json_extract(detail, '$.goto') FROM decisions ORDER BY decided_us"
    with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
        return [tuple(row) for row in connection.execute(query)]


def seen_inside(meter: Meter, look: Callable[[Ledger], Any]) -> tuple[list[Any], RunnableLambda[State, Any]]:
    """A node that looks at the ledger in the middle of a run."""
    seen: list[Any] = []

    def node(state: State) -> dict[str, list[str]]:
        seen.append(look(meter.ledger))
        return {"said": ["looked"]}

    async def anode(state: State) -> dict[str, list[str]]:
        return await asyncio.to_thread(node, state)

    return seen, RunnableLambda(node, anode)
