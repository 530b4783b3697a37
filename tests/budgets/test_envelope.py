"""A gate with `reserve`: what it sets aside is the task's, whoever else asks, until the task ends or pauses."""

# LangGraph's own types are partly unknown to pyright, and so are the lambdas it is given.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import copy_context
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from budgets.fanout import ACME, fan_out
from budgets.gated import (
    CALL,
    State,
    amounts,
    calling,
    envelopes,
    gated,
    policy,
    run,
    saying,
    seen_inside,
    spend,
)
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, BudgetGate, CostContext, Meter
from spendgraph.ledger import Ledger

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


def branching(gate: BudgetGate, model: ScriptedModel, between: Any) -> Any:
    """The gate, something, then twenty branches that each call, or say that they were refused."""

    def call(state: State) -> dict[str, list[str]]:
        try:
            return {"said": [str(model.invoke("hi").content)]}
        except BudgetExceeded as refusal:
            refusal.handled()
            return {"said": ["refused"]}

    async def acall(state: State) -> dict[str, list[str]]:
        try:
            return {"said": [str((await model.ainvoke("hi")).content)]}
        except BudgetExceeded as refusal:
            refusal.handled()
            return {"said": ["refused"]}

    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("budget", gate)
    builder.add_node("between", between)
    builder.add_node("call", RunnableLambda(call, acall))
    builder.add_edge(START, "budget")
    builder.add_edge("budget", "between")
    builder.add_conditional_edges("between", lambda s: [Send("call", s)] * 20, ["call"])
    builder.add_edge("call", END)
    return builder.compile()


@pytest.mark.parametrize("way", BOTH)
def test_twenty_branches_of_another_task_cannot_take_what_is_set_aside(meter: Meter, way: str) -> None:
    """Room for twelve, of which four are set aside: eight go out; then the four do, of twenty that want to."""
    other = ScriptedModel()

    def rival(state: State) -> dict[str, list[str]]:
        with meter.task(ACME):  # a task of its own, but a child of this one, which would draw
            pass
        found: list[Any] = []
        thread = threading.Thread(
            target=lambda: found.append(fan_out(other).invoke({"answers": []}, meter.config(ACME)))
        )
        thread.start()
        thread.join()
        answers = found[0]["answers"]
        return {"said": [f"rival {answers.count('ok')}"]}

    model = ScriptedModel()
    between = RunnableLambda(rival, lambda s: asyncio.to_thread(rival, s))
    said = run(branching(BudgetGate(meter, "0.03"), model, between), way, START_STATE, meter.config(ACME))[
        "said"
    ]
    assert said[0] == "rival 8"
    assert (said.count("ok"), said.count("refused")) == (4, 16)
    assert (other.requests, model.requests) == (8, 4)
    assert amounts(meter.ledger) == (12 * CALL, 0)


@pytest.mark.parametrize("way", BOTH)
def test_inside_the_run_the_rest_is_held_and_afterwards_it_is_back(meter: Meter, way: str) -> None:
    """Four calls are set aside, one is made; three are left until the end."""
    seen, look = seen_inside(meter, lambda ledger: (amounts(ledger), envelopes(ledger)))
    builder = gated(BudgetGate(meter, "0.03"), ScriptedModel())
    builder.add_node("look", look)
    builder.add_edge("work", "look")
    run(builder.compile(), way, START_STATE, meter.config(ACME))
    assert seen == [((2 * CALL, 3 * CALL), [3 * CALL])]
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((2 * CALL, 0), [])


@pytest.mark.parametrize("way", BOTH)
def test_the_rest_is_back_when_the_run_fails(meter: Meter, way: str) -> None:
    """However a task ends."""
    builder = gated(BudgetGate(meter, "0.03"), ScriptedModel(failures=[]))

    def fail(state: State) -> State:
        raise OSError("no")

    builder.add_node("fail", fail)
    builder.add_edge("work", "fail")
    with pytest.raises(OSError, match="no"):
        run(builder.compile(), way, START_STATE, meter.config(ACME))
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((2 * CALL, 0), [])


@pytest.mark.parametrize("way", BOTH)
@pytest.mark.parametrize("attach", ["config", "task"])
def test_a_pause_gives_the_rest_back_and_the_steps_after_it_ask_for_themselves(
    meter: Meter, way: str, attach: str
) -> None:
    """A person may take days. The gate is not run again, so nothing is set aside after the pause."""
    model = ScriptedModel()
    seen, look = seen_inside(meter, lambda ledger: envelopes(ledger))

    def pausing(state: State) -> dict[str, list[str]]:
        return {"said": [interrupt("go on?")]}

    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("budget", BudgetGate(meter, "0.03"))
    builder.add_node("ask", pausing)
    builder.add_node("look", look)
    builder.add_node("work", calling(model, "work"))
    for a, b in ((START, "budget"), ("budget", "ask"), ("ask", "look"), ("look", "work")):
        builder.add_edge(a, b)
    graph = builder.compile(InMemorySaver())
    thread = {"configurable": {"thread_id": "42"}}
    if attach == "config":
        run(graph, way, START_STATE, meter.config(ACME, thread))  # type: ignore[arg-type]
        assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((0, 0), [])
        run(graph, way, Command(resume="yes"), meter.config(config=thread))  # type: ignore[arg-type]
    else:
        with meter.task(ACME):
            run(graph, way, START_STATE, thread)
            assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((0, 0), [])
            run(graph, way, Command(resume="yes"), thread)
    assert seen == [[]]
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((CALL, 0), [])


def test_in_a_block_the_envelope_lives_as_long_as_the_block(meter: Meter) -> None:
    """The gate's graph has ended, its task has not."""
    graph = gated(BudgetGate(meter, "0.03"), ScriptedModel()).compile()
    with meter.task(ACME):
        graph.invoke(START_STATE)
        assert envelopes(meter.ledger) == [3 * CALL]
        ScriptedModel().invoke("hi")
        assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((3 * CALL, 2 * CALL), [2 * CALL])
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((3 * CALL, 0), [])


def test_closing_the_meter_gives_everything_back(path: Path) -> None:
    """Also of a task that is never left."""
    meter = Meter(path, policy=policy("0.09"))

    def never_left() -> None:
        meter.task(ACME).__enter__()
        gated(BudgetGate(meter, "0.03"), ScriptedModel()).compile().invoke(START_STATE)

    copy_context().run(never_left)
    assert envelopes(meter.ledger) == [3 * CALL]
    meter.close()
    with Ledger.open(path) as ledger:
        assert (amounts(ledger), envelopes(ledger)) == ((2 * CALL, 0), [])


def test_a_child_task_of_the_same_windows_draws_and_another_payers_does_not(meter: Meter) -> None:
    """A sub-task of acme's is acme's money; one for globex counts elsewhere. Only the task that took it gives it back."""
    graph = gated(BudgetGate(meter, "0.03"), ScriptedModel()).compile()
    with meter.task(ACME):
        graph.invoke(START_STATE)
        with meter.task(template="sub"):
            ScriptedModel().invoke("hi")
        assert envelopes(meter.ledger) == [2 * CALL]
        with meter.task(tenant="globex"):
            ScriptedModel().invoke("hi")
        assert envelopes(meter.ledger) == [2 * CALL]
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((4 * CALL, 0), [])


def test_a_budget_per_task_is_set_aside_in_too(path: Path) -> None:
    """Every budget of money that counts the task; a task's own lets the envelope in up to its limit."""
    more = "  - {name: each, per: task, limit_usd: '0.0300'}\n"
    with Meter(path, policy=policy("0.09", more=more)) as meter:
        seen, look = seen_inside(meter, lambda ledger: (amounts(ledger), amounts(ledger, "each")))
        builder: StateGraph[Any] = StateGraph(State)
        builder.add_node("budget", BudgetGate(meter, Decimal("0.03")))
        builder.add_node("look", look)
        builder.add_edge(START, "budget")
        builder.add_edge("budget", "look")
        builder.compile().invoke(START_STATE, meter.config(ACME))
        assert seen == [((0, 4 * CALL), (0, 4 * CALL))]
        builder = gated(BudgetGate(meter, "0.031", on_deny="sorry"), ScriptedModel())
        assert builder.compile().invoke(START_STATE, meter.config(ACME))["said"] == ["before ok", "sorry"]
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("way", BOTH)
def test_each_branch_may_have_a_gate_of_its_own(meter: Meter, way: str) -> None:
    """Three branches that are subgraphs, each of which sets two calls aside: six in all; one of them finds no room."""
    spend(meter, 7)
    model = ScriptedModel()
    seen, look = seen_inside(meter, lambda ledger: envelopes(ledger))
    sub: StateGraph[Any] = StateGraph(State)
    sub.add_node(
        "budget", BudgetGate(meter, lambda state: "0.015" if state["said"] == [] else "5", on_deny="sorry")
    )
    sub.add_node("work", calling(model, "work"))
    sub.add_node("sorry", saying("sorry"))
    sub.add_edge(START, "budget")
    sub.add_edge("budget", "work")
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("branch", sub.compile())
    builder.add_node("look", look)
    builder.add_conditional_edges(START, lambda s: [Send("branch", s)] * 3, ["branch"])
    builder.add_edge("branch", "look")
    said = run(builder.compile(), way, START_STATE, meter.config(ACME))["said"]
    assert sorted(said) == ["looked", "sorry", "work ok", "work ok"]
    assert sum(seen[0]) == 2 * CALL
    assert (amounts(meter.ledger), envelopes(meter.ledger)) == ((9 * CALL, 0), [])


@pytest.mark.parametrize("way", BOTH)
def test_gates_beside_each_other_in_one_superstep_each_keep_theirs(meter: Meter, way: str) -> None:
    """`Send` to the gate itself: three payloads, three envelopes."""
    seen, look = seen_inside(meter, lambda ledger: envelopes(ledger))
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("budget", BudgetGate(meter, "0.0075"))
    builder.add_node("look", look)
    builder.add_conditional_edges(START, lambda s: [Send("budget", s)] * 3, ["budget"])
    builder.add_edge("budget", "look")
    run(builder.compile(), way, START_STATE, meter.config(ACME))
    assert seen == [[CALL, CALL, CALL]]


@pytest.mark.parametrize("way", BOTH)
def test_in_a_loop_the_gate_fills_its_envelope_up_again(meter: Meter, way: str) -> None:
    """Three rounds of one call with eight set aside: never two envelopes, which would not fit."""
    model = ScriptedModel()
    seen, look = seen_inside(meter, lambda ledger: envelopes(ledger))
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("budget", BudgetGate(meter, "0.06"))
    builder.add_node("look", look)
    builder.add_node("work", calling(model, "work"))
    builder.add_edge(START, "budget")
    builder.add_edge("budget", "look")
    builder.add_edge("look", "work")
    builder.add_conditional_edges("work", lambda s: "budget" if len(s["said"]) < 6 else END, ["budget", END])
    run(builder.compile(), way, START_STATE, meter.config(ACME))
    assert seen == [[8 * CALL]] * 3
    assert amounts(meter.ledger) == (3 * CALL, 0)


@pytest.mark.parametrize("way", BOTH)
def test_the_amount_may_depend_on_the_state_and_be_nothing(meter: Meter, way: str) -> None:
    """Nothing wanted is nothing held, and still a look: a budget that is full stays closed."""
    graph = gated(
        BudgetGate(meter, lambda state: 0 if state["said"] else "1", on_deny="sorry"), ScriptedModel()
    )
    assert run(graph.compile(), way, START_STATE, meter.config(ACME))["said"] == ["before ok", "work ok"]
    spend(meter, 9)
    assert run(graph.compile(), way, START_STATE, meter.config(ACME))["said"] == ["before ok", "sorry"]


def test_the_function_may_be_asynchronous_where_the_graph_is(meter: Meter) -> None:
    """And is named where the graph is not."""

    async def amount(state: State) -> str:
        await asyncio.sleep(0)
        return "0.03"

    seen, look = seen_inside(meter, lambda ledger: envelopes(ledger))
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("budget", BudgetGate(meter, amount))
    builder.add_node("look", look)
    builder.add_edge(START, "budget")
    builder.add_edge("budget", "look")
    run(builder.compile(), "ainvoke", START_STATE, meter.config(ACME))
    assert seen == [[4 * CALL]]
    with pytest.raises(TypeError, match="ainvoke"):
        run(builder.compile(), "invoke", START_STATE, meter.config(ACME))


def test_what_a_function_says_is_checked(meter: Meter) -> None:
    """An amount that is none closes the gate."""
    graph = gated(BudgetGate(meter, lambda _: "lots"), ScriptedModel()).compile()
    with pytest.raises(ValueError, match="BudgetGate: reserve"):
        graph.invoke(START_STATE, meter.config(ACME))


def test_another_tenants_gate_is_another_matter(meter: Meter) -> None:
    """Two tasks of one gate at once: each has its own envelope."""
    gate = BudgetGate(meter, "0.03")
    graph = gated(gate, ScriptedModel()).compile()
    globex = CostContext(feature="triage", team="support", tenant="globex")
    with meter.task(ACME):
        graph.invoke(START_STATE)
        thread = threading.Thread(target=lambda: graph.invoke(START_STATE, meter.config(globex)))
        thread.start()
        thread.join()
        assert envelopes(meter.ledger) == [3 * CALL]
