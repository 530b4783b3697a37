"""The gate asks a person: for what is missing, once, and goes on or elsewhere when that is answered."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from budgets.fanout import ACME
from budgets.gated import CALL, WAYS, State, amounts, decisions, envelopes, gated, policy, run, spend
from scripted import ScriptedModel
from spendgraph import (
    ApprovalRequired,
    BudgetGate,
    Meter,
)

START_STATE: State = {"said": []}
YES = {"decisions": [{"type": "approve"}]}
NO = {"decisions": [{"type": "reject", "message": "too dear"}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def asking(path: Path) -> Iterator[Meter]:
    """The same, where a person may be asked for more."""
    with Meter(path, policy=policy(asks=True)) as opened:
        yield opened


@pytest.mark.parametrize("way", WAYS)
def test_it_pauses_for_a_person_and_a_yes_opens_it(asking: Meter, way: str) -> None:
    """What was paid before the gate is not paid again; the approval is for what is missing."""
    spend(asking, 3)
    model = ScriptedModel()
    graph = gated(BudgetGate(asking, reserve="0.01"), model).compile(InMemorySaver())
    run(graph, way, START_STATE, asking.config(ACME, thread_id="42"))
    ((pause,),) = [task.interrupts for task in graph.get_state(asking.config(thread_id="42")).tasks]
    assert pause.value["action_requests"][0]["args"] == {"amount": "0.01", "unit": "usd"}
    assert pause.value["spendgraph"]["spent"] == 4 * CALL
    assert (model.requests, envelopes(asking.ledger)) == (1, [])
    said = run(graph, way, Command(resume=YES), asking.config(thread_id="42"))
    assert said == {"said": ["before ok", "work ok"]}
    assert model.requests == 2
    assert amounts(asking.ledger) == (5 * CALL, 0)
    (approval,) = asking.ledger.approvals()
    assert (approval["state"], approval["granted"]) == ("approved", 10_000_000)
    assert asking.ledger.verify() == []


def test_of_what_is_wanted_only_what_is_missing_is_asked_for(asking: Meter) -> None:
    """Two calls are spent of four; an envelope of three lacks one."""
    spend(asking, 1)
    graph = gated(BudgetGate(asking, reserve="0.0225"), ScriptedModel()).compile(InMemorySaver())
    run(graph, "invoke", START_STATE, asking.config(ACME, thread_id="42"))
    (approval,) = asking.ledger.approvals(pending=True)
    assert approval["asked"] == CALL
    asking.ledger.inbox.decide(approval["approval_id"], yes())
    run(graph, "invoke", None, asking.config(thread_id="42"))
    assert amounts(asking.ledger) == (3 * CALL, 0)


def yes() -> Any:
    """A person's decision."""
    from spendgraph.ledger.approvals import Decision

    return Decision(True, "lead", "fine")


@pytest.mark.parametrize("on_deny", ["raise", "sorry"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_no_is_a_refusal_or_sends_the_graph_elsewhere(asking: Meter, way: str, on_deny: str) -> None:
    """A denied approval is settled where the graph has another way, and raised where it has none."""
    spend(asking, 3)
    model = ScriptedModel()
    graph = gated(BudgetGate(asking, on_deny=on_deny), model).compile(InMemorySaver())
    run(graph, way, START_STATE, asking.config(ACME, thread_id="42"))
    if on_deny == "raise":
        with pytest.raises(ApprovalRequired, match="more was denied by resume: too dear") as caught:
            run(graph, way, Command(resume=NO), asking.config(thread_id="42"))
        assert caught.value.reason == "approval_denied"
    else:
        said = run(graph, way, Command(resume=NO), asking.config(thread_id="42"))
        assert said == {"said": ["before ok", "sorry"]}
    assert model.requests == 1
    assert decisions(asking.ledger) == [("budget", "refused", None if on_deny == "raise" else "sorry")]


@pytest.mark.parametrize("on_deny", ["raise", "sorry"])
def test_without_a_checkpointer_nobody_can_be_asked_and_that_is_said(asking: Meter, on_deny: str) -> None:
    """LangGraph would end the run silently. Nobody has said no, so it is no reason to go elsewhere either."""
    spend(asking, 3)
    graph = gated(BudgetGate(asking, on_deny=on_deny), ScriptedModel()).compile()
    with pytest.raises(ApprovalRequired) as caught:
        run(graph, "invoke", START_STATE, asking.config(ACME))
    assert caught.value.reason == "approval_required"


def test_the_graph_goes_on_in_another_process_after_a_decision_there(path: Path) -> None:
    """With a checkpointer on disk: one process pauses, a person decides, another one goes on."""
    program = """
import sqlite3, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from budgets.gated import *
from budgets.test_gate_asking import yes
path, step = sys.argv[1:]
with Meter(path, policy=policy(asks=True)) as meter:
    model = ScriptedModel()
    saver = SqliteSaver(sqlite3.connect(path + ".checkpoints", check_same_thread=False))
    graph = gated(BudgetGate(meter, reserve="0.0075"), model).compile(saver)
    if step == "ask":
        spend(meter, 3)
        graph.invoke({"said": []}, meter.config(ACME, thread_id="42"))
    else:
        (approval,) = meter.ledger.approvals(pending=True)
        meter.ledger.inbox.decide(approval["approval_id"], yes())
        print(graph.invoke(None, meter.config(thread_id="42"))["said"])
    print(model.requests, envelopes(meter.ledger), meter.ledger.verify())
"""
    said: list[str] = []
    for step in ("ask", "go on"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), step],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout)
    assert said == ["1 [] []\n", "['before ok', 'work ok']\n1 [] []\n"]
