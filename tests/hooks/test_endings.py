"""How steps and tasks end: paused, failed, cancelled, cut, timed out, late, never."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, TimeoutPolicy, interrupt

from hooks.graphs import State, graph_of, rows
from scripted import STEP_NANOUSD, ScriptedModel, StreamingModel
from spendgraph import CostContext, Meter

ACME = CostContext(feature="triage", team="support", tenant="acme")


def statuses(meter: Meter) -> list[str]:
    """The tasks' statuses, oldest first."""
    meter.flush()
    with sqlite3.connect(meter.ledger.place.name) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM tasks ORDER BY rowid")]


def test_a_finished_graph_is_a_finished_task(scripted: Meter) -> None:
    """One root, one task, ended."""
    graph_of(lambda s: s | {"n": len(ScriptedModel().invoke("hi").content)}).invoke(
        {"n": 0}, scripted.config(ACME)
    )
    assert statuses(scripted) == ["finished"]


def test_a_failing_graph_is_a_failed_task_and_its_step_stays(scripted: Meter) -> None:
    """What was paid before the failure is booked; the task says that it failed."""

    def work(state: State) -> State:
        ScriptedModel().invoke("hi")
        raise KeyError("bug")

    with pytest.raises(KeyError):
        graph_of(work).invoke({"n": 0}, scripted.config(ACME))
    assert statuses(scripted) == ["failed"]
    assert [r["cost_nanousd"] for r in rows(scripted)] == [STEP_NANOUSD]


def test_a_node_that_pays_and_is_interrupted_pays_again_as_a_replay(scripted: Meter) -> None:
    """Both calls were billed: both are booked, on one task; the second is marked as a replay, the third is not."""
    model = ScriptedModel()

    def work(state: State) -> State:
        model.invoke("before the question")
        interrupt("go on?")
        model.invoke("after the answer")
        return state

    graph = graph_of(work, InMemorySaver())
    graph.invoke({"n": 0}, scripted.config(ACME, thread_id="1"))
    assert statuses(scripted) == ["paused"]
    graph.invoke(Command(resume="yes"), scripted.config(thread_id="1"))
    assert statuses(scripted) == ["finished"]
    assert [(r["tenant"], r["is_replay"]) for r in rows(scripted)] == [("acme", 0), ("acme", 1), ("acme", 0)]
    assert len({r["task_id"] for r in rows(scripted)}) == 1


def test_a_resume_inside_a_task_block_with_the_same_tags_goes_on_with_the_paused_task(
    scripted: Meter,
) -> None:
    """A server that opens `meter.task` for every request does not split a paused task in two."""
    model = ScriptedModel()

    def work(state: State) -> State:
        interrupt("go on?")
        model.invoke("hi")
        return state

    graph = graph_of(work, InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with scripted.task(ACME) as first:
        graph.invoke({"n": 0}, config)
        paused = first.task_id
    assert statuses(scripted) == ["paused"]
    with scripted.task(ACME) as second:
        graph.invoke(Command(resume="yes"), config)
        assert second.task_id == paused
    assert statuses(scripted) == ["finished"]
    assert [r["task_id"] for r in rows(scripted)] == [paused]


def test_a_resume_by_somebody_else_is_not_the_paused_task(scripted: Meter) -> None:
    """Tags that name another payer open another task; nothing is blended."""
    model = ScriptedModel()

    def work(state: State) -> State:
        interrupt("go on?")
        model.invoke("hi")
        return state

    graph = graph_of(work, InMemorySaver())
    graph.invoke({"n": 0}, scripted.config(ACME, thread_id="1"))
    graph.invoke(Command(resume="yes"), scripted.config(CostContext(tenant="umbrella"), thread_id="1"))
    (row,) = rows(scripted)
    assert (row["tenant"], row["feature"]) == ("umbrella", "")
    assert statuses(scripted) == ["paused", "finished"]


def test_a_resume_after_a_static_breakpoint_goes_on_with_the_task(scripted: Meter) -> None:
    """`interrupt_before` raises nothing: the last task of the thread goes on all the same."""
    model = ScriptedModel()
    builder = StateGraph(State)
    builder.add_node("work", lambda s: {"n": len(model.invoke("hi").content)})
    builder.add_edge(START, "work")
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["work"])
    graph.invoke({"n": 0}, scripted.config(ACME, thread_id="1"))
    graph.invoke(None, scripted.config(thread_id="1"))
    assert [r["tenant"] for r in rows(scripted)] == ["acme"]


def test_retries_of_a_node_are_each_booked_with_their_attempt(scripted: Meter) -> None:
    """Three attempts, three requests, three rows."""
    model = ScriptedModel()
    fails = [1, 1, 0]

    def work(state: State) -> State:
        model.invoke("hi")
        if fails.pop(0):
            raise ConnectionError
        return state

    policy = RetryPolicy(initial_interval=0.001, max_attempts=3)
    graph_of(work, retry_policy=policy).invoke({"n": 0}, scripted.config(ACME))
    assert [r["attempt"] for r in rows(scripted)] == [1, 2, 3]


async def _cancelled(meter: Meter, graph: Any, model: ScriptedModel) -> None:
    run = asyncio.create_task(graph.ainvoke({"n": 0}, meter.config(ACME)))
    while not model.sent["begun"]:
        await asyncio.sleep(0.005)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


def test_a_cancelled_call_that_emits_no_end_is_booked_when_its_root_ends(scripted: Meter) -> None:
    """The call was sent: it is an estimate, marked as cancelled, and the task is over."""
    model = ScriptedModel(seconds=30)

    async def work(state: State) -> State:
        await model.ainvoke([HumanMessage("hello " * 100)])
        return state

    asyncio.run(_cancelled(scripted, graph_of(work), model))
    (row,) = rows(scripted)
    assert (row["status"], row["cost_basis"], row["tenant"]) == ("cancelled", "estimated", "acme")
    assert row["input_tokens"] > 50
    assert row["cost_nanousd"] == row["input_tokens"] * 1000
    assert statuses(scripted) == ["cancelled"]


def test_a_cancelled_call_with_a_stated_limit_is_an_upper_bound(scripted: Meter) -> None:
    """Where the request says how long the answer may be, the whole of it is booked."""
    model = ScriptedModel(seconds=30).bind(max_tokens=1000)

    async def call() -> None:
        with scripted.task(ACME):
            await asyncio.wait_for(model.ainvoke("hi"), 0.2)

    with pytest.raises(TimeoutError):
        asyncio.run(call())
    (row,) = rows(scripted)
    assert (row["status"], row["cost_basis"], row["output_tokens"]) == ("cancelled", "upper_bound", 1000)


def test_an_attempt_cut_by_a_node_timeout_is_booked_beside_its_retry(scripted: Meter) -> None:
    """TimeoutPolicy hides an attempt that was paid for: it is a row of its own."""
    model = ScriptedModel()
    waits = [30.0, 0.0]

    async def work(state: State) -> State:
        model.seconds = waits.pop(0)
        await model.ainvoke("hi")
        return state

    graph = graph_of(
        work,
        timeout=TimeoutPolicy(run_timeout=2),
        retry_policy=RetryPolicy(initial_interval=0.001, max_attempts=2),
    )
    asyncio.run(graph.ainvoke({"n": 0}, scripted.config(ACME)))
    assert sorted(r["status"] for r in rows(scripted)) == ["cancelled", "ok"]


def test_a_late_end_corrects_what_was_settled(scripted: Meter) -> None:
    """A call left running in the background is settled when its root ends, and corrected by its end."""
    model = ScriptedModel()
    left: list[asyncio.Task[Any]] = []

    async def work(state: State) -> State:
        model.gate = asyncio.Event()
        left.append(asyncio.create_task(model.ainvoke("hi")))
        while not model.sent["begun"]:
            await asyncio.sleep(0.001)
        return state

    async def run() -> None:
        await graph_of(work).ainvoke({"n": 0}, scripted.config(ACME))
        await scripted.aflush()
        assert [r["entry"] for r in rows(scripted)] == ["charge"]
        assert model.gate is not None
        model.gate.set()
        await left[0]

    asyncio.run(run())
    charge, correction = rows(scripted)
    assert (charge["entry"], correction["entry"]) == ("charge", "correction")
    assert correction["corrects_step_id"] == charge["step_id"]
    assert charge["cost_nanousd"] + correction["cost_nanousd"] == STEP_NANOUSD
    assert charge["output_tokens"] + correction["output_tokens"] == 5
    assert scripted.ledger.verify() == []


def test_a_stream_that_is_closed_early_is_cut_and_estimated(scripted: Meter) -> None:
    """The text received so far is what is known of the output."""
    with scripted.task(ACME):
        stream = StreamingModel().stream("hello there")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    (row,) = rows(scripted)
    assert (row["status"], row["cost_basis"]) == ("cut", "estimated")
    assert row["input_tokens"] > 0
    assert 0 < row["output_tokens"] < 5


def test_a_stream_read_to_its_end_costs_what_an_answer_costs(scripted: Meter) -> None:
    """Streaming and invoking are the same money."""
    with scripted.task(ACME):
        assert "".join(str(c.content) for c in StreamingModel().stream("hi")) == "one two three "
    assert [(r["cost_nanousd"], r["cost_basis"]) for r in rows(scripted)] == [(STEP_NANOUSD, "reported")]


def test_an_http_error_is_booked_as_an_attempt_that_cost_nothing(scripted: Meter) -> None:
    """A provider bills what it answered, not what it refused."""

    class TooManyError(Exception):
        status_code = 429

    model = ScriptedModel(failures=[TooManyError()])
    with scripted.task(ACME), pytest.raises(TooManyError):
        model.invoke("hi")
    (row,) = rows(scripted)
    assert (row["status"], row["cost_nanousd"], row["error_class"]) == ("error", 0, "TooManyError")


def test_a_call_that_another_handler_stops_is_not_booked(scripted: Meter) -> None:
    """A guard of somebody else that raises at the start: nothing was sent, nothing is booked."""
    from langchain_core.callbacks import BaseCallbackHandler

    class Guard(BaseCallbackHandler):
        raise_error = True

        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            raise PermissionError

    model = ScriptedModel()
    config: Any = {"callbacks": [scripted.handler, Guard()], "metadata": ACME.metadata()}
    with pytest.raises(PermissionError):
        model.invoke("hi", config)
    scripted.listener.settle(scripted.recorder.open_steps.values())
    assert model.requests == 0
    assert rows(scripted) == []


def test_an_outcome_is_the_current_tasks(scripted: Meter) -> None:
    """`meter.outcome` says of the task that encloses it how it turned out and what it was worth."""
    with scripted.task(ACME) as task:
        ScriptedModel().invoke("hi")
        scripted.outcome(success=True, value_usd="4.00")
    tree = scripted.ledger.task(task.task_id)
    assert tree is not None
    assert (tree.row["outcome"], tree.row["value_nanousd"]) == ("success", 4_000_000_000)


def test_an_outcome_outside_of_a_task_is_an_error(scripted: Meter) -> None:
    """There is nothing it could be said of."""
    from spendgraph import LedgerError

    with pytest.raises(LedgerError, match="outside of a task"):
        scripted.outcome(success=True)


def test_task_decorates_functions_and_coroutines(scripted: Meter) -> None:
    """Every call of a decorated function is a task of its own."""
    model = ScriptedModel()

    @scripted.task(ACME)
    def once() -> None:
        model.invoke("hi")

    @scripted.task(ACME)
    async def twice() -> None:
        await model.ainvoke("hi")
        await model.ainvoke("hi")

    once()
    asyncio.run(twice())
    tasks = [r["task_id"] for r in rows(scripted)]
    assert [r["tenant"] for r in rows(scripted)] == ["acme"] * 3
    assert tasks[0] != tasks[1] == tasks[2]
