"""From a threshold on somebody has to take note, once a window, before more is spent."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from approvals.asking import APPROVE, branching, decide, edit, go, line, paying, resume, waiting
from budgets.fanout import ACME, CALL_NANOUSD, PRICES
from scripted import ScriptedModel
from spendgraph import ApprovalRequired, BudgetExceeded, Meter
from spendgraph.policy import Policy, parse_policy

EITHER = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def noting(more: str = "") -> Policy:
    """Four calls fit; from the second on somebody has to take note."""
    return parse_policy(
        f"{PRICES}\nbudgets:\n  - {{name: cap, per: tenant, limit_usd: '0.03', "
        f"thresholds: [{{at: 50%, do: acknowledge}}{more}]}}"
    )


@EITHER
def test_a_note_is_taken_once_for_everybody(tmp_path: Path, asynchronous: bool) -> None:
    """It grants nothing: beyond the limit calls are refused as ever."""
    model = ScriptedModel()
    graph = line(InMemorySaver(), *[paying(model)] * 3)
    with Meter(tmp_path / "ledger.db", policy=noting()) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        (interrupt,) = waiting(paused)
        (request,) = interrupt.value["action_requests"]
        assert (request["name"], request["args"], model.requests) == ("acknowledge", {}, 2)
        assert "From $0.015 on somebody has to take note of it" in request["description"]
        other = branching(model, 1, InMemorySaver())
        waits = go(other, {"answers": []}, meter.config(ACME, thread_id="u"), asynchronous=asynchronous)
        assert [each.id for each in waiting(waits)] == [interrupt.id]
        assert decide(meter).granted is None
        go(graph, None, meter.config(thread_id="t"), asynchronous=asynchronous)
        go(other, None, meter.config(thread_id="u"), asynchronous=asynchronous)
        assert model.requests == 4
        with pytest.raises(BudgetExceeded):
            go(other, {"answers": []}, meter.config(ACME, thread_id="v"), asynchronous=asynchronous)
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("by_id", [False, True])
def test_a_resume_value_takes_note(tmp_path: Path, by_id: bool) -> None:
    """With LangChain's word for yes."""
    model = ScriptedModel()
    graph = line(InMemorySaver(), *[paying(model)] * 3)
    with Meter(tmp_path / "ledger.db", policy=noting()) as meter:
        paused = graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        value = {waiting(paused)[0].id: APPROVE} if by_id else APPROVE
        graph.invoke(resume(value), meter.config(thread_id="t"))
        assert model.requests == 3


def test_there_is_nothing_to_edit_about_a_note(tmp_path: Path) -> None:
    """An amount is no answer."""
    graph = line(InMemorySaver(), *[paying(ScriptedModel())] * 3)
    with Meter(tmp_path / "ledger.db", policy=noting()) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        with pytest.raises(ApprovalRequired, match="could not be read"):
            graph.invoke(resume(edit("5")), meter.config(thread_id="t"))


def test_a_note_that_is_refused_is_one_tasks(tmp_path: Path) -> None:
    """Another task asks for itself."""
    model = ScriptedModel()
    graph = line(InMemorySaver(), *[paying(model)] * 3)
    with Meter(tmp_path / "ledger.db", policy=noting()) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        decide(meter, yes=False, why="stop it")
        with pytest.raises(ApprovalRequired, match="going on was denied by lead: stop it"):
            graph.invoke(None, meter.config(thread_id="t"))
        other = branching(model, 1, InMemorySaver()).invoke(
            {"answers": []}, meter.config(ACME, thread_id="u")
        )
        assert (len(waiting(other)), model.requests) == (1, 2)


def test_each_threshold_is_noted_for_itself(tmp_path: Path) -> None:
    """And approving more comes after them."""
    model = ScriptedModel()
    graph = line(InMemorySaver(), *[paying(model)] * 5)
    more = ", {at: 75%, do: acknowledge}, {at: 100%, do: approve}"
    with Meter(tmp_path / "ledger.db", policy=noting(more)) as meter:
        config = meter.config(ACME, thread_id="t")
        graph.invoke({"answers": []}, config)
        kinds: list[str] = []
        for _ in range(3):
            kinds.append(decide(meter).kind)
            graph.invoke(None, meter.config(thread_id="t"))
        assert (kinds, model.requests) == (["acknowledge", "acknowledge", "approve"], 5)
        assert [row["threshold"] for row in meter.ledger.approvals()] == [
            2 * CALL_NANOUSD,
            3 * CALL_NANOUSD,
            0,
        ]
