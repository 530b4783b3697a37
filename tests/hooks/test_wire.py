"""What only the wire says of a streamed Anthropic answer, by the real clients against a loopback provider."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx2
import pytest
from anthropic import Stream, _streaming
from anthropic.types import RawMessageStartEvent
from langchain_anthropic import ChatAnthropic
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage

from hooks.conftest import Desk
from provider import ask
from spendgraph.hooks import wire


@pytest.fixture(autouse=True)
def _clean_tap() -> Iterator[None]:
    wire.uninstall()
    yield
    wire.uninstall()


class Expecting(BaseCallbackHandler):
    """Announces and collects runs as the callback handler does."""

    run_inline = True

    def __init__(self) -> None:
        self.collected: dict[str, dict[str, Any] | None] = {}
        self.asked: dict[UUID, str] = {}

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.asked[run_id] = str(messages[0][0].content)
        wire.expect(run_id, batch_size=kwargs.get("batch_size", 1))

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.collected[self.asked[run_id]] = wire.collect(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.collected[self.asked[run_id]] = wire.collect(run_id)

    def input_of(self, asked: str) -> int:
        """Input tokens the wire said for a prompt."""
        message = self.collected[asked]
        assert message is not None
        return int(message["usage"]["input_tokens"])


@pytest.fixture
def handler() -> Expecting:
    """A handler that expects and collects."""
    return Expecting()


@pytest.fixture
def model(desk: Desk, handler: Expecting) -> ChatAnthropic:
    """A real ChatAnthropic of the test's account."""
    return ChatAnthropic(
        model_name="claude-sonnet-4-6",
        api_key=desk.key,
        base_url=desk.provider.url,
        callbacks=[handler],
        timeout=30,
        stop=None,
        max_retries=0,
    )


def test_a_stream_keeps_its_hour_long_writes_id_tier_and_searches(
    desk: Desk, model: ChatAnthropic, handler: Expecting
) -> None:
    """LangChain's own message has none of them."""
    prompt = ask(input=60_000, write_1h=50_000, searches=3)
    list(model.stream(prompt))
    message = handler.collected[prompt]
    assert message is not None
    assert message["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 50_000
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 3
    assert message["id"] == desk.invoice.lines[0].response_id
    assert message["service_tier"] == "standard"
    assert message["stop_reason"] == "end_turn"
    assert "content" not in message


@pytest.mark.asyncio
async def test_asynchronous_streams_report_too(model: ChatAnthropic, handler: Expecting) -> None:
    """In one task after another, and in tasks side by side."""
    prompts = [ask(input=1_000 + i, text=f"answer {i}") for i in range(12)]

    async def read(prompt: str) -> None:
        assert [chunk async for chunk in model.astream(prompt)]

    await read(prompts[0])
    await asyncio.gather(*(read(prompt) for prompt in prompts[1:]))
    await model._async_client.close()  # pyright: ignore[reportPrivateUsage]
    assert [handler.input_of(prompt) for prompt in prompts] == [1_000 + i for i in range(12)]


def test_generators_that_take_turns_in_one_context_stay_apart(
    model: ChatAnthropic, handler: Expecting
) -> None:
    """Each stream takes the run that was announced just before it was built."""
    first, second = ask(input=11, chunks=5), ask(input=22, chunks=5)
    turns = [model.stream(first), model.stream(second)]
    while turns:
        for generator in list(turns):
            if next(generator, None) is None:
                turns.remove(generator)
    assert (handler.input_of(first), handler.input_of(second)) == (11, 22)


def test_threads_and_batches_stay_apart(desk: Desk, handler: Expecting) -> None:
    """A thread pool that copies one context, as LangChain's `batch` does."""
    model = ChatAnthropic(
        model_name="claude-sonnet-4-6",
        api_key=desk.key,
        base_url=desk.provider.url,
        callbacks=[handler],
        streaming=True,
        timeout=30,
        stop=None,
    )
    prompts = [ask(input=2_000 + i) for i in range(8)]
    model.batch(list(prompts[:4]))
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(contextvars.copy_context().run, model.invoke, prompt) for prompt in prompts[4:]]
        assert all(job.result() for job in jobs)
    assert [handler.input_of(prompt) for prompt in prompts] == [2_000 + i for i in range(8)]


def test_prompts_of_one_generate_call_are_matched_in_order(desk: Desk, handler: Expecting) -> None:
    """All are announced before the first is sent."""
    model = ChatAnthropic(
        model_name="claude-sonnet-4-6",
        api_key=desk.key,
        base_url=desk.provider.url,
        callbacks=[handler],
        streaming=True,
        timeout=30,
        stop=None,
    )
    prompts = [ask(input=3_000 + i) for i in range(3)]
    model.generate([[HumanMessage(prompt)] for prompt in prompts])
    assert [handler.input_of(prompt) for prompt in prompts] == [3_000, 3_001, 3_002]


def test_a_plain_answer_leaves_no_claim_behind(desk: Desk, model: ChatAnthropic, handler: Expecting) -> None:
    """An invoke builds no stream; the next raw stream in the same context is nobody's."""
    prompt = ask(input=7)
    model.invoke(prompt)
    assert handler.collected[prompt] is None
    stream = desk.anthropic().messages.create(
        model="claude-sonnet-4-6", max_tokens=9, stream=True, messages=[{"role": "user", "content": ask()}]
    )
    assert sum(1 for _ in stream) > 3
    assert not hasattr(stream, "_spendgraph_expectation")


def test_each_meter_that_expects_a_run_collects_the_same(desk: Desk) -> None:
    """Two handlers on one run, and no more answers than questions."""
    handlers = [Expecting(), Expecting()]
    model = ChatAnthropic(
        model_name="claude-sonnet-4-6",
        api_key=desk.key,
        base_url=desk.provider.url,
        callbacks=[*handlers],
        streaming=True,
        timeout=30,
        stop=None,
    )
    prompts = [ask(input=5_000 + i, write_1h=900) for i in range(3)]
    model.generate([[HumanMessage(prompt)] for prompt in prompts])
    for handler in handlers:
        assert [handler.input_of(prompt) for prompt in prompts] == [4_100, 4_101, 4_102]
    assert wire.status().waiting == 0
    wire.expect("run")
    wire.expect("run")
    assert wire.status().waiting == 1
    assert [wire.collect("run") for _ in range(3)] == [None, None, None]
    assert wire.status().waiting == 0


def test_a_stream_cut_early_says_its_input_and_no_stop_reason(
    model: ChatAnthropic, handler: Expecting
) -> None:
    """The first event has the input's counts already."""
    prompt = ask(input=800, write_1h=300)
    stream = model.stream(prompt)
    next(stream)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    message = handler.collected[prompt]
    assert message is not None
    assert message["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 300
    assert message["stop_reason"] is None


def test_a_claim_of_a_lost_run_does_not_catch_a_later_stream(
    model: ChatAnthropic, handler: Expecting
) -> None:
    """A run that was cancelled before its stream was built is superseded by the next."""
    wire.expect("cancelled")
    prompt = ask(input=44)
    list(model.stream(prompt))
    assert handler.input_of(prompt) == 44
    assert wire.collect("cancelled") is None


def test_the_tap_is_put_in_once_and_taken_out_whole() -> None:
    """Uninstalling restores the SDK's own methods."""
    sdk: Any = _streaming
    before = (sdk.Stream.__init__, sdk.AsyncStream.__stream__)
    assert wire.status().state == "off"
    assert wire.install()
    assert wire.install()
    assert wire.status().state == "on"
    assert sdk.Stream.__init__ is not before[0]
    wire.uninstall()
    assert (sdk.Stream.__init__, sdk.AsyncStream.__stream__) == before
    assert wire.status() == wire.WireStatus("off", "", waiting=0, unreadable=0, forgotten=0)


def test_an_sdk_of_another_shape_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status says why; runs fall back to LangChain's usage."""
    monkeypatch.delattr(_streaming.Stream, "__stream__")
    wire.expect("run")
    assert wire.status().state == "unsupported"
    assert "Stream has no __init__ and __stream__" in wire.status().reason
    assert wire.collect("run") is None


def test_an_event_of_another_shape_is_counted_and_passed_on(desk: Desk) -> None:
    """The user's stream is never broken by what cannot be read."""
    wire.expect("odd")
    body = b'event: message_start\ndata: {"type": "message_start"}\n\n'
    with desk.anthropic() as client:
        stream = Stream[Any](
            cast_to=RawMessageStartEvent, response=httpx2.Response(200, content=body), client=client
        )
        assert [event.type for event in stream] == ["message_start"]
    assert wire.status().unreadable == 1
    assert wire.collect("odd") is None


def test_only_so_many_runs_are_waited_for() -> None:
    """The oldest is forgotten and counted."""
    assert wire.install()
    for number in range(wire.MAX_EXPECTED + 5):
        wire.expect(number)
    assert wire.status().waiting == wire.MAX_EXPECTED
    assert wire.status().forgotten == 5
