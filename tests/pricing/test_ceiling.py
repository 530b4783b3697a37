"""No call can cost more than its ceiling."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from spendgraph.policy import LongContext, ModelPrice, PricesPolicy, Rates
from spendgraph.pricing import (
    CostHistory,
    Price,
    PriceBook,
    Usage,
    estimate_usage,
    expected_input,
    expected_output,
    input_ceiling,
    output_ceiling,
)
from spendgraph.pricing.expect import ENOUGH

RATE = st.decimals(0, 100, places=3)
PARTS = st.integers(0, 50)


@given(
    rates=st.fixed_dictionaries(dict.fromkeys(("input_usd_per_mtok", "output_usd_per_mtok", "cache_read_usd_per_mtok", "cache_write_5m_usd_per_mtok", "cache_write_1h_usd_per_mtok", "reasoning_usd_per_mtok", "audio_input_usd_per_mtok", "usd_per_request"), RATE)),
    band=RATE, above=st.integers(1, 200), parts=st.lists(PARTS, min_size=7, max_size=7),
    more=st.tuples(PARTS, PARTS),
)  # fmt: skip
def test_no_usage_within_the_counts_costs_more(
    rates: dict[str, Decimal], band: Decimal, above: int, parts: list[int], more: tuple[int, int]
) -> None:
    """Whatever class its tokens are of, and whichever band the input lands in."""
    text, read, write_5m, write_1h, audio, answer, reasoning = parts
    price = Price.of(
        rates,
        provider="p",
        model="m",
        source="policy",
        bands=[(above, {**rates, "input_usd_per_mtok": band})],
    )
    usage = Usage(
        input_tokens=text + read + write_5m + write_1h + audio, output_tokens=answer + reasoning,
        cache_read_tokens=read, cache_write_5m_tokens=write_5m, cache_write_1h_tokens=write_1h,
        audio_input_tokens=audio, reasoning_tokens=reasoning,
    )  # fmt: skip
    ceiling = price.ceiling(usage.input_tokens + more[0], usage.output_tokens + more[1])
    assert ceiling is not None
    assert price.cost(usage) <= ceiling


def test_a_ceiling_is_the_dearest_reading_and_without_a_limit_there_is_none() -> None:
    """Unless output is free."""
    rates = {"input_usd_per_mtok": Decimal(1), "cache_write_1h_usd_per_mtok": Decimal(2)}
    dear = Price.of({**rates, "output_usd_per_mtok": Decimal(3)}, provider="p", model="m", source="s")
    assert dear.ceiling(10, 5) == 10 * 2_000 + 5 * 3_000
    assert dear.ceiling(10, None) is None
    free = Price.of({**rates, "output_usd_per_mtok": Decimal(0)}, provider="p", model="m", source="s")
    assert free.ceiling(10, None) == 20_000


def test_a_tier_that_the_request_leaves_open_is_the_dearest() -> None:
    """Pinned to the standard tier it is the standard price."""
    entry = ModelPrice(
        model="m", input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(0),
        tiers={"priority": Rates(input_usd_per_mtok=Decimal(4))},
        long_context=LongContext(above_tokens=100, input_usd_per_mtok=Decimal(2)),
    )  # fmt: skip
    book = PriceBook(PricesPolicy(models=(entry,)))
    assert book.ceiling("p", "m", 0, 10, 0) == 40_000
    assert book.ceiling("p", "m", 0, 10, 0, {"service_tier": "auto"}) == 40_000
    assert book.ceiling("p", "m", 0, 10, 0, {"service_tier": "default"}) == 10_000
    assert book.ceiling("p", "m", 0, 101, 0, {"service_tier": "default"}) == 202_000


@given(text=st.text(max_size=200), role=st.sampled_from([HumanMessage, SystemMessage, AIMessage]))
def test_every_byte_of_a_message_is_a_token_at_most(text: str, role: Any) -> None:
    """In a message, in a block, in a list of lists, and in a raw request."""
    size = len(text.encode("utf-8", "surrogatepass"))
    blocks = [{"type": "text", "text": text}]
    for inputs in (
        text,
        [[role(text)]],
        [[role(blocks)]],
        {"messages": [{"role": "user", "content": blocks}]},
    ):
        ceiling = input_ceiling(inputs, {})
        assert ceiling is not None
        assert ceiling >= size


def test_tools_and_tool_calls_count() -> None:
    """Schemas are sent too, and what the provider says about tools."""
    call = {"name": "search", "args": {"q": "x" * 500}, "id": "1", "type": "tool_call"}
    messages = [[AIMessage("", tool_calls=[call]), ToolMessage("y" * 300, tool_call_id="1")]]
    tools = {"tools": [{"type": "function", "function": {"name": "search", "description": "z" * 700}}]}
    ceiling = input_ceiling(messages, tools)
    assert ceiling is not None
    assert ceiling > 500 + 300 + 700 + 1_000


UNPROVEN: list[tuple[object, dict[str, Any]]] = [
    ([[HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}])]], {}),
    ([[HumanMessage([{"type": "file", "file_id": "f1"}])]], {}),
    ("hi", {"tools": [{"type": "web_search"}]}),
    ("hi", {"tools": [{"google_search": {}}]}),
    ("hi", {"previous_response_id": "r1"}),
    ({"input": "hi", "prompt": {"id": "p1"}}, {}),
    ({"input": b"bytes"}, {}),
    ("hi", {"extra_body": {"x": 1}}),
    (object(), {}),
    ("hi", {"response_format": object}),
]


@pytest.mark.parametrize(("inputs", "parameters"), UNPROVEN)
def test_what_the_request_does_not_say_has_no_ceiling(inputs: object, parameters: dict[str, Any]) -> None:
    """Media, files, searches, conversations that the provider keeps, and what is no JSON."""
    assert input_ceiling(inputs, parameters) is None


def test_every_answer_asked_for_counts() -> None:
    """Of n answers each may be as long as the limit."""
    assert output_ceiling({"n": 3}, 100) == 300
    assert output_ceiling({}, 100) == 100
    assert output_ceiling({"n": 3}, None) is None
    assert output_ceiling({"config": {"candidate_count": 3}}, 100) == 300


def test_a_quantile_needs_enough_calls_and_is_a_cost_that_was_seen() -> None:
    """The smallest that a share of the calls did not exceed."""
    history = CostHistory()
    for cost in range(1, ENOUGH):
        history.add("triage", "m", cost)
    assert history.quantile("triage", "m", 0.95) is None
    history.add("triage", "m", 1_000)
    assert history.quantile("triage", "m", 0.95) == 19
    assert history.quantile("triage", "m", 0.99) == 1_000
    assert history.quantile("other", "m", 0.95) is None
    for _ in range(300):
        history.add("triage", "m", 7)
    assert history.quantile("triage", "m", 0.99) == 7


def test_an_expectation_is_the_estimated_input_and_the_usual_output() -> None:
    """At most the request's own limit; tool schemas are sent too."""
    assert expected_input("x" * 40, {}) == 10
    assert expected_input("x" * 40, {"tools": [{"name": "search"}]}) > 10
    assert expected_output(None, 100) == 100
    assert expected_output(5_000, 100) == 100
    assert expected_output(5, 100) == 5


@given(texts=st.lists(st.text(max_size=30), max_size=4))
def test_the_quick_estimate_of_messages_is_the_careful_one(texts: list[str]) -> None:
    """Whatever they say, and with tool calls too."""
    call = {"name": "search", "args": {"q": "x"}, "id": "1", "type": "tool_call"}
    for messages in (
        [[HumanMessage(text) for text in texts]],
        [[AIMessage(text, tool_calls=[call]) for text in texts]],
    ):
        assert expected_input(messages, {}) == estimate_usage(messages, "").input_tokens
