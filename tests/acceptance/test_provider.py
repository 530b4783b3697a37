"""The provider itself: what it bills is worked out by hand here, or no comparison with it means anything."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any

import anthropic
import openai
import pytest

from acceptance.kit import Kit
from provider import Line, Provider
from provider.rates import Tokens, amount


@pytest.mark.parametrize(
    ("model", "tier", "tokens", "expected"),
    [
        # 1,000 x 2,513.7 + 200 x 10,007.1
        pytest.param("gpt-4o", "", Tokens(1_000, 200), 4_515_120, id="input-and-output"),
        # 100 x 2,513.7 + 900 x 1,256.9
        pytest.param("gpt-4o", "", Tokens(1_000, 0, cache_read=900), 1_382_580, id="cached"),
        # 1 x 2,513.7 = 2,513.7, rounded once
        pytest.param("gpt-4o", "", Tokens(1, 0), 2_514, id="rounded"),
        # 5 x 1,250.3 = 6,251.5: half to even
        pytest.param("gpt-5", "", Tokens(5, 0), 6_252, id="half-even"),
        # 100 x 625.3 + 10 x 5,005.3
        pytest.param("gpt-5", "flex", Tokens(100, 10), 112_583, id="flex"),
        # 10 x 1,100.3 + 20 x 4,400.9 + 30 x 4,900.7
        pytest.param("o4-mini", "", Tokens(10, 50, reasoning=30), 246_042, id="reasoning"),
        # 1 x 3,000.7 + 2 x 300.1 + 3 x 3,750.3 + 4 x 6,001.1 + 5 x 15,001.3 + 2 x 10,070,000
        pytest.param(
            "claude-sonnet-4-6",
            "",
            Tokens(10, 5, cache_read=2, cache_write_5m=3, cache_write_1h=4, web_searches=2),
            20_253_863,
            id="every-class",
        ),
        # 200,001 x 6,001.9 + 1 x 22,502.3
        pytest.param("claude-sonnet-4-6", "", Tokens(200_001, 1), 1_200_408_504, id="long-context"),
        # 200,000 x 3,000.7 + 1 x 15,001.3
        pytest.param("claude-sonnet-4-6", "", Tokens(200_000, 1), 600_155_001, id="not-yet-long"),
        pytest.param("text-embedding-3-small", "", Tokens(1_000_000), 20_300_000, id="embedding"),
        pytest.param("rerank-1", "", Tokens(), 2_000_300, id="request"),
    ],
)
def test_a_response_costs_what_the_price_list_says(
    model: str, tier: str, tokens: Tokens, expected: int
) -> None:
    """Amounts are exact, rounded once, half even."""
    assert amount(model, tier, tokens) == expected


def test_a_refused_request_is_not_billed(kit: Kit, provider: Provider) -> None:
    """A 429 and a 500 cost nothing; the answer after them does."""
    model = kit.openai()
    for error in (openai.RateLimitError, openai.InternalServerError):
        with pytest.raises(error):
            model.invoke(kit.ask("try", fail=[429, 500]))
    model.invoke(kit.ask("try", fail=[429, 500]))
    invoice = provider.invoice(kit.account)
    assert (invoice.refusals, invoice.purposes()) == (2, {"try": 1})


def test_a_stream_says_the_same_as_an_answer(kit: Kit) -> None:
    """Streamed usage is that of a plain answer of the same script, on every wire."""
    script: dict[str, Any] = {"input": 5_000, "output": 300, "cache_read": 2_000}
    for model in (kit.openai(), kit.responses(), kit.anthropic()):
        plain = model.invoke(kit.ask("plain", **script)).usage_metadata
        chunks = list(model.stream(kit.ask("stream", **script)))
        streamed = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
        assert plain is not None
        assert plain["input_tokens"] == 5_000
        assert [used["input_tokens"] for used in streamed][-1] == 5_000
        assert sum(used["output_tokens"] for used in streamed) == plain["output_tokens"] == 300


def test_an_abandoned_stream_is_billed_for_what_was_produced(kit: Kit, provider: Provider) -> None:
    """The reader's end is noticed, and the rest of the answer is neither produced nor billed."""
    script: dict[str, Any] = {
        "text": "word " * 100,
        "chunks": 10,
        "chunk_delay": 0.03,
        "input": 10,
        "output": 100,
    }
    with kit.openai_sdk() as sdk:
        messages: Any = [{"role": "user", "content": kit.ask("cut", **script)}]
        stream = sdk.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        for chunk in stream:
            if chunk.choices[0].delta.content:
                stream.close()
                break
    line = _first_line(provider, kit.account)
    assert not line.whole
    assert line.tokens.input == 10
    assert 10 <= line.tokens.output <= 40


def test_the_anthropic_wire_tells_the_cache_split_at_the_start(kit: Kit) -> None:
    """`message_start` carries both kinds of writes, `message_delta` the searches and the output."""
    with kit.anthropic_sdk() as sdk:
        messages: Any = [
            {"role": "user", "content": kit.ask("wire", write_5m=3, write_1h=4, searches=2, output=9)}
        ]
        stream = sdk.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=messages, stream=True)
        events = list(stream)
    start, delta = events[0], events[-2]
    assert isinstance(start, anthropic.types.RawMessageStartEvent)
    assert isinstance(delta, anthropic.types.RawMessageDeltaEvent)
    assert start.message.usage.cache_creation is not None
    assert start.message.usage.cache_creation.ephemeral_5m_input_tokens == 3
    assert start.message.usage.cache_creation.ephemeral_1h_input_tokens == 4
    assert delta.usage.output_tokens == 9
    assert delta.usage.server_tool_use is not None
    assert delta.usage.server_tool_use.web_search_requests == 2


def _first_line(provider: Provider, account: str) -> Line:
    until = monotonic() + 5
    while not provider.invoice(account).lines and monotonic() < until:
        sleep(0.01)
    (line,) = provider.invoice(account).lines
    return line
