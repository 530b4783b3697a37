"""Calls that were sent and whose cost nobody heard keep what is held for them, whichever way they are made."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import END, START, StateGraph
from openai import APITimeoutError, OpenAI

from budgets.fanout import ACME, State
from scripted import ScriptedModel, scripted_policy
from spendgraph import BudgetExceeded, Meter
from spendgraph.policy import Policy

LIMIT_NANOUSD = 5_000_000
TRIES = 20


def policy(reserve: str) -> Policy:
    """Room for two calls of 1,000 tokens at most."""
    return scripted_policy(
        f'estimates: {{default_output_tokens: 1000}}\nbudgets: [{{name: cap, limit_usd: "0.005", reserve: {reserve}}}]\n'
    )


class Lossy(ScriptedModel):
    """Loses the connection, or hangs, before its first chunk or after one."""

    chunks: int = 0
    hangs: bool = False

    def _lose(self) -> None:
        self.sent["requests"] += 1
        raise httpx.ReadTimeout("nobody heard the answer")

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        self._lose()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        if self.hangs:
            self.sent["requests"] += 1
            await asyncio.sleep(30)
        self._lose()

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for _ in range(self.chunks):
            yield ChatGenerationChunk(message=AIMessageChunk(content="one "))
        self._lose()

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        for _ in range(self.chunks):
            yield ChatGenerationChunk(message=AIMessageChunk(content="one "))
        if self.hangs:
            self.sent["requests"] += 1
            await asyncio.sleep(30)
        self._lose()


async def _astream(model: Any, config: Any) -> None:
    async for _ in model.astream("hi", config):
        pass


async def _soon(call: Any) -> None:
    await asyncio.wait_for(call, 0.05)


def _in_a_node(model: Any, config: Any) -> None:
    builder = StateGraph(State)
    builder.add_node("call", lambda _: {"answers": [str(model.invoke("hi").content)]})
    builder.add_edge(START, "call")
    builder.add_edge("call", END)
    builder.compile().invoke({"answers": []}, config)


LOST: dict[str, tuple[dict[str, Any], Callable[[Any, Any], Any]]] = {
    "invoke": ({}, lambda model, config: model.invoke("hi", config)),
    "ainvoke": ({}, lambda model, config: asyncio.run(model.ainvoke("hi", config))),
    "a node": ({}, _in_a_node),
    "stream": ({}, lambda model, config: list(model.stream("hi", config))),
    "stream, half": ({"chunks": 1}, lambda model, config: list(model.stream("hi", config))),
    "astream": ({}, lambda model, config: asyncio.run(_astream(model, config))),
    "astream, half": ({"chunks": 1}, lambda model, config: asyncio.run(_astream(model, config))),
    "ainvoke cancelled": (
        {"hangs": True},
        lambda model, config: asyncio.run(_soon(model.ainvoke("hi", config))),
    ),
    "astream cancelled": (
        {"hangs": True},
        lambda model, config: asyncio.run(_soon(_astream(model, config))),
    ),
    "astream cancelled, half": (
        {"hangs": True, "chunks": 1},
        lambda model, config: asyncio.run(_soon(_astream(model, config))),
    ),
}


@pytest.mark.parametrize("reserve", ["strict", "expected"])
@pytest.mark.parametrize("way", LOST)
def test_a_lost_answer_is_booked_at_all_that_was_held(tmp_path: Path, way: str, reserve: str) -> None:
    """It may have been paid for: the limit ends the tries, and is not passed."""
    settings, call = LOST[way]
    model = Lossy(**settings)
    with Meter(tmp_path / "ledger.db", policy=policy(reserve)) as meter:
        for _ in range(TRIES):
            try:
                with contextlib.suppress(httpx.ReadTimeout, TimeoutError):
                    call(model.bind(max_tokens=1000), meter.config(ACME))
            except BudgetExceeded:
                break
        gc.collect()  # a cancelled call ends when nobody refers to it any more
        meter.flush()
        assert model.requests == 2
        steps = list(meter.ledger.steps())
        assert [(row["cost_basis"], row["cost_nanousd"]) for row in steps] == [
            ("upper_bound", row["reserved_nanousd"]) for row in steps
        ]
        (window,) = meter.ledger.windows()
        assert window["held_nanousd"] == 0
        assert 2 * 2_000_000 < window["spent_nanousd"] <= LIMIT_NANOUSD
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("limit", [1000, None])
def test_without_budgets_a_lost_answer_is_as_long_as_the_request_allows(
    tmp_path: Path, limit: int | None
) -> None:
    """Where the request does not limit it, its input is all that is known."""
    model = Lossy()
    bound: Any = model if limit is None else model.bind(max_tokens=limit)
    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as meter:
        with pytest.raises(httpx.ReadTimeout):
            bound.invoke("hi", meter.config(ACME))
        (row,) = meter.ledger.steps()
        assert (row["status"], row["cost_basis"], row["output_tokens"]) == (
            "error",
            "estimated" if limit is None else "upper_bound",
            limit or 0,
        )


def test_a_stream_that_its_reader_leaves_costs_what_was_received(tmp_path: Path) -> None:
    """The rest of what was held comes back."""
    with Meter(tmp_path / "ledger.db", policy=policy("strict")) as meter:
        stream: Any = Lossy(chunks=5).bind(max_tokens=1000).stream("hi", meter.config(ACME))
        next(stream)
        stream.close()
        (row,) = meter.ledger.steps()
        assert (row["status"], row["cost_basis"]) == ("cut", "estimated")
        assert row["cost_nanousd"] < 10_000
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (row["cost_nanousd"], 0)


@pytest.mark.parametrize("error", [httpx.ConnectError("no one there"), ValueError("a bad request")])
def test_a_call_that_was_not_sent_gives_its_room_back(tmp_path: Path, error: Exception) -> None:
    """No connection, or a request that the SDK refused to make."""
    model = ScriptedModel(failures=[error])
    with Meter(tmp_path / "ledger.db", policy=policy("strict")) as meter:
        with pytest.raises(type(error)):
            model.bind(max_tokens=1000).invoke("hi", meter.config(ACME))
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (0, 0)


class Silent(httpx2.SyncByteStream):
    """One chunk of an answer, and then nothing any more."""

    def __iter__(self) -> Iterator[bytes]:
        yield (
            b'data: {"id":"c","object":"chat.completion.chunk","created":0,"model":"scripted","choices":'
            b'[{"index":0,"delta":{"role":"assistant","content":"one"},"finish_reason":null}]}\n\n'
        )
        raise httpx2.ReadTimeout("nothing comes")


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_raw_call_that_is_lost_keeps_what_is_held(tmp_path: Path, is_stream: bool) -> None:
    """Before its answer, and in the middle of its stream."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if not is_stream:
            raise httpx2.ReadTimeout("nothing comes", request=request)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Silent())

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = OpenAI(api_key="k", http_client=http, max_retries=0)
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 1000}
    with Meter(tmp_path / "ledger.db", policy=policy("strict")) as meter:

        def call() -> None:
            said: Any = meter.call(
                client.chat.completions.create, model="scripted", stream=is_stream, **asked
            )
            list(said)

        with meter.task(ACME), pytest.raises((APITimeoutError, httpx2.ReadTimeout)):
            call()
        (row,) = meter.ledger.steps()
        assert (row["cost_basis"], row["cost_nanousd"]) == ("upper_bound", row["reserved_nanousd"])
        assert row["cost_nanousd"] > 2_000_000
        assert meter.ledger.verify() == []
