"""A refusal that was ignored in a run that pauses or fails comes back at the end of the run that goes on with the thread."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from approvals.asking import APPROVE, asks, decide, line, paying, waiting
from budgets.agents import rows
from budgets.fanout import ACME, capped
from budgets.test_traps import run
from scripted import ScriptedModel
from spendgraph import ApprovalRequired, BudgetExceeded, Meter, Refusal, RefusalSwallowed

EITHER_WAY = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
NOTHING: dict[str, list[str]] = {"a": []}


class State(TypedDict):
    """What the branches say."""

    a: Annotated[list[str], operator.add]


Node = Callable[[Any], dict[str, list[str]]]


@pytest.fixture
def model() -> ScriptedModel:
    """Each answer costs $0.0075."""
    return ScriptedModel()


@pytest.fixture
def broke(tmp_path: Path) -> Iterator[Meter]:
    """Nothing fits, and nobody is asked."""
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0")) as meter:
        yield meter


def both(left: Node | Any, right: Node | Any, saver: Any = None) -> Any:
    """Two branches, and a node after them."""
    builder: Any = StateGraph(State)
    builder.add_node("left", left)
    builder.add_node("right", right)
    builder.add_node("last", quietly)
    for name in ("left", "right"):
        builder.add_edge(START, name)
        builder.add_edge(name, "last")
    builder.add_edge("last", END)
    return builder.compile(saver)


def ignoring(model: ScriptedModel) -> Node:
    """Calls, and goes on where that is refused."""

    def node(_: Any) -> dict[str, list[str]]:
        try:
            return {"a": [model.invoke("hi").text]}
        except Exception:  # noqa: BLE001 - what users write
            return {"a": ["looks like an answer"]}

    return node


def calling(model: ScriptedModel) -> Node:
    """Calls."""
    return lambda _: {"a": [model.invoke("hi").text]}


def quietly(_: Any) -> dict[str, list[str]]:
    """Does nothing."""
    return {"a": []}


def pausing(_: Any) -> dict[str, list[str]]:
    """Asks a question of its own."""
    return {"a": [interrupt("ok?")]}


@EITHER_WAY
def test_a_refusal_ignored_in_one_branch_comes_back_after_another_has_paused(
    broke: Meter, model: ScriptedModel, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at the pause, whose question would be lost, but when the run goes on and ends; until then the log knows."""
    graph = both(ignoring(model), pausing, InMemorySaver())
    paused = run(graph, NOTHING, broke.config(ACME, thread_id="t"), asynchronous=asynchronous)
    assert waiting(paused)
    assert "a refused call was ignored in a run that has stopped" in caplog.text
    assert rows(broke, "SELECT status FROM tasks") == [("paused",)]
    with pytest.raises(RefusalSwallowed) as caught:
        run(graph, Command(resume="yes"), broke.config(thread_id="t"), asynchronous=asynchronous)
    assert isinstance(caught.value.refusal, BudgetExceeded)
    assert rows(broke, "SELECT status FROM tasks") == [("refused",)]


@EITHER_WAY
def test_a_pause_ignored_in_one_branch_comes_back_after_another_has_paused(
    tmp_path: Path, model: ScriptedModel, asynchronous: bool
) -> None:
    """The question was answered for both; what was ignored was not asked again."""
    graph = both(ignoring(model), calling(model), InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        paused = run(graph, NOTHING, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        answer: Any = Command(resume={waiting(paused)[0].id: APPROVE})
        with pytest.raises(RefusalSwallowed) as caught:
            run(graph, answer, meter.config(thread_id="t"), asynchronous=asynchronous)
        assert isinstance(caught.value.refusal, ApprovalRequired)
    assert model.requests == 1


@EITHER_WAY
def test_a_refusal_ignored_in_one_branch_comes_back_after_another_was_refused(
    tmp_path: Path, model: ScriptedModel, asynchronous: bool
) -> None:
    """The run that goes on with the thread calls again where it was refused, and not where that was ignored."""
    refuse = [True]

    def right(_: Any) -> dict[str, list[str]]:
        if refuse.pop():
            model.invoke("hi")
        return {"a": ["right"]}

    graph = both(ignoring(model), right, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0")) as meter:
        with pytest.raises(BudgetExceeded):
            run(graph, NOTHING, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        refuse.append(False)
        with pytest.raises(RefusalSwallowed):
            run(graph, None, meter.config(thread_id="t"), asynchronous=asynchronous)


def test_it_comes_back_in_a_block_of_the_callers_own(broke: Meter, model: ScriptedModel) -> None:
    """With several threads in one task."""
    graph = both(ignoring(model), pausing, InMemorySaver())
    with broke.task(ACME):
        for thread in ("1", "2"):
            graph.invoke(NOTHING, {"configurable": {"thread_id": thread}})
        for thread in ("1", "2"):
            with pytest.raises(RefusalSwallowed):
                graph.invoke(Command(resume="yes"), {"configurable": {"thread_id": thread}})


def test_it_comes_back_out_of_a_subgraph(broke: Meter, model: ScriptedModel) -> None:
    """Whose nodes go on where they were, too."""
    outer: Any = StateGraph(State)
    outer.add_node("inner", both(ignoring(model), pausing))
    outer.add_edge(START, "inner")
    graph = outer.compile(InMemorySaver())
    graph.invoke(NOTHING, broke.config(ACME, thread_id="t"))
    with pytest.raises(RefusalSwallowed):
        graph.invoke(Command(resume="yes"), broke.config(thread_id="t"))


@EITHER_WAY
def test_a_pause_that_nobody_ignored_does_not_come_back(
    tmp_path: Path, model: ScriptedModel, asynchronous: bool
) -> None:
    """Even where the state is edited meanwhile, so that LangGraph runs the node under another name."""
    graph = line(InMemorySaver(), lambda _: {"answers": []}, paying(model))
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        config = meter.config(ACME, thread_id="t")
        paused = run(graph, NOTHING, config, asynchronous=asynchronous)
        assert waiting(paused)
        decide(meter)
        graph.update_state({"configurable": {"thread_id": "t"}}, {"answers": ["edited"]}, as_node="node0")
        result = run(graph, None, meter.config(thread_id="t"), asynchronous=asynchronous)
    assert result["answers"] == ["edited", "ok"]


def test_what_a_node_ignored_before_it_paused_is_asked_anew(tmp_path: Path, model: ScriptedModel) -> None:
    """It runs again from its start."""

    def node(_: Any) -> dict[str, list[str]]:
        said = ignoring(model)(NOTHING)["a"]
        return {"a": [*said, interrupt("ok?")]}

    graph = both(node, quietly, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0")) as meter:
        graph.invoke(NOTHING, meter.config(ACME, thread_id="t"))
        with pytest.raises(RefusalSwallowed):
            graph.invoke(Command(resume="yes"), meter.config(thread_id="t"))
    with Meter(tmp_path / "ledger.db", policy=capped(cap="1")) as meter:
        graph.invoke(NOTHING, meter.config(ACME, thread_id="u"))
        assert graph.invoke(Command(resume="yes"), meter.config(thread_id="u"))["a"] == ["ok", "yes"]


def test_a_new_input_for_the_thread_leaves_what_was_ignored_behind(
    broke: Meter, model: ScriptedModel
) -> None:
    """It begins something else, and so LangGraph forgets the branches, too."""
    graph = both(ignoring(model), pausing, InMemorySaver())
    with broke.task(ACME):
        config = {"configurable": {"thread_id": "t"}}
        graph.invoke(NOTHING, config)
        quiet = both(quietly, pausing, graph.checkpointer)
        quiet.invoke(NOTHING, config)
        assert quiet.invoke(Command(resume="yes"), config)["a"][-1] == "yes"


def test_what_is_handled_while_the_run_is_paused_does_not_come_back(
    broke: Meter, model: ScriptedModel
) -> None:
    """`handled()` counts whenever it is said."""
    caught: list[Refusal] = []

    def left(_: Any) -> dict[str, list[str]]:
        try:
            return calling(model)(NOTHING)
        except Refusal as refusal:
            caught.append(refusal)
            return {"a": ["looks like an answer"]}

    graph = both(left, pausing, InMemorySaver())
    graph.invoke(NOTHING, broke.config(ACME, thread_id="t"))
    caught[0].handled()
    graph.invoke(Command(resume="yes"), broke.config(thread_id="t"))
