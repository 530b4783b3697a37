"""Where a gate sends a graph has to be one of its nodes: LangGraph itself ignores a `goto` that is not."""

# LangGraph's own types are partly unknown to pyright, and so are the lambdas it is given.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from budgets.fanout import ACME
from budgets.gated import WAYS, State, decisions, gated, policy, run, saying, spend
from scripted import ScriptedModel
from spendgraph import BudgetGate, GateError, Meter, SpendgraphError

START_STATE: State = {"said": []}


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    """A meter with a cap of four calls."""
    with Meter(tmp_path / "ledger.db", policy=policy()) as opened:
        yield opened


def hidden(gate: BudgetGate) -> Any:
    """A node that LangGraph cannot look into: it sees the gate when it is run."""
    return gate | RunnableLambda(lambda out: out)


def test_langgraph_itself_ignores_an_unknown_node(caplog: pytest.LogCaptureFixture) -> None:
    """What the gate keeps from happening: the graph ends as if all were well. When this fails, `goto.py` can go."""
    caplog.set_level(logging.WARNING)
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("gate", lambda state: Command(goto="sory"))
    builder.add_node("sorry", saying("sorry"))
    builder.add_edge(START, "gate")
    assert builder.compile().invoke(START_STATE) == {"said": []}
    assert "unknown channel branch:to:sory" in caplog.text


def test_a_misspelt_node_is_found_when_the_graph_is_compiled(meter: Meter) -> None:
    """By LangGraph, which is told where the gate may go, as it is by a function's return type."""
    with pytest.raises(ValueError, match="unknown node `sory`"):
        gated(BudgetGate(meter, on_deny="sory"), ScriptedModel()).compile()


def test_the_drawing_of_a_graph_shows_where_the_gate_may_go(meter: Meter) -> None:
    """Beside the edge that it has."""
    drawn = gated(BudgetGate(meter, on_deny="sorry"), ScriptedModel()).compile().get_graph()
    assert {(edge.target, edge.conditional) for edge in drawn.edges if edge.source == "budget"} == {
        ("work", False),
        ("sorry", True),
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spent", [0, 3])
def test_a_misspelt_node_in_what_langgraph_cannot_look_into_is_found_by_the_first_run(
    meter: Meter, way: str, spent: int
) -> None:
    """Whether there is room or not: the error says which nodes there are."""
    spend(meter, spent)
    model = ScriptedModel()
    gate: Any = hidden(BudgetGate(meter, on_deny="sory"))
    with pytest.raises(GateError) as caught:
        run(gated(gate, model).compile(), way, START_STATE, meter.config(ACME))
    assert str(caught.value) == (
        "BudgetGate: expected on_deny='raise' or the name of a node of this graph (before, budget, sorry, work), found 'sory';"
        " did you mean 'sorry'?"
    )
    assert isinstance(caught.value, SpendgraphError)
    assert isinstance(caught.value, ValueError)
    assert (caught.value.node, caught.value.nodes) == ("sory", ("before", "budget", "sorry", "work"))
    assert model.requests == 1
    assert decisions(meter.ledger) == []


def test_a_misspelt_node_is_found_without_any_budget(tmp_path: Path) -> None:
    """The gate is open; the mistake is there."""
    with Meter(tmp_path / "none.db") as meter:
        graph = gated(hidden(BudgetGate(meter, on_deny="nowhere")), ScriptedModel()).compile()
        with pytest.raises(GateError, match=r"found 'nowhere'(\n|$)"):
            graph.invoke(START_STATE, meter.config(ACME))


@pytest.mark.parametrize("wrap", [hidden, lambda gate: gate], ids=["hidden", "seen"])
@pytest.mark.parametrize("way", WAYS)
def test_the_end_of_the_graph_is_a_place_to_go_to(meter: Meter, way: str, wrap: Any) -> None:
    """LangGraph's `END` is no node, and is one to go to."""
    spend(meter, 3)
    graph = gated(wrap(BudgetGate(meter, on_deny=END)), ScriptedModel()).compile()
    assert run(graph, way, START_STATE, meter.config(ACME))["said"] == ["before ok"]
    assert decisions(meter.ledger) == [("budget", "refused", END)]


def test_a_gate_in_a_subgraph_knows_the_nodes_of_that(meter: Meter) -> None:
    """The node above is not where a command of the graph below can go."""
    inner = gated(hidden(BudgetGate(meter, on_deny="outside")), ScriptedModel()).compile()
    builder: StateGraph[Any] = StateGraph(State)
    builder.add_node("inside", inner)
    builder.add_node("outside", saying("outside"))
    builder.add_edge(START, "inside")
    with pytest.raises(GateError) as caught:
        builder.compile().invoke(START_STATE, meter.config(ACME))
    assert caught.value.nodes == ("before", "budget", "sorry", "work")


def test_outside_of_a_graph_the_gate_answers_with_the_command(meter: Meter) -> None:
    """There are no nodes to compare with."""
    spend(meter, 4)
    with meter.task(ACME):
        assert BudgetGate(meter, on_deny="anywhere").invoke(START_STATE) == Command(goto="anywhere")
