"""What the real langchain-anthropic client hands its callbacks, and usage in other integrations' shapes."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, LLMResult
from pydantic import SecretStr

from pricing.conftest import Heard, Wire
from spendgraph.pricing import PriceBook, Reported, Usage, read_langchain, with_cache_ttl

RAW: dict[str, Any] = {
    "input_tokens": 1_000,
    "output_tokens": 500,
    "cache_read_input_tokens": 8_000,
    "cache_creation_input_tokens": 1_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 0},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "standard",
}
ONE_HOUR: dict[str, Any] = {
    **RAW,
    "input_tokens": 10_000,
    "output_tokens": 2_000,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 50_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50_000},
    "server_tool_use": None,
}


def _message(usage: dict[str, Any], content: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Hi"}] if content is None else content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def _stream(usage: dict[str, Any]) -> list[dict[str, Any]]:
    counts = {k: v for k, v in usage.items() if k not in ("cache_creation", "service_tier")}
    started = {**usage, "output_tokens": 1}
    result = {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e"}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [result]}
    failed = {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    blocks = [found, {**found, "tool_use_id": "srvtoolu_2"}, {**found, "content": failed}]
    searched = blocks if usage["server_tool_use"] else []
    last = len(searched)
    return [
        {"type": "message_start", "message": _message(started, [])},
        *({"type": "content_block_start", "index": i, "content_block": b} for i, b in enumerate(searched)),
        {"type": "content_block_start", "index": last, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": last, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "content_block_stop", "index": last},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": counts,
        },
        {"type": "message_stop"},
    ]


def _model(wire: Wire, heard: Heard) -> ChatAnthropic:
    return ChatAnthropic(
        model_name="claude-sonnet-4-6",  # the answers name another: theirs is priced
        base_url=wire.url,
        api_key=SecretStr("unused"),
        max_retries=0,
        callbacks=[heard],
        timeout=None,
        stop=None,
    )


def _cost(book: PriceBook, reported: Reported) -> int:
    price = book.price(reported.provider, reported.model, 0, reported.service_tier)
    assert price is not None
    assert reported.usage is not None
    return price.cost(reported.usage)


@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_streaming_and_invoke_cost_the_same(
    wire: Wire, heard: Heard, book: PriceBook, streamed: bool
) -> None:
    """$0.01665 of tokens and two web searches at $0.01, both ways: the counts are not added up twice."""
    wire.answer = _stream(RAW) if streamed else _message(RAW)
    unbound: Any = _model(wire, heard)
    model = unbound.bind_tools([{"type": "web_search_20250305", "name": "web_search"}])
    if streamed:
        list(model.stream("hi"))
    else:
        model.invoke("hi")
    reported = read_langchain(heard.ends[0])
    assert reported.provider == "anthropic"
    assert reported.model == "claude-sonnet-4-5-20250929"
    assert reported.response_id == ("" if streamed else "msg_1")
    assert reported.usage == Usage(
        input_tokens=10_000,
        output_tokens=500,
        cache_read_tokens=8_000,
        cache_write_5m_tokens=1_000,
        web_searches=2,
    )
    assert _cost(book, reported) == 36_650_000


def test_one_hour_writes_are_read_from_their_own_key(wire: Wire, heard: Heard, book: PriceBook) -> None:
    """LangChain reports them beside `cache_creation: 0`: 50,000 cost $0.360 with the rest."""
    wire.answer = _message(ONE_HOUR)
    _model(wire, heard).invoke("hi")
    reported = read_langchain(heard.ends[0])
    assert reported.ttl_unknown is False
    assert reported.usage == Usage(input_tokens=60_000, output_tokens=2_000, cache_write_1h_tokens=50_000)
    assert _cost(book, reported) == 360_000_000


def test_a_stream_loses_the_term_of_writes_and_the_request_knows_it(
    wire: Wire, heard: Heard, book: PriceBook
) -> None:
    """Without the wire the writes look like five-minute ones; the request's marks say one hour."""
    wire.answer = _stream(ONE_HOUR)
    mark = {"type": "ephemeral", "ttl": "1h"}
    question = {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": mark}]}
    list(_model(wire, heard).stream([question]))
    reported = read_langchain(heard.ends[0])
    assert reported.ttl_unknown is True
    assert _cost(book, reported) == 247_500_000
    assert reported.usage is not None
    usage = with_cache_ttl(reported.usage, [question])
    assert usage == Usage(input_tokens=60_000, output_tokens=2_000, cache_write_1h_tokens=50_000)


def _result(counted: dict[str, Any], **metadata: Any) -> LLMResult:
    message = AIMessage("", response_metadata=metadata)
    message.usage_metadata = UsageMetadata(**counted)  # type: ignore[typeddict-item]
    return LLMResult(generations=[[ChatGeneration(message=message)]])


def _counted(input_tokens: int, output_tokens: int, total: int, **details: dict[str, int]) -> dict[str, Any]:
    counts: dict[str, Any] = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    return {**counts, "total_tokens": total, **details}


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        pytest.param(
            _counted(
                100, 0, 100, input_token_details={"cache_creation": 60, "ephemeral_1h_input_tokens": 60}
            ),
            Usage(input_tokens=100, cache_write_1h_tokens=60),
            id="the same tokens in both keys are one thing",
        ),
        pytest.param(
            _counted(
                100, 0, 100, input_token_details={"cache_creation": 60, "ephemeral_1h_input_tokens": 20}
            ),
            Usage(input_tokens=100, cache_write_5m_tokens=40, cache_write_1h_tokens=20),
            id="what the split leaves is written at the default term",
        ),
        pytest.param(
            _counted(100, 50, 170, output_token_details={"reasoning": 20}),
            Usage(input_tokens=100, output_tokens=70, reasoning_tokens=20),
            id="the total says that reasoning is beside the output",
        ),
        pytest.param(
            _counted(100, 50, 150, output_token_details={"reasoning": 20}),
            Usage(input_tokens=100, output_tokens=50, reasoning_tokens=20),
            id="the total says that reasoning is inside the output",
        ),
        pytest.param(
            _counted(40, 50, 150, input_token_details={"cache_read": 60}),
            Usage(input_tokens=100, output_tokens=50, cache_read_tokens=60),
            id="the total says that the cache is beside the input",
        ),
        pytest.param(
            _counted(100, 50, 90, input_token_details={"cache_read": 60}),
            Usage(input_tokens=100, output_tokens=50, cache_read_tokens=60),
            id="a total that leaves the cache out is no contradiction",
        ),
        pytest.param(
            _counted(100, 50, 400, output_token_details={"reasoning": 20}),
            Usage(
                input_tokens=100,
                output_tokens=300,
                reasoning_tokens=20,
                note="total 400 is neither input 100 + output 50 nor explained by their parts",
            ),
            id="what fits no reading is quarantined at the dearest one",
        ),
        pytest.param(
            _counted(
                100,
                50,
                150,
                input_token_details={"priority": 90, "priority_cache_read": 10},
                output_token_details={"priority": 30, "priority_reasoning": 20},
            ),
            Usage(input_tokens=100, output_tokens=50, cache_read_tokens=10, reasoning_tokens=20),
            id="a tier renames the keys",
        ),
        pytest.param(
            _counted(100, 50, 150, input_token_details={"audio": 30}, output_token_details={"audio": 20}),
            Usage(input_tokens=100, output_tokens=50, audio_input_tokens=30, audio_output_tokens=20),
            id="audio",
        ),
    ],
)
def test_normalised_usage_is_read(counted: dict[str, Any], usage: Usage) -> None:
    """Every shape of `usage_metadata` that integrations produce."""
    assert read_langchain(_result(counted)).usage == usage


def test_the_tier_is_found_in_the_keys_when_nothing_else_says_it() -> None:
    """A stream's message may carry no `service_tier`; its keys are named after it."""
    counted = _counted(100, 50, 150, input_token_details={"priority": 100, "priority_cache_read": 0})
    assert read_langchain(_result(counted)).service_tier == "priority"


def test_the_runs_provider_goes_before_the_messages() -> None:
    """A subclass of an OpenAI client answers as openai and belongs to whoever the run names."""
    counted = _counted(1, 1, 2)
    assert (
        read_langchain(_result(counted, model_provider="openai"), provider="deepseek").provider == "deepseek"
    )
    assert read_langchain(_result(counted, model_provider="openai")).provider == "openai"


def test_a_result_of_several_prompts_is_their_sum() -> None:
    """Two prompts, two messages, one result."""
    one, two = _result(_counted(10, 5, 15)), _result(_counted(20, 7, 27))
    both = LLMResult(generations=[*one.generations, *two.generations])
    assert read_langchain(both).usage == Usage(input_tokens=30, output_tokens=12)


def test_an_integration_that_normalises_nothing_is_read_raw() -> None:
    """Without `usage_metadata`, the raw usage in the response's metadata counts."""
    message = AIMessage("Hi", response_metadata={"token_usage": {"prompt_tokens": 9, "completion_tokens": 4}})
    result = LLMResult(generations=[[ChatGeneration(message=message)]])
    assert read_langchain(result).usage == Usage(input_tokens=9, output_tokens=4)


@pytest.mark.parametrize(("model", "searches"), [("gemini-2.5-pro", 1), ("gemini-3-pro-preview", 2)])
def test_grounded_answers_count_their_searches(model: str, searches: int) -> None:
    """Up to Gemini 2 a grounded prompt is billed, since then each query."""
    grounding = {"web_search_queries": ["a", "b"]}
    result = _result(_counted(1, 1, 2), model_name=model, grounding_metadata=grounding)
    usage = read_langchain(result).usage
    assert usage is not None
    assert usage.web_searches == searches


def test_an_empty_result_says_nothing() -> None:
    """No generation, no usage."""
    assert read_langchain(LLMResult(generations=[[]]), provider="x") == Reported(provider="x")
