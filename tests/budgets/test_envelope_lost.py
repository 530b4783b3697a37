"""Envelopes of runs that are cancelled or killed: nothing stays held, and nothing is booked that was not spent."""

# LangGraph's own types are partly unknown to pyright, and so are the lambdas it is given.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

from budgets.fanout import ACME
from budgets.gated import (
    CALL,
    State,
    amounts,
    envelopes,
    gated,
    policy,
)
from scripted import ScriptedModel
from spendgraph import BudgetGate, Meter
from spendgraph.ledger import Ledger
from spendgraph.ledger.holds import LEASE_US

START_STATE: State = {"said": []}
BOTH = ["invoke", "ainvoke"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def meter(path: Path) -> Iterator[Meter]:
    """A meter with a cap of twelve calls."""
    with Meter(path, policy=policy("0.09")) as opened:
        yield opened
        assert opened.ledger.verify() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_gate_that_is_cancelled_while_it_waits_leaves_nothing_held(
    meter: Meter, path: Path, when: str
) -> None:
    """The ledger's lock is another's when the gate is cancelled; it is taken and given back once it is free."""
    graph = gated(BudgetGate(meter, "0.03"), ScriptedModel())
    seen: list[tuple[int, int]] = []

    async def waiting(state: State) -> None:
        await asyncio.sleep(10)

    async def main() -> None:
        builder: StateGraph[Any] = StateGraph(State)
        builder.add_node("budget", BudgetGate(meter, "0.03"))
        builder.add_node("wait", waiting)
        builder.add_edge(START, "budget")
        builder.add_edge("budget", "wait")
        await graph.compile().ainvoke(START_STATE, meter.config(ACME))
        await meter.aflush()
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            if when == "before":
                holder.execute("BEGIN IMMEDIATE")
            with meter.task(ACME):  # which outlives the cancelled run
                going = asyncio.create_task(builder.compile().ainvoke(START_STATE))
                await asyncio.sleep(0.3)
                going.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await going
                if when == "before":
                    holder.rollback()
                    await asyncio.sleep(0.3)
                seen.append(await asyncio.to_thread(amounts, meter.ledger))

    asyncio.run(main())
    assert seen == [(2 * CALL, 0 if when == "before" else 4 * CALL)]
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((2 * CALL, 0), [])


def test_a_killed_run_leaves_its_envelope_until_the_lease_is_over_or_the_gate_runs_again(path: Path) -> None:
    """It is given back, not booked. Going on with the thread takes the same gate's envelope anew, never beside the old one."""
    program = """
import os, signal, sqlite3, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from budgets.gated import *
path, step = sys.argv[1:]
with Meter(path, policy=policy("0.09")) as meter:
    saver = SqliteSaver(sqlite3.connect(path + ".checkpoints", check_same_thread=False))
    class Killing(BudgetGate):
        def invoke(self, *args, **kwargs):
            said = super().invoke(*args, **kwargs)
            if step == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            return said
    graph = gated(Killing(meter, "0.06"), ScriptedModel()).compile(saver)
    inputs = {"said": []} if step == "kill" else None
    print(graph.invoke(inputs, meter.config(ACME, thread_id="42"), durability="sync")["said"])
"""
    command = [sys.executable, "-c", program, str(path)]
    killed = subprocess.run([*command, "kill"], cwd=Path(__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        assert (amounts(ledger), envelopes(ledger)) == ((CALL, 8 * CALL), [8 * CALL])
    done = subprocess.run(
        [*command, "go on"], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['before ok', 'work ok']\n"
    with Ledger.open(path) as ledger:
        assert (amounts(ledger), envelopes(ledger)) == ((2 * CALL, 0), [])
        assert ledger.verify() == []


def test_the_envelope_of_a_killed_run_is_given_back_when_its_lease_is_over(path: Path) -> None:
    """Whoever opens the ledger next does it, and nothing was spent by it."""
    program = """
import os, signal, sys
from budgets.gated import *
with Meter(sys.argv[1], policy=policy("0.09")) as meter:
    model = ScriptedModel()
    graph = gated(BudgetGate(meter, "0.06"), model)
    graph.add_node("kill", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    graph.add_edge("work", "kill")
    graph.compile().invoke({"said": []}, meter.config(ACME))
"""
    killed = subprocess.run([sys.executable, "-c", program, path], cwd=Path(__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        assert (amounts(ledger), envelopes(ledger)) == ((2 * CALL, 7 * CALL), [7 * CALL])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE envelopes SET lease_until_us = lease_until_us - ?", (LEASE_US + 1,))
    with Ledger.open(path) as ledger:
        assert (amounts(ledger), envelopes(ledger)) == ((2 * CALL, 0), [])
        assert ledger.verify() == []
