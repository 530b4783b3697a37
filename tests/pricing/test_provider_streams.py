"""Raw provider streams add up to the response they are."""

from __future__ import annotations

from typing import Any

import pytest

from pricing.test_provider_responses import (
    CHAT,
    CHAT_READ,
    CONVERSE,
    CONVERSE_READ,
    GEMINI,
    GEMINI_READ,
    MESSAGE,
    MESSAGE_READ,
)
from spendgraph.pricing import Usage, merge_stream, read_provider


def _chat_chunk(**more: Any) -> dict[str, Any]:
    identity = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": CHAT["model"]}
    return {**identity, "service_tier": "priority", "choices": [], "usage": None, **more}


def _delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


_CHAT_STREAM = [
    _chat_chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]),
    _chat_chunk(choices=[{"index": 0, "delta": {"content": "lo"}}]),
    _chat_chunk(usage={**CHAT["usage"], "total_tokens": 17_903}),
]
_ANTHROPIC_STREAM: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {**MESSAGE, "content": [], "usage": {**MESSAGE["usage"], "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    _delta("Hel"),
    {"type": "text", "text": "Hel", "snapshot": "Hel"},
    _delta("lo"),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {
            "input_tokens": 10_000,
            "output_tokens": 2_000,
            "cache_creation_input_tokens": 50_000,
            "cache_read_input_tokens": 0,
            "server_tool_use": {"web_search_requests": 1},
        },
    },
    {"type": "message_stop"},
]
_GEMINI_STREAM = [
    {**GEMINI, "usage_metadata": {"prompt_token_count": 1_000, "total_token_count": 1_000}},
    GEMINI,
]
_CONVERSE_STREAM = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Hello"}, "contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": CONVERSE["usage"], "metrics": {}, "serviceTier": {"type": "flex"}}},
]


@pytest.mark.parametrize(
    ("events", "reported"),
    [
        pytest.param(_CHAT_STREAM, CHAT_READ, id="Chat Completions"),
        pytest.param(_ANTHROPIC_STREAM, MESSAGE_READ, id="Anthropic"),
        pytest.param(_GEMINI_STREAM, GEMINI_READ, id="Gemini"),
        pytest.param(_CONVERSE_STREAM, CONVERSE_READ, id="Bedrock"),
    ],
)
def test_a_stream_says_what_the_response_would(events: list[dict[str, Any]], reported: Any) -> None:
    """Counts that a stream repeats are cumulative: the last stands, nothing is added up."""
    merged = merge_stream(events)
    identity = (merged.provider, merged.model, merged.service_tier)
    assert identity == (reported.provider, reported.model, reported.service_tier)
    assert merged.usage == reported.usage
    assert merged.output_text == ""


def test_a_responses_stream_is_read_from_its_last_event() -> None:
    """`response.completed` carries the whole response."""
    response = {
        "id": "resp_1",
        "object": "response",
        "model": "gpt-4o-2024-08-06",
        "service_tier": "flex",
        "output": [{"type": "web_search_call", "action": {"type": "search"}}],
        "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120},
    }
    events = [
        {"type": "response.created", "response": {**response, "usage": None}},
        {"type": "response.output_text.delta", "delta": "Hello"},
        {"type": "response.completed", "response": response},
    ]
    assert merge_stream(events) == read_provider(response)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(_CHAT_STREAM[:2], id="Chat Completions"),
        pytest.param(_CONVERSE_STREAM[:3], id="Bedrock"),
        pytest.param([_delta("Hello")], id="Anthropic without a start"),
        pytest.param([{"type": "response.output_text.delta", "delta": "Hello"}], id="Responses"),
    ],
)
def test_a_stream_cut_before_its_usage_leaves_its_text(events: list[dict[str, Any]]) -> None:
    """What was received is estimated from."""
    merged = merge_stream(events)
    assert merged.usage is None
    assert merged.output_text == "Hello"


def test_a_cut_anthropic_stream_keeps_its_exact_input() -> None:
    """The input was counted at the start; only the output, 400 bytes so far, is estimated, and marked."""
    counted = {**MESSAGE["usage"], "output_tokens": 1, "output_tokens_details": None}
    started: dict[str, Any] = {
        "type": "message_start",
        "message": {**MESSAGE, "content": [], "usage": counted},
    }
    merged = merge_stream([started, _delta("x" * 400)])
    assert merged.estimated is True
    assert merged.usage == Usage(
        input_tokens=60_000, output_tokens=100, cache_write_1h_tokens=50_000, web_searches=1
    )


def test_events_of_no_known_stream_are_passed_over() -> None:
    """Pings and comments say nothing."""
    assert merge_stream([{"type": "ping"}, "comment", None], provider="anthropic").usage is None
