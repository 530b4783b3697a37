"""What outlives what: blocks shared by threads, generators, background work, several meters, reused ids."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from hooks.graphs import State, chain_of, graph_of, rows
from scripted import STEP_NANOUSD, ScriptedModel, scripted_policy
from spendgraph import ContextMissing, CostContext, LedgerError, Meter

A = CostContext(feature="triage", team="support", tenant="a")
B = CostContext(feature="digest", team="growth", tenant="b")


def tenants(meter: Meter) -> list[str]:
    """Who paid, in order of booking."""
    return [row["tenant"] for row in rows(meter)]


def test_a_block_shared_by_threads_that_overlap_leaves_no_tag_behind(scripted: Meter) -> None:
    """The first to enter is the first to leave: afterwards its thread belongs to nobody."""
    block = scripted.task(A)
    entered, second = threading.Event(), threading.Event()
    model = ScriptedModel()

    def first() -> None:
        with block:
            entered.set()
            assert second.wait(10)
        scripted.install()
        model.invoke("after")

    def other() -> None:
        assert entered.wait(10)
        with block:
            second.set()
            one.join(10)
            model.invoke("inside")

    one, two = threading.Thread(target=first), threading.Thread(target=other)
    one.start()
    two.start()
    one.join(10)
    two.join(10)
    assert tenants(scripted) == ["", "a"]


def test_generators_that_take_turns_leave_no_tag_behind(scripted: Meter) -> None:
    """Blocks left out of order in one context each take away their own scope only."""
    model = ScriptedModel()

    def work(context: CostContext) -> Iterator[None]:
        with scripted.task(context):
            yield
            model.invoke("hi")

    first, second = work(A), work(B)
    next(first)
    next(second)
    list(first)
    with scripted.task(tenant="c"):
        model.invoke("hi")
    list(second)
    scripted.install()
    model.invoke("hi")
    assert tenants(scripted)[-1] == ""
    assert tenants(scripted)[1] == "c"


def test_a_generator_closed_in_another_context_leaves_no_tag_behind(scripted: Meter) -> None:
    """Its scope counts no more in the context that entered it."""

    def work() -> Iterator[None]:
        with scripted.task(A):
            yield

    generator = work()
    next(generator)
    contextvars.copy_context().run(generator.close)  # type: ignore[attr-defined]
    scripted.install()
    ScriptedModel().invoke("hi")
    assert tenants(scripted) == [""]


def test_two_graphs_without_names_may_share_a_threads_id(scripted: Meter) -> None:
    """A task of another payer is neither ended by a new input nor adopted by a resume."""
    model = ScriptedModel()

    def ask(state: State) -> State:
        interrupt("?")
        model.invoke("hi")
        return state

    def answer(state: State) -> State:
        model.invoke("hi")
        return state

    first, second = graph_of(ask, InMemorySaver()), graph_of(answer, InMemorySaver())
    first.invoke({"n": 0}, scripted.config(A, thread_id="42"))
    second.invoke({"n": 0}, scripted.config(B, thread_id="42"))
    first.invoke(Command(resume=1), scripted.config(thread_id="42"))
    assert tenants(scripted) == ["b", "a"]


@pytest.mark.parametrize("said", [{"id": 123}, {"model_name": 5}, {"service_tier": 3}])
def test_an_answer_of_unexpected_shape_is_returned_and_booked(said: dict[str, Any], scripted: Meter) -> None:
    """Whatever a provider says, its answer reaches the caller and its cost the ledger."""

    class Odd(ScriptedModel):
        def _answer(self) -> AIMessage:
            answer = super()._answer()
            answer.response_metadata = {"model_name": "scripted", **said}
            return answer

    assert Odd().invoke("hi", scripted.config(A)).content == "ok"
    (row,) = rows(scripted)
    assert (row["tenant"], row["cost_nanousd"]) == ("a", STEP_NANOUSD)


def test_a_task_keeps_its_meter_alive(tmp_path: Path) -> None:
    """Nobody else needs to hold a meter whose task is open."""
    with Meter(tmp_path / "l.db", policy=scripted_policy()).task(A):
        gc.collect()
        ScriptedModel().invoke("hi")
    with Meter(tmp_path / "l.db") as meter:
        assert tenants(meter) == ["a"]


def test_a_closed_meter_refuses_rather_than_looks_away(tmp_path: Path) -> None:
    """A run that names a closed meter is an error, not a call without books."""
    model = ScriptedModel()
    with Meter(tmp_path / "l.db", policy=scripted_policy()) as meter:
        config, block = meter.config(A), meter.task(A)
    with pytest.raises(LedgerError, match="closed"):
        model.invoke("hi", config)
    with pytest.raises(LedgerError, match="closed"), block:
        model.invoke("hi")
    assert model.requests == 0


def test_a_lone_call_that_times_out_is_booked_at_once_and_forgotten(scripted: Meter) -> None:
    """Nothing refers to it any more: its end can never be heard, so it is booked now, not at the close."""
    model = ScriptedModel(seconds=30)

    async def calls() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(model.ainvoke("hi", scripted.config(A)), 0.05)

    asyncio.run(calls())
    gc.collect()
    assert [(row["tenant"], row["status"]) for row in rows(scripted)] == [("a", "cancelled")] * 3
    assert len(scripted.attribution.runs) == 0
    assert scripted.recorder.open_steps == {}


def test_ended_runs_are_forgotten_with_their_prompts(scripted: Meter) -> None:
    """A prompt lives no longer than its call, a run no longer than somebody can name it."""
    for _ in range(5):
        chain_of(lambda _: ScriptedModel().invoke("x" * 1000)).invoke(1, scripted.config(A))
    gc.collect()
    assert len(scripted.attribution.runs) == 0


def test_background_work_is_seen_however_many_runs_end_before_it(scripted: Meter) -> None:
    """A call started with `callbacks=[]` long after its root has ended is still its tenant's."""
    model = ScriptedModel()
    copied: list[contextvars.Context] = []
    chain = chain_of(lambda _: copied.append(contextvars.copy_context()))
    chain.invoke(1, scripted.config(A))
    noop = chain_of(lambda x: x)
    for _ in range(5000):
        noop.invoke(1, scripted.config(B))
    # Metadata that says otherwise, because LangChain hands the root's own down: only the run above knows.
    copied[0].run(model.invoke, "hi", {"callbacks": [], "metadata": B.metadata()})
    assert tenants(scripted) == ["a"]


def test_a_run_id_given_twice_is_two_calls_of_two_payers(scripted: Meter) -> None:
    """Callers may give the same id to several runs; each is booked for whoever pays for it."""
    run_id = uuid.UUID(int=7)
    model = ScriptedModel()
    chain = chain_of(lambda _: model.invoke("hi"))
    for context in (A, B):
        config: Any = {**scripted.config(context), "run_id": run_id}
        model.invoke("hi", config)
        chain.invoke(1, config)
    assert tenants(scripted) == ["a", "a", "b", "b"]
    assert model.requests == 4


def test_a_run_id_given_as_text_is_booked_like_any_other(scripted: Meter) -> None:
    """LangChain does not insist on a UUID, so neither do the books."""
    model = ScriptedModel()
    chain = chain_of(lambda _: model.invoke("hi"))
    for context in (A, B):
        config: Any = {**scripted.config(context), "run_id": "request-7"}
        chain.invoke(1, config)
    assert tenants(scripted) == ["a", "b"]
    gc.collect()
    assert len(scripted.attribution.runs) == 0


def test_an_inner_task_of_another_meter_hides_nothing(scripted: Meter, tmp_path: Path) -> None:
    """Two meters around one call are two sets of books, whichever is the inner one."""
    with Meter(tmp_path / "other.db", policy=scripted_policy()) as other:
        with scripted.task(A), other.task(B):
            ScriptedModel().invoke("hi")
        assert (tenants(scripted), tenants(other)) == (["a"], ["b"])


def test_two_installed_meters_both_follow_into_a_thread(scripted: Meter, tmp_path: Path) -> None:
    """Threads carry every installed meter's task."""
    with Meter(tmp_path / "other.db", policy=scripted_policy()) as other:
        scripted.install(threads=True)
        other.install(threads=True)
        with scripted.task(A), other.task(B):
            thread = threading.Thread(target=ScriptedModel().invoke, args=("hi",))
            thread.start()
            thread.join(10)
        assert (tenants(scripted), tenants(other)) == (["a"], ["b"])


def test_what_one_meter_refuses_the_other_does_not_book(scripted: Meter, tmp_path: Path) -> None:
    """A call that was not sent is in nobody's books."""
    policy = scripted_policy("attribution: {required: [cost_center], on_missing: block}\n")
    with Meter(tmp_path / "strict.db", policy=policy) as strict:
        for config in (strict.config(A, scripted.config(A)), scripted.config(A, strict.config(A))):
            with pytest.raises(ContextMissing):
                ScriptedModel().invoke("hi", config)
    scripted.listener.settle(scripted.recorder.open_steps.values())
    assert rows(scripted) == []


def test_a_graph_that_pauses_in_a_block_which_already_paid_is_found_by_its_thread(scripted: Meter) -> None:
    """The task is tied to the thread although its row was written before."""
    model = ScriptedModel()

    def ask(state: State) -> State:
        interrupt("?")
        model.invoke("hi")
        return state

    graph = graph_of(ask, InMemorySaver())
    with scripted.task(A):
        model.invoke("classify")
        graph.invoke({"n": 0}, {"configurable": {"thread_id": "42"}})
    graph.invoke(Command(resume=1), scripted.config(thread_id="42"))
    assert tenants(scripted) == ["a", "a"]
    assert len({row["task_id"] for row in rows(scripted)}) == 1


def test_a_resume_with_hashed_users_goes_on_with_the_task(tmp_path: Path) -> None:
    """The caller's plain user and the ledger's pseudonym are the same person."""
    policy = scripted_policy("attribution: {users: hashed}\n")
    context = A.replace(user="jane@example.com")

    def ask(state: State) -> State:
        interrupt("?")
        ScriptedModel().invoke("hi")
        return state

    graph = graph_of(ask, InMemorySaver())
    with Meter(tmp_path / "l.db", policy=policy) as meter:
        config: Any = {
            "callbacks": [meter.handler],
            "metadata": context.metadata(),
            "configurable": {"thread_id": "42"},
        }
        graph.invoke({"n": 0}, config)
        graph.invoke(Command(resume=1), config)
        tree = meter.ledger.task(rows(meter)[0]["task_id"])
    assert tree is not None
    assert tree.row["thread_id"] == "42"


def test_a_cost_recorded_for_the_past_moves_no_clock(tmp_path: Path) -> None:
    """When a row was recorded is the ledger's own time, whatever the cost belongs to."""
    now = datetime.now(UTC)
    with Meter(tmp_path / "l.db", policy=scripted_policy()) as meter, meter.task(A):
        meter.record("gpu", usd="1", started=now - timedelta(days=9), ended=now - timedelta(days=8))
    with Meter(tmp_path / "l.db", policy=scripted_policy()) as meter:
        (row,) = rows(meter)
    assert row["ended_us"] - row["started_us"] == 86_400_000_000
    assert row["recorded_us"] - row["ended_us"] > 7 * 86_400_000_000


def test_work_that_outlives_its_block_does_not_reopen_the_task(scripted: Meter) -> None:
    """The late step belongs to the task; the task stays ended."""
    model = ScriptedModel()

    async def run() -> None:
        model.gate = asyncio.Event()
        with scripted.task(A) as task:
            await ScriptedModel().ainvoke("hi")
            late = asyncio.create_task(model.ainvoke("later"))
        model.gate.set()
        await late
        await scripted.aflush()
        tree = scripted.ledger.task(task.task_id)
        assert tree is not None
        assert (tree.row["status"], tree.steps) == ("finished", 2)

    asyncio.run(run())
    assert tenants(scripted) == ["a", "a"]


def test_blocks_that_share_a_task_id_do_not_settle_each_others_calls(scripted: Meter) -> None:
    """A fan-out over a queue gives one task id to several blocks at once."""
    model = ScriptedModel(seconds=0.2)
    context = A.replace(task_id="T1")

    async def slow() -> None:
        with scripted.task(context):
            await model.ainvoke("hi")

    async def quick() -> None:
        with scripted.task(context):
            await ScriptedModel().ainvoke("hi")

    async def both() -> None:
        await asyncio.gather(slow(), quick())

    asyncio.run(both())
    assert [(row["task_id"], row["status"], row["entry"]) for row in rows(scripted)] == [
        ("T1", "ok", "charge"),
        ("T1", "ok", "charge"),
    ]
