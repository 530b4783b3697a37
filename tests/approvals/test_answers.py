"""What counts as an answer, and that none reaches another question."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from approvals.asking import (
    APPROVE,
    REJECT,
    WAYS,
    asks,
    branching,
    decide,
    edit,
    go,
    line,
    paying,
    resume,
    waiting,
)
from budgets.fanout import ACME, CALL_NANOUSD, PRICES
from notify.kit import NOWHERE, look
from notify.kit import rows as alerts
from scripted import ScriptedModel
from spendgraph import ApprovalError, ApprovalRequired, Meter
from spendgraph.hooks.refusals import ApprovalPause
from spendgraph.ledger.approvals import Decision
from spendgraph.policy import parse_policy

EITHER = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
BY_ID = pytest.mark.parametrize("by_id", [False, True], ids=["single", "by-id"])


def answered(paused: Any, value: Any, *, by_id: bool) -> Any:
    """The command that answers the one question, with its id or without."""
    return resume({waiting(paused)[0].id: value} if by_id else value)


@EITHER
@BY_ID
def test_a_resume_value_approves(tmp_path: Path, by_id: bool, asynchronous: bool) -> None:
    """The decision is in the ledger: who, when and how much."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        command = answered(paused, APPROVE, by_id=by_id)
        go(graph, command, meter.config(thread_id="t"), asynchronous=asynchronous)
        (row,) = meter.ledger.approvals()
        assert (row["state"], row["decided_by"], row["granted"]) == ("approved", "resume", CALL_NANOUSD)
        assert model.requests == 1


@BY_ID
def test_a_resume_value_says_no(tmp_path: Path, by_id: bool) -> None:
    """With its reason."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        paused = graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        with pytest.raises(ApprovalRequired, match="denied by resume: not this month"):
            graph.invoke(answered(paused, REJECT, by_id=by_id), meter.config(thread_id="t"))
        assert model.requests == 0


@pytest.mark.parametrize("amount", ["0.0075", 0.02, "1"])
def test_an_edit_changes_the_amount_only(tmp_path: Path, amount: Any) -> None:
    """In dollars."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        graph.invoke(resume(edit(amount)), meter.config(thread_id="t"))
        (row,) = meter.ledger.approvals()
        assert (row["granted"], model.requests) == (round(float(amount) * 1e9), 1)


NONSENSE: dict[str, Any] = {
    "yes": "yes",
    "true": True,
    "no decisions": {"decisions": []},
    "two decisions": {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    "another type": {"decisions": [{"type": "accept"}]},
    "another action": {
        "decisions": [{"type": "edit", "edited_action": {"name": "send", "args": {"amount": 1}}}]
    },
    "below zero": edit("-1"),
    "no number": edit("lots"),
    "a list": [{"type": "approve"}],
}


@BY_ID
@pytest.mark.parametrize("said", NONSENSE)
def test_nonsense_means_no(tmp_path: Path, said: str, by_id: bool) -> None:
    """The refusal says what was expected. Without an id it may be meant for somebody else: the question stays open."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        paused = graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        command = answered(paused, NONSENSE[said], by_id=by_id)
        with pytest.raises(ApprovalRequired, match="could not be read: expected") as caught:
            graph.invoke(command, meter.config(thread_id="t"))
        (row,) = meter.ledger.approvals()
        assert caught.value.reason == ("approval_denied" if by_id else "approval_unreadable")
        assert (row["state"], model.requests) == ("denied" if by_id else "pending", 0)


@EITHER
@pytest.mark.parametrize("unit", ["usd", "tokens", "calls"])
@pytest.mark.parametrize(
    "amount",
    [float("inf"), float("nan"), 10**30, "9" * 5_000, 1e300, Decimal("Infinity"), Decimal("1e999999")],
    ids=["inf", "nan", "10**30", "5000 digits", "1e300", "decimal inf", "decimal 1e999999"],
)
def test_an_amount_beyond_all_limits_means_no(
    tmp_path: Path, amount: object, unit: str, asynchronous: bool
) -> None:
    """In every unit: a typed refusal, and a denial in the ledger."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    policy = parse_policy(
        f"{PRICES}\nbudgets: [{{name: cap, limit_{unit}: 0, thresholds: [{{at: 100%, do: approve}}]}}]"
    )
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        command = answered(paused, edit(amount), by_id=True)
        with pytest.raises(ApprovalRequired, match="could not be read: expected an amount of") as caught:
            go(graph, command, meter.config(thread_id="t"), asynchronous=asynchronous)
        assert caught.value.reason == "approval_denied"
        (row,) = meter.ledger.approvals()
        assert (row["state"], model.requests) == ("denied", 0)


def test_a_value_counts_in_the_run_that_brought_it(tmp_path: Path) -> None:
    """LangGraph keeps a single value with the checkpoint: it does not approve the next round, too."""
    model = ScriptedModel()
    graph = line(InMemorySaver(), paying(model, calls=2))
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        second = graph.invoke(resume(APPROVE), meter.config(thread_id="t"))
        assert (len(waiting(second)), model.requests) == (1, 1)
        third = graph.invoke(None, meter.config(thread_id="t"))
        assert (len(waiting(third)), model.requests) == (1, 1)
        assert [row["state"] for row in meter.ledger.approvals()] == ["approved", "pending"]


@pytest.mark.parametrize("way", WAYS)
def test_the_branches_of_one_question_need_one_answer(tmp_path: Path, way: str) -> None:
    """Three branches: one row, one id, one notification, one value; the next round is a new question."""
    model = ScriptedModel()
    graph = branching(model, 3, InMemorySaver())
    policy = asks(0, more=f"notify: {{growth: '{NOWHERE}'}}\n")
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        (question_id,) = {each.id for each in waiting(paused)}
        command = answered(paused, APPROVE, by_id=True)
        done = go(graph, command, meter.config(thread_id="t"), way=way)
        assert (done, model.requests) == ({"answers": ["ok"] * 3}, 3)
        (row,) = meter.ledger.approvals()
        assert (row["approval_id"], row["asked"]) == (question_id, 3 * CALL_NANOUSD)
        look(meter)
        told = [kind for (kind,) in alerts(tmp_path / "ledger.db", "kind")]
        assert told.count("approval") == 1
        assert meter.ledger.verify() == []
        again = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        (next_id,) = {each.id for each in waiting(again)}
        assert next_id != question_id
        look(meter)
        told = [kind for (kind,) in alerts(tmp_path / "ledger.db", "kind")]
        assert told.count("approval") == 2


RECORDED = {
    "by the policy": {"more": "approvals: {decisions: recorded}\n"},
    "by the budget's approvers": {"budget": ", approvers: [lead]"},
}


@BY_ID
@pytest.mark.parametrize("how", RECORDED)
def test_a_resume_value_cannot_forge_a_recorded_decision(tmp_path: Path, how: str, by_id: bool) -> None:
    """It is refused with a reason of its own, is a row, and the question still waits for the lead."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0, **RECORDED[how])) as meter:
        paused = graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        with pytest.raises(ApprovalRequired) as caught:
            graph.invoke(answered(paused, APPROVE, by_id=by_id), meter.config(thread_id="t"))
        assert (caught.value.reason, model.requests) == ("approval_not_recorded", 0)
        decide(meter, by="lead")
        graph.invoke(None, meter.config(thread_id="t"))
        assert model.requests == 1


def test_only_an_approver_may_say_yes(tmp_path: Path) -> None:
    """Anybody may say no."""
    graph = branching(ScriptedModel(), 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0, budget=", approvers: [lead, cfo]")) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        with pytest.raises(ApprovalError, match="may be approved by lead, cfo, found 'mallory'") as caught:
            decide(meter, by="mallory")
        assert caught.value.reason == "not_an_approver"
        assert decide(meter, by="mallory", yes=False).state == "denied"


@pytest.mark.parametrize("way", WAYS)
def test_silence_past_the_deadline_means_no_and_is_not_a_denial(tmp_path: Path, way: str) -> None:
    """Approving afterwards is refused with "expired"."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    times = [1_800_000_000_000_000]
    policy = asks(0, more="approvals: {within: 30m}\n")
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: times[0]) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        approval_id = waiting(paused)[0].id
        times[0] += 30 * 60 * 1_000_000
        with pytest.raises(ApprovalError, match="has expired") as caught:
            meter.ledger.inbox.decide(approval_id, Decision(True, "lead", "late"))
        assert caught.value.reason == "expired"
        for command in (None, resume(APPROVE)):
            with pytest.raises(ApprovalRequired, match="more was expired") as refused:
                go(graph, command, meter.config(thread_id="t"), way=way)
            assert refused.value.reason == "approval_expired"
        assert model.requests == 0
        assert [row["state"] for row in meter.ledger.approvals()] == ["expired"]


def test_a_decision_counts_once(tmp_path: Path) -> None:
    """The first one."""
    graph = branching(ScriptedModel(), 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        paused = graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        decide(meter, yes=False)
        with pytest.raises(ApprovalError, match="is denied already, by lead") as caught:
            meter.ledger.inbox.decide(waiting(paused)[0].id, Decision(True, "cfo", "no, yes"))
        assert caught.value.reason == "decided"


def test_an_unknown_approval_says_so(tmp_path: Path) -> None:
    """Nothing is decided by an id that is too short to tell."""
    with (
        Meter(tmp_path / "ledger.db", policy=asks(0)) as meter,
        pytest.raises(ApprovalError, match="expected the id of one approval, found none for 'abc'") as caught,
    ):
        meter.ledger.inbox.decide("abc", Decision(True, "lead", "yes"))
    assert caught.value.reason == "unknown"


def test_an_approval_with_a_deadline_of_its_own_ends(tmp_path: Path) -> None:
    """What is not drawn until then is gone."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    times = [1_800_000_000_000_000]
    with Meter(tmp_path / "ledger.db", policy=asks(0), clock=lambda: times[0]) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        decide(meter, until_us=times[0] + 1_000_000)
        times[0] += 1_000_000
        stuck = graph.invoke(None, meter.config(thread_id="t"))
        assert (len(waiting(stuck)), model.requests) == (1, 0)


@tool
def pay(to: str) -> str:
    """Ask a person for the account, and a model to pay."""
    account = interrupt(f"which account of {to}?")
    return f"{to}: {account} {ScriptedModel().invoke('pay').content}"


def test_a_tools_own_question_and_ours_get_their_own_answers(tmp_path: Path) -> None:
    """Two parallel tool calls that ask for accounts, and a budget that asks for more: nobody gets another's answer."""
    builder: Any = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([pay]))
    builder.add_conditional_edges(START, _each_call, ["tools"])
    graph = builder.compile(checkpointer=InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        paused = graph.invoke({"messages": []}, meter.config(ACME, thread_id="t"))
        accounts = {each.id: f"account of {each.value.split()[-1]}" for each in waiting(paused)}
        assert len(accounts) == 2
        asked = graph.invoke(resume(accounts), meter.config(thread_id="t"))
        assert {each.value["action_requests"][0]["name"] for each in waiting(asked)} == {"spend"}
        done = graph.invoke(answered(asked, APPROVE, by_id=True), meter.config(thread_id="t"))
    said = sorted(message.content for message in done["messages"])
    assert said == ["alice: account of alice? ok", "bob: account of bob? ok"]


def _each_call(_: Any) -> list[Any]:
    from langgraph.types import Send

    return [
        Send("tools", [{"name": "pay", "args": {"to": who}, "id": who, "type": "tool_call"}])
        for who in ("alice", "bob")
    ]


def test_a_value_for_the_graphs_own_question_is_not_taken_for_ours(tmp_path: Path) -> None:
    """A swallowed pause leaves the graph's question as the only one that waits: its answer arrives there."""
    model = ScriptedModel()

    def node(_: Any) -> Any:
        try:
            model.invoke("hi")
        except (ApprovalPause, ApprovalRequired) as error:
            error.handled()
        return {"answers": [str(interrupt("account?"))]}

    graph = line(InMemorySaver(), node)
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        done = graph.invoke(resume("4711"), meter.config(thread_id="t"))
        assert done["answers"] == ["4711"]
        assert meter.ledger.approvals()[0]["state"] == "pending"
    assert model.requests == 0
