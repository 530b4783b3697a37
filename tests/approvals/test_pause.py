"""A run that needs more than its budget has pauses, a person decides, and it goes on where it was."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from approvals.asking import WAYS, asks, branching, decide, go, line, paying, waiting
from budgets.fanout import ACME, CALL_NANOUSD
from scripted import ScriptedModel
from spendgraph import ApprovalRequired, BudgetExceeded, CostContext, Meter, RefusalSwallowed
from spendgraph.ledger.approvals import Decision

EITHER = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def rows(meter: Meter, query: str) -> list[Any]:
    """What the ledger says."""
    meter.flush()
    with closing(sqlite3.connect(meter.ledger.place.name)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("way", WAYS)
def test_five_branches_two_admitted_three_approved_are_five_calls(tmp_path: Path, way: str) -> None:
    """The branches that wait share one question, and nothing that is finished is paid for again."""
    model = ScriptedModel()
    graph = branching(model, 5, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(2)) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        assert model.requests == 2
        assert len({interrupt.id for interrupt in waiting(paused)}) == 1
        (question,) = meter.ledger.approvals(pending=True)
        assert question["asked"] == 3 * CALL_NANOUSD
        assert rows(meter, "SELECT status FROM tasks") == [("paused",)]
        assert decide(meter).granted == 3 * CALL_NANOUSD
        done = go(graph, None, meter.config(thread_id="t"), way=way)
        assert (done, model.requests) == ({"answers": ["ok"] * 5}, 5)
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (5 * CALL_NANOUSD, 0)
        assert meter.ledger.verify() == []
        assert rows(meter, "SELECT DISTINCT status FROM tasks") == [("finished",)]
        assert rows(meter, "SELECT sum(is_replay) FROM steps") == [(0,)]


@EITHER
def test_the_question_says_what_it_is_about(tmp_path: Path, asynchronous: bool) -> None:
    """LangChain's human-in-the-loop request, with the figures and who pays beside it."""
    node = paying(ScriptedModel())
    graph = line(InMemorySaver(), node, node)
    with Meter(tmp_path / "ledger.db", policy=asks(1)) as meter:
        paused = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        (question,) = meter.ledger.approvals()
    (interrupt,) = waiting(paused)
    assert interrupt.id == question["approval_id"]
    (request,) = interrupt.value["action_requests"]
    assert (request["name"], request["args"]) == ("spend", {"amount": "0.0075", "unit": "usd"})
    assert "Budget 'cap' for tenant=acme allows $0.0075; $0.0075 is spent" in request["description"]
    assert interrupt.value["review_configs"] == [
        {"action_name": "spend", "allowed_decisions": ["approve", "edit", "reject"]}
    ]
    about = interrupt.value["spendgraph"]
    assert (about["budget"], about["owner"], about["scope"]) == ("cap", "growth", "tenant=acme")
    assert (about["limit"], about["spent"], about["held"], about["asked"]) == (
        CALL_NANOUSD,
        CALL_NANOUSD,
        0,
        CALL_NANOUSD,
    )
    assert about["task_spent"] == CALL_NANOUSD
    assert about["context"]["tenant"] == "acme"


@pytest.mark.parametrize("way", WAYS)
def test_the_next_round_is_a_new_question(tmp_path: Path, way: str) -> None:
    """A grant is used up by what it was for; what comes next is asked anew, under another id."""
    model = ScriptedModel()
    node = paying(model)
    graph = line(InMemorySaver(), node, node, node)
    with Meter(tmp_path / "ledger.db", policy=asks(1)) as meter:
        first = go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        decide(meter)
        second = go(graph, None, meter.config(thread_id="t"), way=way)
        assert waiting(first)[0].id != waiting(second)[0].id
        assert [row["round"] for row in meter.ledger.approvals()] == [0, 1]
        assert model.requests == 2


@pytest.mark.parametrize("way", WAYS)
def test_a_no_is_final_for_the_task_and_only_for_it(tmp_path: Path, way: str) -> None:
    """Later calls of the task are refused without asking; another task asks for itself."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        decide(meter, yes=False, why="too dear")
        for _ in range(2):
            with pytest.raises(ApprovalRequired, match="denied by lead: too dear") as caught:
                go(graph, None, meter.config(thread_id="t"), way=way)
            assert caught.value.reason == "approval_denied"
        other = go(graph, {"answers": []}, meter.config(ACME, thread_id="u"), way=way)
        assert len(waiting(other)) == 1
        assert model.requests == 0
        assert len(meter.ledger.approvals()) == 2


FIVE = 5_000_000_000
"""Five dollars."""


@pytest.mark.parametrize("way", WAYS)
def test_more_approved_for_one_task_is_not_for_another_nor_twice(tmp_path: Path, way: str) -> None:
    """+$5 for one run lets one call of $5 of that run out."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0, usd="5")) as meter:
        for thread in ("x", "y"):
            go(graph, {"answers": []}, meter.config(ACME, thread_id=thread), way=way)
        first, second = meter.ledger.approvals(pending=True)
        assert first["approval_id"] != second["approval_id"]
        decided = meter.ledger.inbox.decide(first["approval_id"], Decision(True, "lead", "yes"))
        assert (first["thread_id"], first["asked"], decided.granted) == ("x", FIVE, FIVE)
        stuck = go(graph, None, meter.config(thread_id="y"), way=way)
        assert (len(waiting(stuck)), model.requests) == (1, 0)
        go(graph, None, meter.config(thread_id="x"), way=way)
        assert model.requests == 1
        again = go(graph, {"answers": []}, meter.config(ACME, thread_id="x"), way=way)
        assert (len(waiting(again)), model.requests) == (1, 1)
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("way", WAYS)
def test_the_budget_is_checked_again_at_resume(tmp_path: Path, way: str) -> None:
    """Less was granted than the call asks for: it is not sent, and the rest is asked for."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        decide(meter, amount=CALL_NANOUSD - 1)
        stuck = go(graph, None, meter.config(thread_id="t"), way=way)
        assert (len(waiting(stuck)), model.requests) == (1, 0)
        decide(meter, amount=1)
        go(graph, None, meter.config(thread_id="t"), way=way)
        assert model.requests == 1
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("way", WAYS)
def test_what_others_spent_meanwhile_counts_at_resume(tmp_path: Path, way: str) -> None:
    """Of the limit of $5 nothing was left, and $5 more are approved; then somebody spends $1: the call asks anew."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(1, usd="5")) as meter:
        model.invoke("hi", meter.config(ACME))
        go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), way=way)
        assert decide(meter).granted == FIVE
        with meter.task(ACME):
            meter.record("human_review", usd=1)
        stuck = go(graph, None, meter.config(thread_id="t"), way=way)
        assert (len(waiting(stuck)), model.requests) == (1, 1)
        decide(meter)
        go(graph, None, meter.config(thread_id="t"), way=way)
        assert model.requests == 2
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (11_000_000_000, 0)
        assert meter.ledger.verify() == []


def test_raising_the_limit_answers_for_everybody(tmp_path: Path) -> None:
    """A grant without a task is room for every task of the window."""
    model = ScriptedModel()
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        meter.ledger.inbox.raise_limit("cap", "tenant=acme", 2 * CALL_NANOUSD, by="cfo", why="launch")
        graph.invoke(None, meter.config(thread_id="t"))
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="u"))
        assert model.requests == 2
        stuck = graph.invoke({"answers": []}, meter.config(ACME, thread_id="v"))
        assert (len(waiting(stuck)), model.requests) == (1, 2)


@pytest.mark.parametrize("way", WAYS)
def test_without_a_checkpointer_the_call_is_refused(tmp_path: Path, way: str) -> None:
    """A pause that nobody can go on from would look like an end."""
    graph = branching(ScriptedModel(), 1, None)
    with (
        Meter(tmp_path / "ledger.db", policy=asks(0)) as meter,
        pytest.raises(ApprovalRequired, match="a person has to approve it by") as caught,
    ):
        go(graph, {"answers": []}, meter.config(ACME), way=way)
    assert caught.value.reason == "approval_required"
    command = f"spendgraph approvals approve {caught.value.approval_id[:8]} --by NAME --why REASON"
    assert caught.value.hint == f"Decide with `{command}`, and go on with the thread."


def test_outside_of_a_graph_the_call_is_refused(tmp_path: Path) -> None:
    """The question is in the inbox all the same; once it is approved the same task goes on."""
    model = ScriptedModel()
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter, meter.task(ACME):
        with pytest.raises(ApprovalRequired):
            model.invoke("hi")
        decide(meter)
        model.invoke("hi")
    assert model.requests == 1


@EITHER
def test_a_pause_that_is_swallowed_comes_back(tmp_path: Path, asynchronous: bool) -> None:
    """`except Exception` around the call does not make an answer of it."""
    model = ScriptedModel()

    def node(_: Any) -> Any:
        try:
            return {"answers": [str(model.invoke("hi").content)]}
        except Exception:  # noqa: BLE001 - what users write
            return {"answers": ["sorry"]}

    graph = line(InMemorySaver(), node)
    with Meter(tmp_path / "ledger.db", policy=asks(0)) as meter, pytest.raises(RefusalSwallowed) as caught:
        go(graph, {"answers": []}, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
    assert isinstance(caught.value.refusal, ApprovalRequired)
    assert model.requests == 0


def test_a_pause_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """LangChain logs what a handler raises; our own pause is no error."""
    graph = branching(ScriptedModel(), 1, InMemorySaver())
    with caplog.at_level(logging.WARNING), Meter(tmp_path / "ledger.db", policy=asks(0)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
    assert caplog.records == []


def test_the_handler_waits_in_a_subgraph_too(tmp_path: Path) -> None:
    """The id of the question is the same in the subgraph and in the graph that pauses."""
    model = ScriptedModel()
    inner = branching(model, 2, None)
    outer = line(InMemorySaver(), inner)
    with Meter(tmp_path / "ledger.db", policy=asks(1)) as meter:
        paused = outer.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        (interrupt,) = waiting(paused)
        assert interrupt.id == meter.ledger.approvals()[0]["approval_id"]
        decide(meter)
        outer.invoke(None, meter.config(thread_id="t"))
        assert model.requests == 2


def test_two_budgets_ask_one_after_the_other(tmp_path: Path) -> None:
    """Each for itself; the call goes out when both have said yes."""
    model = ScriptedModel()
    more = "  - {name: team, per: team, limit_usd: 0, thresholds: [{at: 100%, do: approve}]}\n"
    graph = branching(model, 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0, more=more)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        assert decide(meter).budget == "cap"
        graph.invoke(None, meter.config(thread_id="t"))
        assert (decide(meter).budget, model.requests) == ("team", 0)
        graph.invoke(None, meter.config(thread_id="t"))
        assert model.requests == 1
        assert meter.ledger.verify() == []


def test_nobody_is_asked_where_another_budget_blocks(tmp_path: Path) -> None:
    """A yes would be worth nothing, whichever of the two the policy names first."""
    more = "  - {name: organisation, limit_usd: 0}\n"
    graph = branching(ScriptedModel(), 1, InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=asks(0, more=more)) as meter:
        with pytest.raises(BudgetExceeded, match="organisation"):
            graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        assert meter.ledger.approvals() == []


def test_what_a_call_did_not_need_of_a_grant_goes_back(tmp_path: Path) -> None:
    """A grant is drawn down by what is spent, not by what was held."""
    model = ScriptedModel()  # 10 tokens in, 5 out, and no limit of its own on the answer
    from scripted import PRICES, STEP_NANOUSD
    from spendgraph.policy import parse_policy

    policy = parse_policy(
        f"{PRICES}\nbudgets: [{{name: b, limit_usd: 0, thresholds: [{{at: 100%, do: approve}}]}}]"
    )
    graph = line(InMemorySaver(), paying(model), paying(model))
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        graph.invoke({"answers": []}, meter.config(CostContext(tenant="a"), thread_id="t"))
        (question,) = meter.ledger.approvals()
        assert question["asked"] > 50 * STEP_NANOUSD
        decide(meter, amount=question["asked"] + STEP_NANOUSD)
        graph.invoke(None, meter.config(thread_id="t"))
        assert model.requests == 2
        assert rows(meter, "SELECT used FROM grants") == [(2 * STEP_NANOUSD,)]
        assert meter.ledger.verify() == []
