"""Agents under a budget, for the tests of `BudgetMiddleware`."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
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
