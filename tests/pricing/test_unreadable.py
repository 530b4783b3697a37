"""Whatever a provider says, reading it returns a report."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph.pricing import (
    PriceBook,
    Reported,
    Usage,
    estimate_usage,
    merge_stream,
    read_langchain,
    read_langchain_error,
    read_provider,
)
from spendgraph.pricing.counts import known
from spendgraph.pricing.langchain import read_message

KEYS = (
    "id", "model", "model_name", "model_provider", "service_tier", "usage", "usage_metadata", "token_usage",
    "response_metadata", "input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens",
    "input_token_details", "output_token_details", "cache_read", "cache_creation", "flex_cache_read", "audio",
    "reasoning", "image", "total_cost", "content", "tool_calls", "args", "type", "role", "message", "choices",
    "delta", "text", "output", "inputTokens", "outputTokens", "promptTokenCount", "candidates", "parts",
    "cache_creation_input_tokens", "server_tool_use", "web_search_requests", "grounding_metadata", "metadata",
    "web_search_queries", "response", "chunk", "event", "contentBlockDelta", "cacheDetails", "trafficType",
    "promptTokensDetails", "modality", "prompt_tokens_details", "cached_tokens", "generation_info",
)  # fmt: skip
WORDS = (
    "message", "message_start", "message_delta", "content_block_delta", "chunk", "response.completed",
    "response.output_text.delta", "assistant", "web_search_call", "AUDIO", "12", "flex", "gpt-4o",
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(WORDS)
)


def _deeper(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    said = st.dictionaries(st.sampled_from(KEYS), children, max_size=6)
    return st.one_of(st.lists(children, max_size=3), said, said.map(lambda fields: SimpleNamespace(**fields)))


ANYTHING = st.recursive(LEAVES, _deeper, max_leaves=25)
FIELDS = st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=6)
MESSAGE: dict[str, st.SearchStrategy[Any]] = {
    "content": ANYTHING,
    "response_metadata": st.one_of(FIELDS, ANYTHING),
    "usage_metadata": st.one_of(FIELDS, ANYTHING),
    "id": ANYTHING,
    "tool_calls": ANYTHING,
}
MESSAGES = st.fixed_dictionaries(MESSAGE).map(lambda fields: SimpleNamespace(**fields))
GENERATIONS = st.one_of(
    MESSAGES.map(lambda message: SimpleNamespace(message=message)),
    st.builds(SimpleNamespace, text=ANYTHING, generation_info=ANYTHING),
    ANYTHING,
)
RESULTS: st.SearchStrategy[Any] = st.builds(
    SimpleNamespace,
    generations=st.one_of(
        st.lists(st.one_of(st.lists(GENERATIONS, max_size=2), ANYTHING), max_size=3), ANYTHING
    ),
    llm_output=st.one_of(FIELDS, ANYTHING),
)


def is_sound(reported: Reported, book: PriceBook) -> None:
    """A report has strings for words and counts that can be priced and kept."""
    words = (reported.provider, reported.model, reported.response_id, reported.service_tier)
    assert all(type(word) is str and len(word) <= 512 for word in words)
    usage = reported.usage or estimate_usage([], reported.output_text)
    counts = [getattr(usage, name) for name in Usage.__slots__ if name != "note"]
    assert all(type(count) is int and count >= 0 for count in counts)
    price = book.price("anthropic", "claude-sonnet-4-5", 1_780_000_000_000_000, reported.service_tier)
    assert price is not None
    assert 0 <= price.cost(usage) < 2**63


@given(response=RESULTS)
def test_any_result_of_langchain_is_read(book: PriceBook, response: Any) -> None:
    """Odd types are no words and no counts."""
    is_sound(read_langchain(response), book)
    is_sound(read_langchain_error(AnsweredError(response), response), book)


@given(message=st.one_of(MESSAGES, ANYTHING), output=FIELDS)
def test_any_message_is_read(book: PriceBook, message: Any, output: dict[str, Any]) -> None:
    """With whatever stands in its metadata."""
    is_sound(read_message(message, output=output), book)


@given(response=ANYTHING)
def test_any_response_is_read(book: PriceBook, response: object) -> None:
    """Mappings and objects alike."""
    is_sound(read_provider(response), book)


@given(events=st.lists(ANYTHING, max_size=5))
def test_any_stream_is_read(book: PriceBook, events: list[object]) -> None:
    """Event by event."""
    is_sound(merge_stream(events), book)


class AnsweredError(Exception):
    """An error that carries an answer of any shape."""

    def __init__(self, completion: object) -> None:
        super().__init__()
        self.completion = completion


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"id": 123}, ("", "", "")),
        ({"model_name": 5, "model": "gpt-4o"}, ("gpt-4o", "", "")),
        ({"service_tier": 3}, ("", "", "")),
        ({"service_tier": "flex", "id": "r-1"}, ("", "flex", "r-1")),
        ({"model_name": "m\ud800"}, ("m?", "", "")),
        ({"model_name": "m" * 9_999}, ("m", "", "")),
        ([1], ("", "", "")),
    ],
    ids=["id", "model", "tier", "sound", "surrogate", "endless", "list"],
)
def test_words_that_are_none_are_left_out(metadata: object, expected: tuple[str, str, str]) -> None:
    """Model, tier and id are strings the ledger can hold."""
    message = SimpleNamespace(response_metadata=metadata, usage_metadata=None, content="", id=None)
    said = read_message(message)
    assert (said.model, said.service_tier, said.response_id) == expected


@pytest.mark.parametrize(("value", "count"), [(7, 7), ("8", 8), (7.0, 7), (0, 0), (10**12, 10**12)])
def test_a_count_is_a_whole_number(value: object, count: int) -> None:
    """Digits in a string are read, as protobuf's JSON has them."""
    assert known(value) == count


NO_COUNTS: list[object] = [
    *(None, -1, 7.5, True, "many", "", "-1", "٣", "9" * 5_000, [1], {"tokens": 1}),
    *(10**12 + 1, 1e13, float("nan"), float("inf")),
]


@pytest.mark.parametrize("value", NO_COUNTS, ids=range(len(NO_COUNTS)))
def test_whatever_else_is_no_count(value: object) -> None:
    """Nor is a number that no call can reach."""
    assert known(value) is None


def _of_message(count: object) -> Reported:
    return read_message(
        SimpleNamespace(
            content="four", usage_metadata={"input_tokens": count, "output_tokens": 2}, response_metadata={}
        )
    )


def _of_openai(count: object) -> Reported:
    return read_provider(
        {
            "usage": {"prompt_tokens": count, "completion_tokens": 2},
            "choices": [{"message": {"content": "four"}}],
        }
    )


def _of_anthropic(count: object) -> Reported:
    return read_provider(
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "four"}],
            "usage": {"input_tokens": count, "output_tokens": 2},
        }
    )


@pytest.mark.parametrize("read", [_of_message, _of_openai, _of_anthropic])
def test_a_total_that_cannot_be_read_is_no_usage(read: Callable[[object], Reported]) -> None:
    """It would be free; the text is kept for an estimate instead."""
    for count in ("many", {"n": 1}, -5, 2.5):
        said = read(count)
        assert (said.usage, said.output_text) == (None, "four")
    said = read("5")
    assert said.usage == Usage(input_tokens=5, output_tokens=2)


def test_inputs_of_any_shape_are_estimated() -> None:
    """Schemas that no JSON can hold, and one that holds itself."""
    itself: dict[str, Any] = {}
    itself["args"] = {"again": itself}
    assert estimate_usage({"tools": {(1, 2): "x", "a": "bcdefgh"}}, "").input_tokens == 4  # {"a": "bcdefgh"}
    assert estimate_usage({"tools": itself}, "").input_tokens == 1_000
