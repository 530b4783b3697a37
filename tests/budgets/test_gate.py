"""The gate: it looks before anything is paid for, pauses for a person, or sends the graph elsewhere."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send

from budgets.fanout import ACME
from budgets.gated import CALL, WAYS, State, amounts, calling, decisions, envelopes, gated, policy, run, spend
from ledger.rows import rows
from scripted import ScriptedModel
from spendgraph import (
    ApprovalRequired,
    BudgetExceeded,
    BudgetGate,
    CostContext,
    LedgerUnavailable,
    Meter,
    Refusal,
    RefusalSwallowed,
)
from spendgraph.budgets import ahead
from spendgraph.ledger import Ledger

START_STATE: State = {"said": []}
YES = {"decisions": [{"type": "approve"}]}
NO = {"decisions": [{"type": "reject", "message": "too dear"}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def meter(path: Path) -> Iterator[Meter]:
    """A meter with a cap of four calls."""
    with Meter(path, policy=policy()) as opened:
        yield opened


@pytest.fixture
def asking(path: Path) -> Iterator[Meter]:
    """The same, where a person may be asked for more."""
    with Meter(path, policy=policy(asks=True)) as opened:
        yield opened


@pytest.mark.parametrize("way", WAYS)
def test_with_room_the_graph_goes_on_and_the_state_is_untouched(meter: Meter, way: str) -> None:
    """The gate says nothing, holds nothing and books nothing."""
    model = ScriptedModel()
    graph = gated(BudgetGate(meter), model).compile()
    assert run(graph, way, START_STATE, meter.config(ACME)) == {"said": ["before ok", "work ok"]}
    assert amounts(meter.ledger) == (2 * CALL, 0)
    assert decisions(meter.ledger) == []
    assert meter.ledger.verify() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_full_budget_refuses_at_the_gate(meter: Meter, way: str) -> None:
    """Nobody has decided otherwise: the work's node does not run, and the decision is a row."""
    spend(meter, 3)
    model = ScriptedModel()
    graph = gated(BudgetGate(meter), model).compile()
    with pytest.raises(BudgetExceeded, match=r"The budget gate stayed closed: budget 'cap' for tenant=acme") as caught:
        run(graph, way, START_STATE, meter.config(ACME))
    assert (caught.value.spent, caught.value.limit, caught.value.owner) == (4 * CALL, 4 * CALL, "growth")
    assert model.requests == 1
    assert decisions(meter.ledger) == [("budget", "refused", None)]
    meter.flush()
    assert rows(Path(meter.ledger.place.name), "SELECT status FROM tasks ORDER BY started_us DESC LIMIT 1") == [("refused",)]


@pytest.mark.parametrize("way", WAYS)
def test_on_deny_the_graph_goes_there_and_nowhere_else(meter: Meter, way: str) -> None:
    """LangGraph would follow the gate's own edge beside the command; the refused work would run all the same."""
    spend(meter, 3)
    model = ScriptedModel()
    graph = gated(BudgetGate(meter, on_deny="sorry"), model).compile()
    assert run(graph, way, START_STATE, meter.config(ACME)) == {"said": ["before ok", "sorry"]}
    assert model.requests == 1
    assert decisions(meter.ledger) == [("budget", "refused", "sorry")]


def test_langgraph_itself_follows_an_edge_beside_a_command() -> None:
    """What the gate keeps it from: when this fails, `_go_nowhere_else` can go."""
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("gate", lambda _: Command(goto="sorry"))
    builder.add_node("work", lambda _: {"said": ["work"]})
    builder.add_node("sorry", lambda _: {"said": ["sorry"]})
    builder.add_edge(START, "gate")
    builder.add_edge("gate", "work")
    assert set(builder.compile().invoke(START_STATE)["said"]) == {"work", "sorry"}


@pytest.mark.parametrize("kind", ["branch", "sends", "join"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_on_deny_neither_branches_nor_sends_nor_joins_are_followed(meter: Meter, way: str, kind: str) -> None:
    """However the graph leaves the gate otherwise."""
    spend(meter, 4)
    model = ScriptedModel()
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("budget", BudgetGate(meter, on_deny="sorry"))
    builder.add_node("other", lambda _: {"said": []})
    builder.add_node("work", calling(model, "work"))
    builder.add_node("sorry", lambda _: {"said": ["sorry"]})
    builder.add_edge(START, "budget")
    builder.add_edge(START, "other")
    if kind == "join":
        builder.add_edge(["budget", "other"], "work")
    else:
        where = (lambda _: "work") if kind == "branch" else (lambda s: [Send("work", s)])
        builder.add_conditional_edges("budget", where, ["work"])
    assert run(builder.compile(), way, START_STATE, meter.config(ACME)) == {"said": ["sorry"]}
    assert model.requests == 0


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
    asking.ledger.inbox.decide(approval["approval_id"], _yes())
    run(graph, "invoke", None, asking.config(thread_id="42"))
    assert amounts(asking.ledger) == (3 * CALL, 0)


def _yes() -> Any:
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
from budgets.test_gate import _yes
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
        meter.ledger.inbox.decide(approval["approval_id"], _yes())
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


def test_what_finished_tasks_have_cost_is_what_follows(path: Path) -> None:
    """Nineteen tasks of two calls and one of four: the p95 is two calls; there is room for one. Nineteen are too few."""
    with Meter(path, policy=policy("1")) as meter:
        for n in range(19):
            with meter.task(ACME):
                ScriptedModel().invoke("hi")
                ScriptedModel().invoke("hi")
        assert ahead.LookAhead(meter.ledger, _nothing()).cost("triage") == 1
        with meter.task(ACME), meter.task(user="inner"):
            for _ in range(4):
                ScriptedModel().invoke("hi")
        assert ahead.LookAhead(meter.ledger, _nothing()).cost("triage") == 2 * CALL
        assert ahead.LookAhead(meter.ledger, _nothing()).cost("search") == 1
        assert sorted(meter.ledger.finished_task_costs("triage"))[-2:] == [2 * CALL, 4 * CALL]
    with Meter(path, policy=policy("0.33")) as meter:  # of which 42 calls, 0.315, are spent
        model = ScriptedModel()
        with pytest.raises(BudgetExceeded, match=r"what follows may need \$0\.015"):
            gated(BudgetGate(meter), model).compile().invoke(START_STATE, meter.config(ACME))
        assert model.requests == 1


def _nothing() -> Any:
    from spendgraph.pricing import CostHistory

    return CostHistory()


def test_before_that_the_dearest_kind_of_call_is_and_nothing_known_asks_a_full_budget_only(meter: Meter) -> None:
    """Twenty calls of a feature say what one costs."""
    history = _nothing()
    look = ahead.LookAhead(meter.ledger, history)
    assert look.cost("triage") == 1
    for _ in range(20):
        history.add("triage", "small", 3)
        history.add("triage", "large", 5)
        history.add("search", "large", 70)
    assert look.cost("triage") == 5


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_the_ledger_is_asked_what_tasks_cost_once_in_five_minutes(meter: Meter, way: str) -> None:
    """Two runs, one look."""
    looked: list[str] = []
    costs = meter.ledger.finished_task_costs

    def counted(feature: str) -> list[int]:
        looked.append(feature)
        return costs(feature)

    meter.ledger.finished_task_costs = counted  # type: ignore[method-assign]
    graph = gated(BudgetGate(meter), ScriptedModel()).compile()
    for _ in range(2):
        run(graph, way, START_STATE, meter.config(ACME))
    assert looked == ["triage"]


@pytest.mark.parametrize("attach", ["config", "task", "install"])
def test_however_the_meter_is_attached(meter: Meter, attach: str) -> None:
    """The gate asks for the task that encloses it."""
    spend(meter, 3)
    graph = gated(BudgetGate(meter, on_deny="sorry"), ScriptedModel()).compile()
    if attach == "config":
        said = graph.invoke(START_STATE, meter.config(ACME))
    elif attach == "task":
        with meter.task(ACME):
            said = graph.invoke(START_STATE)
    else:
        meter.install()
        said = graph.invoke(START_STATE, {"metadata": ACME.metadata()})
    assert said == {"said": ["before ok", "sorry"]}


@pytest.mark.parametrize("way", WAYS)
def test_a_gate_whose_meter_does_not_see_the_run_stays_closed(meter: Meter, way: str) -> None:
    """Nothing that follows would be counted; retries and error handlers do not open it."""
    builder: StateGraph[Any] = StateGraph(State)
    retry = RetryPolicy(initial_interval=0.001, retry_on=Exception)
    builder.add_node("budget", BudgetGate(meter, on_deny="sorry"), retry_policy=retry)
    builder.add_node("sorry", lambda _: {"said": ["sorry"]})
    builder.add_edge(START, "budget")
    with pytest.raises(Refusal, match=r"is not attached to this run.*meter\.config") as caught:
        run(builder.compile(), way, START_STATE)
    assert caught.value.reason == "meter_not_attached"


def test_a_gate_of_a_closed_meter_stays_closed(path: Path) -> None:
    """In the middle of a run, too."""
    meter = Meter(path, policy=policy())
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("close", lambda _: meter.close())
    builder.add_node("budget", BudgetGate(meter))
    builder.add_edge(START, "close")
    builder.add_edge("close", "budget")
    with pytest.raises(Refusal, match="its meter was closed"):
        builder.compile().invoke(START_STATE, meter.config(ACME))


@pytest.mark.parametrize("reserve", [None, "5"])
def test_without_budgets_the_gate_is_open(path: Path, reserve: str | None) -> None:
    """Attached or not: there is nothing to guard."""
    with Meter(path) as meter:
        gate = BudgetGate(meter, reserve=reserve)
        assert gate.invoke(START_STATE) == {}
        assert asyncio.run(gate.ainvoke(START_STATE)) == {}


def test_a_cap_on_a_block_counts(path: Path) -> None:
    """Without any policy: the block is full after one call."""
    with Meter(path, policy=policy("100")) as meter:
        graph = gated(BudgetGate(meter, on_deny="sorry"), ScriptedModel()).compile()
        with meter.cap(usd="0.0075", context=ACME):
            assert graph.invoke(START_STATE) == {"said": ["before ok", "sorry"]}


def test_a_limit_on_calls_or_tokens_is_looked_at_too(path: Path) -> None:
    """An envelope holds money only, and does not open a gate that a limit on calls closes."""
    more = "  - {name: calls, limit_calls: 1}\n"
    with Meter(path, policy=policy("100", more=more)) as meter:
        for gate in (BudgetGate(meter, on_deny="sorry"), BudgetGate(meter, "1", on_deny="sorry")):
            model = ScriptedModel()
            if amounts(meter.ledger) == (0, 0):
                assert gated(gate, model).compile().invoke(START_STATE, meter.config(ACME))["said"][1] == "sorry"
            else:
                with meter.task(ACME):
                    builder: StateGraph[Any] = StateGraph(State)
                    builder.add_node("budget", gate)
                    builder.add_node("sorry", lambda _: {"said": ["sorry"]})
                    builder.add_edge(START, "budget")
                    assert builder.compile().invoke(START_STATE) == {"said": ["sorry"]}
        assert envelopes(meter.ledger) == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_refusal_of_the_gate_that_somebody_swallows_comes_back(meter: Meter, way: str) -> None:
    """A node that runs the gated graph and ignores its refusal; `handled()` says that this is meant."""
    spend(meter, 3)
    inner = gated(BudgetGate(meter), ScriptedModel()).compile()
    caught: list[BudgetExceeded] = []
    meant = False

    def call(state: State) -> dict[str, list[str]]:
        try:
            inner.invoke(state)
        except BudgetExceeded as refusal:
            caught.append(refusal.handled() if meant else refusal)
        return {"said": ["done"]}

    async def acall(state: State) -> dict[str, list[str]]:
        try:
            await inner.ainvoke(state)
        except BudgetExceeded as refusal:
            caught.append(refusal.handled() if meant else refusal)
        return {"said": ["done"]}

    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("call", RunnableLambda(call, acall))
    builder.add_edge(START, "call")
    outer = builder.compile()
    with pytest.raises(RefusalSwallowed):
        run(outer, way, START_STATE, meter.config(ACME))
    meant = True
    with meter.cap(usd="0.0075", context=CostContext(feature="triage", tenant="globex")):
        assert run(outer, way, START_STATE)["said"] == ["done"]
    assert len(caught) == 2


def test_a_ledger_that_cannot_be_written_keeps_the_gate_closed(path: Path) -> None:
    """Looking needs the ledger as much as reserving does."""
    import sqlite3

    with Meter(path, policy=policy()) as meter:
        graph = gated(BudgetGate(meter, on_deny="sorry"), ScriptedModel()).compile()
        graph.invoke(START_STATE, meter.config(ACME))
        meter.flush()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        builder: StateGraph[Any] = StateGraph(State)
        builder.add_node("budget", BudgetGate(meter, on_deny="sorry"))
        builder.add_node("sorry", lambda _: {"said": ["sorry"]})
        builder.add_edge(START, "budget")
        with meter.task(ACME), pytest.raises(LedgerUnavailable):
            builder.compile().invoke(START_STATE)
        holder.rollback()
        holder.close()


def test_the_loop_goes_on_while_the_gate_waits_for_the_ledger(meter: Meter, path: Path) -> None:
    """Another process holds the lock for a fifth of a second."""
    import sqlite3

    graph = gated(BudgetGate(meter, "0.0075"), ScriptedModel()).compile()
    beats: list[float] = []

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            beats.append(loop.time())
            await asyncio.sleep(0.005)

    async def main() -> Any:
        builder: StateGraph[Any] = StateGraph(State)
        builder.add_node("budget", BudgetGate(meter, "0.0075"))
        builder.add_edge(START, "budget")
        alone = builder.compile()
        await graph.ainvoke(START_STATE, meter.config(ACME))
        await meter.aflush()
        beating = asyncio.create_task(beat())
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        threading.Timer(0.2, lambda: (holder.rollback(), holder.close())).start()
        await asyncio.gather(*(alone.ainvoke(START_STATE, meter.config(ACME, thread_id="")) for _ in range(2)))
        beating.cancel()

    asyncio.run(main())
    assert len(beats) > 10
    assert max(later - sooner for sooner, later in zip(beats, beats[1:], strict=False)) < 0.15


@pytest.mark.parametrize("wrong", ["many", "-1", True, [], float("nan")])
def test_a_reserve_that_is_no_amount_is_refused_where_it_is_written(meter: Meter, wrong: Any) -> None:
    """Not in the middle of a run."""
    with pytest.raises(ValueError, match="BudgetGate: reserve"):
        BudgetGate(meter, reserve=wrong)


def test_where_to_go_has_a_name(meter: Meter) -> None:
    """An empty one, or none, is a mistake."""
    for wrong in ("", None, 3):
        with pytest.raises(ValueError, match="on_deny"):
            BudgetGate(meter, on_deny=wrong)  # type: ignore[arg-type]


def test_the_ledger_is_sound_after_all_of_it(path: Path) -> None:
    """One more look from outside."""
    with Meter(path, policy=policy(asks=True)) as meter:
        graph = gated(BudgetGate(meter, "0.02", on_deny="sorry"), ScriptedModel()).compile(InMemorySaver())
        for n in range(4):
            graph.invoke(START_STATE, meter.config(ACME, thread_id=str(n)))
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
        assert envelopes(ledger) == []
