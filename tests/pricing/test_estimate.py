"""Estimates from text, and the term of cache writes from the request."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from spendgraph.pricing import Usage, estimate_tokens, estimate_usage, with_cache_ttl


@pytest.mark.parametrize(
    ("passage", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("日本語", 3), ("é" * 4, 2)]
)
def test_a_text_is_four_bytes_a_token(passage: str, tokens: int) -> None:
    """Rounded up, by UTF-8 bytes, so that dense scripts do not come out too cheap."""
    assert estimate_tokens(passage) == tokens


@pytest.mark.parametrize(
    ("inputs", "tokens"),
    [
        pytest.param("x" * 40, 10, id="text"),
        pytest.param(["x" * 40, "y" * 4], 11, id="prompts"),
        pytest.param([[HumanMessage("x" * 40)]], 14, id="messages, a token of overhead each four"),
        pytest.param({"model": "m" * 400, "input": "x" * 40}, 10, id="request keywords"),
        pytest.param({"messages": [{"role": "user", "content": "x" * 40}]}, 14, id="wire messages"),
        pytest.param(
            [
                HumanMessage(
                    [{"type": "text", "text": "x" * 40}, {"type": "image_url", "image_url": "d" * 9_999}]
                )
            ],
            1_014,
            id="media at a flat rate, not by their bytes",
        ),
        pytest.param({"tools": [{"name": "f"}]}, 4, id="tool schemas"),
        pytest.param(None, 0, id="nothing"),
        pytest.param(b"raw", 1_000, id="bytes"),
    ],
)
def test_whatever_was_sent_is_estimated(inputs: object, tokens: int) -> None:
    """Everything LangChain and the SDKs hand over."""
    assert estimate_usage(inputs, "").input_tokens == tokens


def test_tool_calls_of_earlier_turns_count() -> None:
    """Their arguments are sent again."""
    call: Any = {"name": "f", "args": {"q": "x" * 400}, "id": "1", "type": "tool_call"}
    assert estimate_usage([AIMessage("", tool_calls=[call])], "").input_tokens > 100


def test_the_output_is_estimated_from_its_text() -> None:
    """A cut stream of 18 characters."""
    assert estimate_usage("", "Hello you out there").output_tokens == 5


_WRITTEN = Usage(input_tokens=100, cache_write_5m_tokens=80)


@pytest.mark.parametrize(
    ("request_", "usage"),
    [
        pytest.param({"messages": []}, _WRITTEN, id="no marks"),
        pytest.param({"system": [{"cache_control": {"type": "ephemeral"}}]}, _WRITTEN, id="default term"),
        pytest.param(
            [[HumanMessage([{"type": "text", "text": "x", "cache_control": {"ttl": "1h"}}])]],
            Usage(input_tokens=100, cache_write_1h_tokens=80),
            id="one hour in a message",
        ),
        pytest.param(
            {"tools": [{"cachePoint": {"type": "default", "ttl": "1h"}}]},
            Usage(input_tokens=100, cache_write_1h_tokens=80),
            id="one hour on Bedrock",
        ),
        pytest.param(
            [{"cache_control": {"ttl": "1h"}}, {"cache_control": {"ttl": "5m"}}],
            Usage(
                input_tokens=100,
                cache_write_1h_tokens=80,
                note="cache writes of unknown term: the request asks for five minutes and for one hour",
            ),
            id="both terms: the dearer, marked",
        ),
    ],
)
def test_the_request_says_the_term_of_its_writes(request_: object, usage: Usage) -> None:
    """Five minutes unless every mark says an hour; both are quarantined."""
    assert with_cache_ttl(_WRITTEN, request_) == usage


def test_a_usage_without_writes_stays() -> None:
    """Marks on a request that wrote nothing change nothing."""
    assert with_cache_ttl(Usage(input_tokens=5), {"cache_control": {"ttl": "1h"}}) == Usage(input_tokens=5)
