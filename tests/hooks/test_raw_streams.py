"""Metered streams: the same events, and one row at their end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, cast

import openai
import pytest
from anthropic.lib.streaming import MessageStream

from hooks.conftest import Desk
from provider import ask

CHAT: dict[str, Any] = {"model": "gpt-4o", "stream": True}
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
CLAUDE: dict[str, Any] = {"model": "claude-sonnet-4-6", "max_tokens": 400}


def said(**script: Any) -> list[Any]:
    """One scripted user message."""
    return [{"role": "user", "content": ask(**script)}]


def test_a_chat_stream_with_usage_equals_the_invoice(desk: Desk) -> None:
    """Every chunk arrives, the last one's usage is booked."""
    stream = desk.meter.call(desk.openai().chat.completions.create, messages=said(), **CHAT, **USAGE)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "All is well with that."
    row = desk.row()
    assert (row["cost_basis"], row["status"]) == ("reported", "ok")
    assert row["cost_nanousd"] == desk.invoice.total


def test_a_chat_stream_without_usage_is_estimated_and_unchanged(desk: Desk) -> None:
    """No chunk with empty choices is added to what the caller reads."""
    stream = desk.meter.call(desk.openai().chat.completions.create, messages=said(), **CHAT)
    assert all(chunk.choices for chunk in stream)
    row = desk.row()
    assert (row["cost_basis"], row["status"]) == ("estimated", "ok")
    assert row["output_tokens"] == 6  # 22 characters
    assert row["model"] == "gpt-4o-2024-11-20"


def test_a_proxied_stream_is_the_sdks_stream_to_its_user(desk: Desk) -> None:
    """`isinstance`, attributes and the `with` block are the SDK's own."""
    stream = desk.meter.call(desk.openai().chat.completions.create, messages=said(), **CHAT, **USAGE)
    assert isinstance(cast("object", stream), openai.Stream)
    assert stream.response.status_code == 200
    with stream as inside:
        assert inside is stream
        assert next(stream).model == "gpt-4o-2024-11-20"
        assert sum(1 for _ in stream) > 3
    assert desk.row()["status"] == "ok"


@pytest.mark.parametrize("end", ["close", "with", "dropped"])
def test_a_stream_left_early_is_cut(desk: Desk, end: str) -> None:
    """Closing, leaving the block and dropping the stream all book what was received."""
    stream = desk.meter.call(
        desk.anthropic().messages.create, messages=said(input=900), stream=True, **CLAUDE
    )
    if end == "with":
        with stream:
            _read_one_text(stream)
    else:
        _read_one_text(stream)
        if end == "close":
            stream.close()
    del stream
    gc.collect()
    row = desk.row()
    assert (row["status"], row["cost_basis"]) == ("cut", "estimated")
    assert row["input_tokens"] == 900
    assert row["output_tokens"] > 0
    assert row["usage_note"] == "the stream was cut: its output is estimated from the text received"


def _read_one_text(stream: Iterator[Any]) -> None:
    for event in stream:
        if event.type == "content_block_delta":
            return


def test_a_stream_left_after_its_last_counts_is_whole(desk: Desk) -> None:
    """Leaving at `message_delta` cuts nothing."""
    stream = desk.meter.call(desk.anthropic().messages.create, messages=said(), stream=True, **CLAUDE)
    for event in stream:
        if event.type == "message_delta":
            break
    stream.close()
    assert (desk.row()["status"], desk.row()["cost_nanousd"]) == ("ok", desk.invoice.total)


def test_a_broken_connection_is_cut_and_raised(desk: Desk) -> None:
    """The caller gets the error, the ledger what had arrived."""
    stream = desk.meter.call(
        desk.openai().chat.completions.create, messages=said(drop_after=2), **CHAT, **USAGE
    )
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    row = desk.row()
    assert (row["status"], row["error_class"]) == ("cut", "APIConnectionError")
    assert row["cost_basis"] == "estimated"


def test_a_responses_stream_equals_the_invoice(desk: Desk) -> None:
    """The final event carries the usage and the tier."""
    stream = desk.meter.call(
        desk.openai().responses.create, model="gpt-5", input=ask(), stream=True, service_tier="priority"
    )
    assert [event.type for event in stream][-1] == "response.completed"
    assert desk.row()["service_tier"] == "priority"
    assert desk.row()["cost_nanousd"] == desk.invoice.total


@pytest.mark.parametrize("reading", ["events", "text_stream", "get_final_message", "until_done"])
def test_anthropics_stream_helper_is_counted_however_it_is_read(desk: Desk, reading: str) -> None:
    """The block yields the SDK's own object, one-hour writes and searches are not lost."""
    manager = desk.meter.call(
        desk.anthropic().messages.stream, messages=said(write_1h=800, searches=1), **CLAUDE
    )
    with manager as stream:
        assert isinstance(cast("object", stream), MessageStream)
        if reading == "events":
            assert next(iter([event.type for event in stream])) == "message_start"
        elif reading == "text_stream":
            assert "".join(stream.text_stream) == "All is well with that."
        elif reading == "until_done":
            stream.until_done()
        else:
            assert stream.get_final_message().stop_reason == "end_turn"
    row = desk.row()
    assert (row["cache_write_1h_tokens"], row["status"]) == (800, "ok")
    assert row["cost_nanousd"] == desk.invoice.total


def test_openais_stream_helpers_are_counted(desk: Desk) -> None:
    """Chat Completions and Responses each have one."""
    client = desk.openai()
    with desk.meter.call(client.chat.completions.stream, model="gpt-4o", messages=said(), **USAGE) as chat:
        chat.until_done()
    with desk.meter.call(client.responses.stream, model="gpt-5", input=ask()) as responses:
        responses.get_final_response()
    assert [row["cost_nanousd"] for row in desk.rows()] == [line.amount for line in desk.invoice.lines]
    assert len(desk.invoice.lines) == 2


def test_a_helper_that_is_never_entered_is_no_step(desk: Desk) -> None:
    """Nothing was sent."""
    desk.meter.call(desk.anthropic().messages.stream, messages=said(), **CLAUDE)
    assert desk.rows() == []


def test_a_raw_response_of_a_stream_is_metered_when_parsed(desk: Desk) -> None:
    """`with_raw_response.create(stream=True).parse()` is a stream."""
    raw = desk.meter.call(
        desk.anthropic().messages.with_raw_response.create, messages=said(write_5m=60), stream=True, **CLAUDE
    )
    assert raw.headers["content-type"] == "text/event-stream"
    assert sum(1 for _ in raw.parse()) > 4
    assert desk.row()["cost_nanousd"] == desk.invoice.total


def test_a_stream_outlives_the_raw_response_it_was_parsed_from(desk: Desk) -> None:
    """The chained call drops the response before the stream is read."""
    stream = desk.meter.call(
        desk.anthropic().messages.with_raw_response.create, messages=said(), stream=True, **CLAUDE
    ).parse()
    gc.collect()
    assert sum(1 for _ in stream) > 4
    assert (desk.row()["status"], desk.row()["cost_basis"]) == ("ok", "reported")
    assert desk.row()["cost_nanousd"] == desk.invoice.total


def test_a_raw_response_parsed_twice_is_one_stream(desk: Desk) -> None:
    """As the SDK's own `parse()` is; dropped unread, it is cut."""
    raw = desk.meter.call(
        desk.anthropic().messages.with_raw_response.create, messages=said(), stream=True, **CLAUDE
    )
    stream = raw.parse()
    assert raw.parse() is stream
    del stream, raw
    gc.collect()
    row = desk.row()
    assert (row["status"], row["cost_basis"]) == ("cut", "upper_bound")


def test_a_parsed_streaming_body_left_early_is_cut(desk: Desk) -> None:
    """What was received is booked, not an answer nobody saw."""
    client = desk.anthropic()
    with desk.meter.call(
        client.messages.with_streaming_response.create, messages=said(input=900), stream=True, **CLAUDE
    ) as response:
        _read_one_text(response.parse())
    row = desk.row()
    assert (row["status"], row["input_tokens"]) == ("cut", 900)


@pytest.mark.asyncio
async def test_asynchronous_streams_equal_the_invoice(desk: Desk) -> None:
    """A plain stream, a helper and a raw response."""
    async with desk.async_openai() as client, desk.async_anthropic() as claude:
        stream = await desk.meter.acall(client.chat.completions.create, messages=said(), **CHAT, **USAGE)
        assert issubclass(stream.__class__, openai.AsyncStream)
        assert [chunk async for chunk in stream]
        async with await desk.meter.acall(
            claude.messages.stream, messages=said(write_1h=90), **CLAUDE
        ) as helper:
            assert await helper.get_final_text() == "All is well with that."
        raw = await desk.meter.acall(
            claude.messages.with_raw_response.create, messages=said(), stream=True, **CLAUDE
        )
        assert [event async for event in await raw.parse()]
    await desk.meter.aflush()
    assert [row["cost_nanousd"] for row in desk.rows()] == [line.amount for line in desk.invoice.lines]
    assert len(desk.invoice.lines) == 3


@pytest.mark.asyncio
async def test_an_asynchronous_stream_closed_early_is_cut(desk: Desk) -> None:
    """`close()` books what was received."""
    async with desk.async_anthropic() as claude:
        stream = await desk.meter.acall(
            claude.messages.create, messages=said(input=70), stream=True, **CLAUDE
        )
        async for event in stream:
            if event.type == "content_block_delta":
                break
        await stream.close()
    await desk.meter.aflush()
    assert (desk.row()["status"], desk.row()["input_tokens"]) == ("cut", 70)
