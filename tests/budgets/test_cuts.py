"""What becomes of a stream that was cut off: who hears of it, what is paid again, what is still held."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langgraph.types import RetryPolicy

from budgets.streaming import ACME, CHUNK_NANOUSD, SENT_TOKENS, LongModel, State, agraph_of, graph_of, limited
from spendgraph import BudgetExceeded, LedgerBusy, Meter, RefusalSwallowed
from spendgraph.hooks.chunks import size_of, size_of_event

SENT_NANOUSD = SENT_TOKENS * 1_000
EMPTY: State = {"answer": ""}


def spent(meter: Meter) -> tuple[int, int]:
    """What is spent and held in the only window."""
    (row,) = meter.ledger.windows()
    return row["spent_nanousd"], row["held_nanousd"]


RETRIED: dict[str, Callable[[LongModel], Any]] = {
    "with_retry": lambda model: graph_of(
        model.with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    ),
    "RetryPolicy": lambda model: graph_of(model, retry_policy=RetryPolicy(retry_on=Exception)),
    "async with_retry": lambda model: agraph_of(
        model.with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    ),
    "async RetryPolicy": lambda model: agraph_of(model, retry_policy=RetryPolicy(retry_on=Exception)),
}


# On an event loop LangChain drops what it was to tell handlers after the one that refused, and Python says so.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", RETRIED)
def test_a_stream_that_was_cut_is_not_paid_again(tmp_path: Path, how: str) -> None:
    """`with_retry` repeats it, and is refused at the start: the budget is full."""
    model = LongModel()
    with Meter(tmp_path / "ledger.db", policy=limited()) as meter:
        graph = RETRIED[how](model)

        async def arun() -> None:
            async for _ in graph.astream(EMPTY, meter.config(ACME), stream_mode="messages"):
                pass

        def run() -> None:
            list(graph.stream(EMPTY, meter.config(ACME), stream_mode="messages"))

        with pytest.raises(BudgetExceeded) as caught:
            asyncio.run(arun()) if how.startswith("async") else run()
        assert caught.value.reason == ("budget_exceeded" if "with_retry" in how else "stream_cut")
        assert model.requests == 1
        (step,) = meter.ledger.steps()
        assert step["status"] == "cut"
    del caught
    gc.collect()  # or it is said in another test


def test_a_cut_that_is_swallowed_comes_back_at_the_end(tmp_path: Path) -> None:
    """Half an answer is no answer, unless somebody says so."""
    model = LongModel()
    with Meter(tmp_path / "ledger.db", policy=limited()) as meter:

        def call(*, handled: bool) -> str:
            words = ""
            try:
                for chunk in model.stream("hi"):
                    words += str(chunk.content)
            except BudgetExceeded as refusal:
                if handled:
                    refusal.handled()
            return words

        chain: Any = RunnableLambda(lambda _: call(handled=False))
        with pytest.raises(RefusalSwallowed):
            chain.invoke("hi", meter.config(ACME))
    with Meter(tmp_path / "other.db", policy=limited()) as meter:
        chain = RunnableLambda(lambda _: call(handled=True))
        answer = chain.invoke("hi", meter.config(ACME))
        assert len(answer) == 4 * 40


def test_a_ledger_that_does_not_answer_ends_the_stream(tmp_path: Path) -> None:
    """Fail closed, and typed; the loop waits no longer than it does for a reservation."""
    path = tmp_path / "ledger.db"
    model = LongModel()

    async def run(meter: Meter) -> None:
        stream = model.astream("hi", meter.config(ACME))
        await anext(stream)
        await meter.aflush()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerBusy):
                await anext(stream)
            other.execute("ROLLBACK")

    with Meter(path, policy=limited("1")) as meter:
        asyncio.run(run(meter))
        (step,) = meter.ledger.steps()
        assert (step["status"], step["error_class"], step["output_tokens"]) == ("cut", "LedgerBusy", 20)
        assert spent(meter) == (SENT_NANOUSD + 2 * CHUNK_NANOUSD, 0)
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_many_streams_pass_a_limit_by_a_chunk_each_at_most(tmp_path: Path, asynchronous: bool) -> None:
    """Of a provider that bills a token for four letters, however they interleave."""
    streams, limit = 8, 1_000_000
    model = LongModel(chunks=30)
    with Meter(tmp_path / "ledger.db", policy=limited("0.001")) as meter:
        config = meter.config(ACME)

        def read(_: int) -> bool:
            try:
                return bool(list(model.stream("hi", config)))
            except BudgetExceeded:
                return False

        async def aread() -> bool:
            try:
                return bool([chunk async for chunk in model.astream("hi", config)])
            except BudgetExceeded:
                return False

        async def all_of_them() -> list[bool]:
            return await asyncio.gather(*(aread() for _ in range(streams)))

        if asynchronous:
            whole = asyncio.run(all_of_them())
        else:
            with ThreadPoolExecutor(streams) as pool:
                whole = list(pool.map(read, range(streams)))
        assert not all(whole)
        total, held = spent(meter)
        assert held == 0
        assert limit - CHUNK_NANOUSD < total <= limit + streams * CHUNK_NANOUSD
        assert meter.ledger.verify() == []


def test_every_chunk_is_counted_once_however_many_handlers(tmp_path: Path) -> None:
    """The handler twice, on the model and in the config, and an installed meter."""
    model = LongModel(chunks=4)
    with Meter(tmp_path / "ledger.db", policy=limited("1")) as meter:
        meter.install()
        model.callbacks = [meter.handler]
        received: list[int] = []
        for _ in model.stream("hi", {"callbacks": [meter.handler], "metadata": ACME.metadata()}):
            received += [step.received for step in meter.recorder.open_steps.values()]
        meter.uninstall()
        assert received[:4] == [40, 80, 120, 160]


def test_a_stream_in_two_threads_is_settled_while_it_grows(tmp_path: Path) -> None:
    """Whatever grew unheard of goes back with the hold: no counter keeps it."""
    with Meter(tmp_path / "ledger.db", policy=limited("1")) as meter:
        model = LongModel(chunks=200)
        for _ in range(5):
            stream = model.stream("hi", meter.config(ACME))
            next(stream)
            reading = threading.Thread(target=lambda stream=stream: list(stream))
            reading.start()
            meter.recorder.settle(meter.recorder.open_steps.values())
            reading.join()
        assert spent(meter)[1] == 0
        assert meter.ledger.verify() == []


def _chunk(content: Any, **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **fields))


_CALL = {"name": "find", "args": '{"q": 1}', "id": "1", "index": 0, "type": "tool_call_chunk"}
SIZES: dict[str, tuple[ChatGenerationChunk, int]] = {
    "text": (_chunk("four"), 4),
    "letters beyond ASCII": (_chunk("été"), 5),
    "a tool call": (_chunk("", tool_call_chunks=[_CALL]), 12),
    "blocks": (_chunk([{"type": "text", "text": "four"}, {"type": "thinking", "thinking": "hmm"}]), 7),
    "a tool call in blocks": (
        _chunk([{"type": "input_json_delta", "partial_json": "{}"}], tool_call_chunks=[_CALL]),
        2,
    ),
    "thoughts beside the text": (_chunk("a", additional_kwargs={"reasoning_content": "bc"}), 3),
    "nothing": (_chunk(""), 0),
}


@pytest.mark.parametrize("name", SIZES)
def test_what_a_chunk_counts(name: str) -> None:
    """Its words, thoughts and arguments, once each."""
    chunk, size = SIZES[name]
    assert size_of(chunk.message.content, chunk) == size


EVENTS: dict[str, tuple[dict[str, Any], int]] = {
    "text": ({"event": "content-block-delta", "delta": {"type": "text-delta", "text": "four"}}, 4),
    "thoughts": (
        {"event": "content-block-delta", "delta": {"type": "reasoning-delta", "reasoning": "hmm"}},
        3,
    ),
    "arguments": ({"event": "content-block-delta", "delta": {"type": "tool-call-delta", "args": "{}"}}, 2),
    "an image": ({"event": "content-block-delta", "delta": {"type": "data-delta", "data": "AAAA"}}, 0),
    "the end of a block": ({"event": "content-block-finish", "content": {"type": "text", "text": "four"}}, 0),
    "the end": ({"event": "message-finish"}, 0),
}


@pytest.mark.parametrize("name", EVENTS)
def test_what_an_event_counts(name: str) -> None:
    """What is new in it."""
    event, size = EVENTS[name]
    assert size_of_event(event) == size
