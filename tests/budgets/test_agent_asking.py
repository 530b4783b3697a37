"""An agent whose budget asks: it pauses before the model's node, and nothing that was paid for is paid again."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from budgets.agents import EITHER_WAY, agent_of, ask, counters, degraded, holds, lookup, metered
from budgets.talker import CTX, Talker, budget, call
from spendgraph import ApprovalRequired, BudgetExceeded, Meter
from spendgraph.policy import parse_policy

APPROVE = ", thresholds: [{at: 100%, do: approve}]"
YES = {"decisions": [{"type": "approve"}]}
NO = {"decisions": [{"type": "reject", "message": "enough"}]}
HI = {"messages": [("user", "hi")]}


def run(agent: Any, inputs: Any, config: Any, *, asynchronous: bool) -> Any:
    """Invoke it, on an event loop or not."""
    return asyncio.run(agent.ainvoke(inputs, config)) if asynchronous else agent.invoke(inputs, config)


def thread(meter: Meter) -> Any:
    """The config of acme's thread."""
    return meter.config(CTX, thread_id="1")


@EITHER_WAY
def test_a_spent_budget_asks_before_the_models_node(tmp_path: Path, asynchronous: bool) -> None:
    """The first call and the tool are paid for once; the question comes in a node of its own, and yes goes on."""
    model = Talker(max_tokens=500, input=1_000, calls=[[call("lookup", key="x")]])
    with metered(tmp_path, budget("0.0052", APPROVE, per="task")) as meter:
        agent = agent_of(meter, model, tools=[lookup], checkpointer=InMemorySaver())
        paused = run(agent, HI, thread(meter), asynchronous=asynchronous)
        (question,) = paused["__interrupt__"]
        assert agent.get_state(thread(meter)).next == ("BudgetMiddleware.before_model",)
        assert (model.requests, holds(meter)) == (1, 0)
        assert question.value["spendgraph"]["budget"] == "cap"
        amount = {"type": "edit", "edited_action": {"name": "spend", "args": {"amount": "0.01"}}}
        resume: Any = Command(resume={"decisions": [amount]})
        result = run(agent, resume, meter.config(thread_id="1"), asynchronous=asynchronous)
        assert "__interrupt__" not in result
        assert model.requests == 2
        assert [step["kind"] for step in meter.ledger.steps(kind="model")] == ["model"] * 2
        assert len(list(meter.ledger.steps(kind="tool"))) == 1
        assert counters(meter) == (12_000_000, 0)
        assert meter.ledger.verify() == []


@EITHER_WAY
def test_a_no_refuses_the_call(tmp_path: Path, asynchronous: bool) -> None:
    """And is not asked again."""
    model = Talker(max_tokens=500)
    with metered(tmp_path, budget("0", APPROVE, per="task")) as meter:
        agent = agent_of(meter, model, checkpointer=InMemorySaver())
        run(agent, HI, thread(meter), asynchronous=asynchronous)
        with pytest.raises(ApprovalRequired, match="enough"):
            run(agent, Command(resume=NO), meter.config(thread_id="1"), asynchronous=asynchronous)
        assert model.requests == 0


@EITHER_WAY
def test_a_call_is_made_cheaper_before_anybody_is_asked(tmp_path: Path, asynchronous: bool) -> None:
    """A person's time is dearer: only when no form of the call fits does the model's node ask."""
    model = Talker(max_tokens=1_000)
    with metered(tmp_path, budget("0.0018", APPROVE, per="task")) as meter:
        agent = agent_of(
            meter, model, cheaper={"dear": "cheap"}, min_output_tokens=1_000, checkpointer=InMemorySaver()
        )
        result = run(agent, HI, thread(meter), asynchronous=asynchronous)
        assert degraded(result["messages"][-1]) == [{"change": "model", "from": "dear", "to": "cheap"}]
        with pytest.raises(KeyError):
            result["__interrupt__"]


def test_a_question_of_the_call_is_answered_there(tmp_path: Path) -> None:
    """Yes to a call that did not fit: it goes out as requested, once."""
    model = Talker(max_tokens=1_000)
    with metered(tmp_path, budget("0.0018", APPROVE, per="task")) as meter:
        agent = agent_of(meter, model, min_output_tokens=1_000, checkpointer=InMemorySaver())
        paused = agent.invoke(HI, thread(meter))
        assert agent.get_state(thread(meter)).next == ("model",)
        assert (model.requests, holds(meter), len(paused["__interrupt__"])) == (0, 0, 1)
        result = agent.invoke(Command(resume=YES), meter.config(thread_id="1"))
        assert (model.requests, degraded(result["messages"][-1])) == (1, [])
        assert counters(meter) == (10_010_000, 0)
        assert meter.ledger.verify() == []


@EITHER_WAY
def test_somebody_has_to_take_note_before_the_next_call(tmp_path: Path, asynchronous: bool) -> None:
    """`acknowledge` pauses in the same place, once a window."""
    model = Talker(max_tokens=500, calls=[[call("lookup", key="x")]])
    policy = budget("1", ", thresholds: [{at: 0.1%, do: acknowledge}]", per="task")
    with metered(tmp_path, policy) as meter:
        agent = agent_of(meter, model, tools=[lookup], checkpointer=InMemorySaver())
        paused = run(agent, HI, thread(meter), asynchronous=asynchronous)
        assert paused["__interrupt__"][0].value["spendgraph"]["kind"] == "acknowledge"
        assert agent.get_state(thread(meter)).next == ("BudgetMiddleware.before_model",)
        result = run(agent, Command(resume=YES), meter.config(thread_id="1"), asynchronous=asynchronous)
        assert (model.requests, "__interrupt__" in result) == (2, False)


def test_a_budget_that_blocks_is_not_asked_about(tmp_path: Path) -> None:
    """Two budgets in the way, one blocks: a yes to the other would be worth nothing."""
    model = Talker(max_tokens=500)
    policy = parse_policy(
        "version: 1\nprices:\n  models: [{provider: '*', model: dear, input_usd_per_mtok: '1', output_usd_per_mtok: '10'}]\n"
        "budgets:\n  - {name: asks, limit_usd: 0, thresholds: [{at: 100%, do: approve}]}\n  - {name: blocks, limit_usd: 0}\n"
    )
    with metered(tmp_path, policy) as meter:
        agent = agent_of(meter, model, checkpointer=InMemorySaver())
        with pytest.raises(BudgetExceeded, match="budget 'blocks'"):
            agent.invoke(HI, meter.config(CTX, thread_id="t"))
        assert (model.requests, meter.ledger.approvals()) == (0, [])


def test_without_a_checkpointer_the_question_is_a_refusal(tmp_path: Path) -> None:
    """Nobody can be asked: the refusal names the approval."""
    model = Talker(max_tokens=500)
    with metered(tmp_path, budget("0", APPROVE)) as meter:
        with pytest.raises(ApprovalRequired) as refused:
            ask(agent_of(meter, model), meter.config(CTX))
        assert len(refused.value.approval_id) == 32


def test_what_calls_usually_cost_is_looked_for_ahead(tmp_path: Path) -> None:
    """After twenty calls of five cents the agent asks while there are still four in the budget."""
    model = Talker(max_tokens=5_000)
    with metered(tmp_path, budget("1.04", APPROVE)) as meter:
        agent = agent_of(meter, model, checkpointer=InMemorySaver())
        for number in range(20):
            agent.invoke(HI, meter.config(CTX, thread_id=str(number)))
        paused = agent.invoke(HI, meter.config(CTX, thread_id="last"))
        assert model.requests == 20
        assert paused["__interrupt__"][0].value["spendgraph"]["asked"] > 0
        assert agent.get_state(meter.config(CTX, thread_id="last")).next == ("BudgetMiddleware.before_model",)


def test_looking_ahead_holds_nothing(tmp_path: Path) -> None:
    """Where there is room, or nobody to be asked, it says nothing; else it asks for what the call may need."""
    with metered(tmp_path, budget("0.01", APPROVE)) as meter, meter.task(CTX):
        reservations = meter.recorder.reservations
        assert reservations is not None
        place = meter.recorder.here()
        reservations.gating.ask_ahead(place, 10_000_000)
        with pytest.raises(ApprovalRequired):
            reservations.gating.ask_ahead(place, 10_000_001)
        assert [row["asked"] for row in meter.ledger.approvals()] == [10_000_001]
        assert holds(meter) == 0
    (tmp_path / "other").mkdir()
    with metered(tmp_path / "other", budget("0")) as meter, meter.task(CTX):
        assert meter.recorder.reservations is not None
        meter.recorder.reservations.gating.ask_ahead(meter.recorder.here(), 1)
        with pytest.raises(BudgetExceeded):
            Talker(max_tokens=5).invoke("hi")
