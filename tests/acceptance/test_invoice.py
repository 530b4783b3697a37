"""Over the whole application set and every way of attaching, the ledger is the provider's invoice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from acceptance.apps.agents import AGENTS
from acceptance.apps.graphs import GRAPHS
from acceptance.attach import WAYS, Way, attached
from acceptance.books import charges, differences, pair, query, steps
from acceptance.kit import App, Kit
from acceptance.programs import PROGRAMS
from provider import Provider
from spendgraph import CostContext, Meter

pytestmark = pytest.mark.filterwarnings(
    # langgraph-supervisor still builds on a function that LangGraph has moved; stream protocol v3 is in beta.
    "ignore:create_react_agent has been moved",
    "ignore::langchain_core._api.beta_decorator.LangChainBetaWarning",
)

TAGS = {
    "feature": "acceptance",
    "team": "quality",
    "workload_class": "eval",
    "environment": "staging",
    "user": "u1",
}


CASES = [
    pytest.param(program, way, id=f"{program.name}-{way}")
    for program in PROGRAMS
    for way in WAYS
    # A handler with metadata is what `meter.config` makes: its own run covers graphs and agents.
    if way != "handler" or program in GRAPHS or program in AGENTS
]


@pytest.mark.parametrize(("program", "way"), CASES)
def test_the_ledger_is_the_invoice(
    program: App,
    way: Way,
    kit: Kit,
    provider: Provider,
    meter: Meter,
    ledger: Path,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Equal to the nano-dollar: nothing missed, nothing twice, nothing charged to somebody else or to nobody."""
    with attached(meter, way, CostContext.from_mapping({"tenant": kit.tenant, **TAGS})) as metering:
        running = program.run(replace(kit, metering=metering))
        if running is not None:
            loop.run_until_complete(running)
    assert meter.flush(10)
    invoice, rows = provider.invoice(kit.account), steps(ledger)
    assert invoice.purposes() == program.calls
    assert differences(invoice.lines, rows, TAGS) == []
    assert sum(1 for row in rows if row["status"] == "cache_hit") == program.hits
    by_step = {row["step_id"]: row for row in rows}
    for line, row in pair(invoice.lines, charges(rows))[0]:
        if line.purpose in program.nodes:
            assert (line.purpose, row["node"]) == (line.purpose, program.nodes[line.purpose])
        if line.purpose == "in-tool":
            assert by_step[row["parent_step_id"]]["kind"] == "tool"
    assert query(ledger, "SELECT reason FROM decisions") == []
    assert meter.ledger.verify() == []
    if way in {"install", "task"}:
        assert len({row["task_id"] for row in rows}) == 1
    unknown = "SELECT step_id FROM steps WHERE task_id NOT IN (SELECT task_id FROM tasks)"
    assert query(ledger, unknown) == []
    failed = program.fails and way == "config"
    statuses = {"finished", "failed"} if failed else {"finished"}
    assert {row["status"] for row in query(ledger, "SELECT status FROM tasks")} == statuses
