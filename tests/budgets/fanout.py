"""A graph of twenty branches that each want three quarters of a cent, of which four fit a cap of three cents."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from scripted import ScriptedModel
from spendgraph import BudgetExceeded, CostContext
from spendgraph.policy import Policy, parse_policy

ACME = CostContext(feature="triage", team="support", tenant="acme")
BRANCHES = 20
CALL_NANOUSD = 7_500_000
CAP_NANOUSD = 30_000_000
PRICES = """
prices:
  models:
    - {provider: "*", model: scripted, input_usd_per_mtok: 0, output_usd_per_mtok: 0, usd_per_request: "0.0075"}
"""


def capped(*, reserve: str = "expected", cap: str = "0.03", more: str = "") -> Policy:
    """Each call costs $0.0075; acme has a cap."""
    return parse_policy(
        f"{PRICES}\nbudgets:\n  - {{name: cap, owner: growth, per: tenant, limit_usd: '{cap}', reserve: {reserve}}}\n{more}"
    )


class State(TypedDict):
    """What the branches report."""

    answers: Annotated[list[str], operator.add]


def fan_out(model: ScriptedModel, branches: int = BRANCHES) -> Any:
    """The graph; a branch whose call is refused says so, on purpose."""

    def send(state: State) -> list[Send]:
        return [Send("call", {"answers": []})] * branches

    def call(state: State) -> dict[str, list[str]]:
        try:
            return {"answers": [str(model.invoke("hi").content)]}
        except BudgetExceeded as refusal:
            refusal.handled()
            return {"answers": ["refused"]}

    async def acall(state: State) -> dict[str, list[str]]:
        try:
            return {"answers": [str((await model.ainvoke("hi")).content)]}
        except BudgetExceeded as refusal:
            refusal.handled()
            return {"answers": ["refused"]}

    builder = StateGraph(State)
    builder.add_node("call", RunnableLambda(call, acall))
    builder.add_conditional_edges(START, send, ["call"])
    builder.add_edge("call", END)
    return builder.compile()
