"""The gate: it looks before anything is paid for, pauses for a person, or sends the graph elsewhere."""

# LangGraph's own types are partly unknown to pyright, and so are the lambdas it is given.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send

from budgets.fanout import ACME
from budgets.gated import (
    CALL,
    WAYS,
    State,
    amounts,
    calling,
    decisions,
    envelopes,
    gated,
    policy,
    run,
    saying,
    spend,
)
from ledger.rows import rows
from scripted import ScriptedModel
from spendgraph import (
    BudgetExceeded,
    BudgetGate,
    CostContext,
    LedgerUnavailable,
    Meter,
    Refusal,
    RefusalSwallowed,
)
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
    with pytest.raises(
        BudgetExceeded, match=r"The budget gate stayed closed: budget 'cap' for tenant=acme"
    ) as caught:
        run(graph, way, START_STATE, meter.config(ACME))
    assert (caught.value.spent, caught.value.limit, caught.value.owner) == (4 * CALL, 4 * CALL, "growth")
    assert model.requests == 1
    assert decisions(meter.ledger) == [("budget", "refused", None)]
    meter.flush()
    assert rows(
        Path(meter.ledger.place.name), "SELECT status FROM tasks ORDER BY started_us DESC LIMIT 1"
    ) == [("refused",)]


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

    def commanding(state: State) -> Command[str]:
        return Command(goto="sorry")

    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("gate", commanding)
    builder.add_node("work", saying("work"))
    builder.add_node("sorry", saying("sorry"))
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
    builder.add_node("other", saying())
    builder.add_node("work", calling(model, "work"))
    builder.add_node("sorry", saying("sorry"))
    builder.add_edge(START, "budget")
    builder.add_edge(START, "other")
    if kind == "join":
        builder.add_edge(["budget", "other"], "work")
    else:
        where = (lambda _: "work") if kind == "branch" else (lambda s: [Send("work", s)])
        builder.add_conditional_edges("budget", where, ["work"])
    assert run(builder.compile(), way, START_STATE, meter.config(ACME)) == {"said": ["sorry"]}
    assert model.requests == 0


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
    builder.add_node("sorry", saying("sorry"))
    builder.add_edge(START, "budget")
    with pytest.raises(Refusal, match=r"is not attached to this run.*meter\.config") as caught:
        run(builder.compile(), way, START_STATE)
    assert caught.value.reason == "meter_not_attached"


def test_a_gate_of_a_closed_meter_stays_closed(path: Path) -> None:
    """In the middle of a run, too."""
    meter = Meter(path, policy=policy())

    def closing_it(state: State) -> None:
        meter.close()

    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("close", closing_it)
    builder.add_node("budget", BudgetGate(meter))
    builder.add_edge(START, "close")
    builder.add_edge("close", "budget")
    with pytest.raises(Refusal, match="its meter was closed"):
        builder.compile().invoke(START_STATE, meter.config(ACME))


def test_a_gate_stays_closed_inside_a_task_whose_meter_was_closed(path: Path) -> None:
    """The task is still known; what follows would not be booked."""
    meter = Meter(path, policy=policy())
    with meter.task(ACME):
        meter.close()
        with pytest.raises(Refusal, match="its meter was closed"):
            BudgetGate(meter).invoke(START_STATE)


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
                assert (
                    gated(gate, model).compile().invoke(START_STATE, meter.config(ACME))["said"][1] == "sorry"
                )
            else:
                with meter.task(ACME):
                    builder: StateGraph[Any] = StateGraph(State)
                    builder.add_node("budget", gate)
                    builder.add_node("sorry", saying("sorry"))
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
        builder.add_node("sorry", saying("sorry"))
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
        threading.Timer(0.2, holder.rollback).start()
        await asyncio.gather(
            *(alone.ainvoke(START_STATE, meter.config(ACME, thread_id="")) for _ in range(2))
        )
        beating.cancel()

    asyncio.run(main())
    assert len(beats) > 10
    assert max(later - sooner for sooner, later in pairwise(beats)) < 0.15


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


def test_the_example_in_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget, the answer is the research's; the envelope is gone at the end."""
    page = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {"__name__": "gate"}
    exec(page.partition("```python\n")[2].partition("```")[0], program)
    assert program["answer"]["messages"][-1].content == "Found."
    with program["meter"] as meter:
        assert (amounts(meter.ledger, "research")[1], envelopes(meter.ledger)) == (0, [])


def test_a_synchronous_graph_on_an_event_loop_is_gated_too(meter: Meter) -> None:
    """The loop's own thread asks no database."""
    graph = gated(BudgetGate(meter, "0.015"), ScriptedModel()).compile()
    ahead_of = gated(BudgetGate(meter, on_deny="sorry"), ScriptedModel()).compile()

    async def main() -> list[Any]:
        return [each.invoke(START_STATE, meter.config(ACME))["said"][-1] for each in (graph, ahead_of)]

    assert asyncio.run(main()) == ["work ok", "work ok"]
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((4 * CALL, 0), [])
