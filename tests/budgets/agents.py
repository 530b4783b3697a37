"""Agents under a budget, for the tests of `BudgetMiddleware`."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelRetryMiddleware
from langchain_core.tools import tool

from budgets.talker import CTX
from spendgraph import BudgetMiddleware, Meter
from spendgraph.policy import Policy

EITHER_WAY = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@tool
def web_search(query: str) -> str:
    """Search the web, at length, for whatever there is to be found about the query that was given."""
    return f"nothing about {query}"


@tool
def lookup(key: str) -> str:
    """Look something up."""
    return f"{key} is 42"


def metered(tmp_path: Path, policy: Policy) -> Meter:
    """A meter on a ledger of its own."""
    return Meter(tmp_path / "ledger.db", policy=policy)


def agent_of(
    meter: Meter, model: Any, *others: Any, tools: Any = (), checkpointer: Any = None, **options: Any
) -> Any:
    """An agent whose last middleware is ours."""
    middleware = [*others, BudgetMiddleware(meter, **options)]
    return create_agent(model, list(tools), middleware=middleware, checkpointer=checkpointer)


def ask(agent: Any, config: Any, *, asynchronous: bool = False, text: str = "hi") -> Any:
    """Ask the agent once; its last message."""
    inputs = {"messages": [("user", text)]}
    result = asyncio.run(agent.ainvoke(inputs, config)) if asynchronous else agent.invoke(inputs, config)
    return result["messages"][-1]


def config(meter: Meter) -> Any:
    """The config of a run of acme's."""
    return meter.config(CTX)


def degraded(message: Any) -> list[dict[str, Any]]:
    """What an answer says of its call."""
    changes: list[dict[str, Any]] = message.response_metadata.get("spendgraph", {}).get("degraded", [])
    return changes


def counters(meter: Meter) -> tuple[int, int]:
    """What is spent and held in the only window."""
    (row,) = meter.ledger.windows()
    return row["spent_nanousd"], row["held_nanousd"]


def rows(meter: Meter, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the ledger's file."""
    meter.flush()
    with closing(sqlite3.connect(str(meter.ledger.place.name))) as connection:
        return connection.execute(sql).fetchall()


def decisions(meter: Meter, outcome: str) -> list[dict[str, Any]]:
    """The details of the decisions of one outcome."""
    found = rows(meter, f"SELECT detail FROM decisions WHERE outcome = '{outcome}' ORDER BY decided_us")
    return [json.loads(detail) for (detail,) in found]


def holds(meter: Meter) -> int:
    """How many holds are open."""
    return int(rows(meter, "SELECT count(*) FROM holds")[0][0])


def retrying(retries: int = 2) -> ModelRetryMiddleware:
    """LangChain's retries, without waiting."""
    return ModelRetryMiddleware(max_retries=retries, initial_delay=0, jitter=False)


class Inner(AgentMiddleware[Any, Any, Any]):
    """Does something between us and the model."""

    def __init__(self, act: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.act = act

    def wrap_model_call(self, request: ModelRequest[Any], handler: Callable[..., Any]) -> Any:
        return self.act(request, handler)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[..., Awaitable[Any]]
    ) -> Any:
        result = self.act(request, handler)
        return await result if asyncio.iscoroutine(result) else result


def agent_around(meter: Meter, model: Any, *inner: Any, **options: Any) -> Any:
    """An agent with our middleware outermost."""
    return create_agent(model, [], middleware=[BudgetMiddleware(meter, **options), *inner])


def reserved(meter: Meter) -> list[tuple[str, int, int]]:
    """Model, reserved amount and cost of each step."""
    return [
        (step["model_requested"], step["reserved_nanousd"], step["cost_nanousd"]) for step in in_order(meter)
    ]


def in_order(meter: Meter) -> list[Any]:
    """The steps by their start."""
    return sorted(meter.ledger.steps(), key=lambda step: step["started_us"])


def is_clean(meter: Meter) -> bool:
    """Nothing is held, and the books add up."""
    return (
        holds(meter) == 0
        and all(not row["held_nanousd"] for row in meter.ledger.windows())
        and not meter.ledger.verify()
    )
