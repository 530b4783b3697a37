"""What the real langchain-openai client hands its callbacks, read and priced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from langchain_core.caches import InMemoryCache
from langchain_openai import ChatOpenAI, OpenAI
from openai import LengthFinishReasonError
from pydantic import BaseModel, SecretStr

from pricing.conftest import Heard, Wire
from spendgraph.pricing import PriceBook, Reported, Usage, read_langchain, read_langchain_error

USAGE = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 0},
}


def _completion(**more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [choice],
        "usage": USAGE,
        **more,
    }


def _chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
        **more,
    }


def _model(wire: Wire, heard: Heard, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-4o",
        base_url=f"{wire.url}/v1",
        api_key=SecretStr("unused"),
        max_retries=0,
        callbacks=[heard],
        **settings,
    )


def _cost(book: PriceBook, reported: Reported) -> int:
    price = book.price(reported.provider, reported.model, 0, reported.service_tier)
    assert price is not None
    assert reported.usage is not None
    return price.cost(reported.usage)


def test_an_invoke_is_read_with_model_id_and_usage(wire: Wire, heard: Heard, book: PriceBook) -> None:
    """The asked-for alias is gpt-4o, the answer's dated id is priced: $0.005615."""
    wire.answer = _completion()
    _model(wire, heard).invoke("hi")
    reported = read_langchain(heard.ends[0], provider="openai")
    assert reported == Reported(
        usage=Usage(input_tokens=2006, output_tokens=300, cache_read_tokens=1920, reasoning_tokens=64),
        provider="openai",
        model="gpt-4o-2024-08-06",
        response_id="chatcmpl-7",
    )
    assert _cost(book, reported) == 5_615_000


def test_several_generations_are_one_request(wire: Wire, heard: Heard, book: PriceBook) -> None:
    """With n=3 each generation repeats the whole usage and names no model: counted once, model found."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        for i in range(3)
    ]
    wire.answer = _completion(choices=choices)
    _model(wire, heard, n=3).invoke("hi")
    assert len(heard.ends[0].generations[0]) == 3
    reported = read_langchain(heard.ends[0])
    assert reported.model == "gpt-4o-2024-08-06"
    assert reported.response_id == "chatcmpl-7"
    assert _cost(book, reported) == 5_615_000


def test_a_flex_answer_is_read_from_its_renamed_keys(wire: Wire, heard: Heard, book: PriceBook) -> None:
    """`flex_cache_read` is a cache read, at flex prices: half of $0.005615."""
    wire.answer = _completion(service_tier="flex")
    _model(wire, heard).invoke("hi")
    reported = read_langchain(heard.ends[0])
    assert reported.service_tier == "flex"
    assert reported.usage == Usage(
        input_tokens=2006, output_tokens=300, cache_read_tokens=1920, reasoning_tokens=64
    )
    assert _cost(book, reported) == 2_807_500


def test_the_default_tier_is_standard(wire: Wire, heard: Heard) -> None:
    """OpenAI calls the standard tier `default`."""
    wire.answer = _completion(service_tier="default")
    _model(wire, heard).invoke("hi")
    assert read_langchain(heard.ends[0]).service_tier == ""


@pytest.mark.parametrize("tier", ["default", "flex"])
def test_a_stream_costs_what_the_invoke_costs(wire: Wire, heard: Heard, book: PriceBook, tier: str) -> None:
    """Usage comes in the last chunk, tier and model in the one before."""
    wire.answer = [
        _chunk([{"index": 0, "delta": {"role": "assistant", "content": "H"}}], service_tier=tier),
        _chunk([{"index": 0, "delta": {"content": "i"}}], service_tier=tier),
        _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}], service_tier=tier),
        _chunk([], usage=USAGE, service_tier=tier),
    ]
    list(_model(wire, heard, stream_usage=True).stream("hi"))
    reported = read_langchain(heard.ends[0])
    assert reported.model == "gpt-4o-2024-08-06"
    assert _cost(book, reported) == {"default": 5_615_000, "flex": 2_807_500}[tier]


def test_a_model_name_that_merging_repeated_is_read_once(wire: Wire, heard: Heard) -> None:
    """Two finishing chunks make LangChain join the name to itself."""
    finish = _chunk([{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}], service_tier="flex")
    wire.answer = [finish, finish, _chunk([], usage=USAGE, service_tier="flex")]
    list(_model(wire, heard, stream_usage=True).stream("hi"))
    message: Any = heard.ends[0].generations[0][0]
    assert message.message.response_metadata["model_name"] == "gpt-4o-2024-08-06gpt-4o-2024-08-06"
    reported = read_langchain(heard.ends[0])
    assert (reported.model, reported.service_tier) == ("gpt-4o-2024-08-06", "flex")


def test_a_stream_without_usage_leaves_the_text_for_an_estimate(wire: Wire, heard: Heard) -> None:
    """A server that reports nothing is not a server that used nothing."""
    wire.answer = [
        _chunk([{"index": 0, "delta": {"role": "assistant", "content": "Hello you"}}]),
        _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    ]
    list(_model(wire, heard).stream("hi"))
    reported = read_langchain(heard.ends[0])
    assert reported.usage is None
    assert reported.output_text == "Hello you"


def test_an_explicit_zero_usage_stays_zero(wire: Wire, heard: Heard) -> None:
    """An estimate is only for usage that is absent."""
    wire.answer = _completion(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
    _model(wire, heard).invoke("hi")
    assert read_langchain(heard.ends[0]).usage == Usage()


def test_a_hit_in_langchains_own_cache_is_told_by_its_cost_of_zero(wire: Wire, heard: Heard) -> None:
    """The second answer repeats the first's usage and `total_cost: 0`: kept, for the saving."""
    wire.answer = _completion()
    model = _model(wire, heard, cache=InMemoryCache())
    model.invoke("hi")
    first = read_langchain(heard.ends[0])
    model.invoke("hi")
    second = read_langchain(heard.ends[1])
    assert (first.cache_hit, second.cache_hit) == (False, True)
    assert first.usage == second.usage


def _response(**more: Any) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "output_text", "text": "Hi", "annotations": []}
    message: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    return {
        "id": "resp_9",
        "object": "response",
        "created_at": 1,
        "model": "gpt-4o-2024-08-06",
        "status": "completed",
        "output": [
            {**search, "action": {"type": "search", "query": "x"}},
            {**search, "id": "ws_2", "action": {"type": "open_page", "url": "https://example.com"}},
            message,
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 2006,
            "output_tokens": 300,
            "total_tokens": 2306,
            "input_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 64},
        },
        **more,
    }


@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
def test_the_responses_api_is_read_from_the_message(
    wire: Wire, heard: Heard, book: PriceBook, streamed: bool
) -> None:
    """Its `llm_output` is empty; one of the two web search calls is a billed search."""
    model = _model(wire, heard, use_responses_api=True)
    if streamed:
        created = {"type": "response.created", "sequence_number": 0, "response": _response(output=[])}
        items = [
            {"type": "response.output_item.done", "sequence_number": i, "output_index": i, "item": item}
            for i, item in enumerate(_response()["output"])
        ]
        done = {
            "type": "response.completed",
            "sequence_number": 9,
            "response": _response(service_tier="flex"),
        }
        wire.answer = [created, *items, done]
        list(model.stream("hi"))
    else:
        wire.answer = _response(service_tier="flex")
        model.invoke("hi")
    reported = read_langchain(heard.ends[0])
    assert reported == Reported(
        usage=Usage(
            input_tokens=2006,
            output_tokens=300,
            cache_read_tokens=1920,
            reasoning_tokens=64,
            web_searches=1,
        ),
        provider="openai",
        model="gpt-4o-2024-08-06",
        response_id="resp_9",
        service_tier="flex",
    )
    assert _cost(book, reported) == 2_807_500


class _Answer(BaseModel):
    text: str


def _structured(wire: Wire, heard: Heard) -> None:
    model: Any = _model(wire, heard)
    model.with_structured_output(_Answer).invoke("hi")


def _astructured(wire: Wire, heard: Heard) -> None:
    async def main() -> None:
        async with httpx2.AsyncClient() as http:
            model: Any = _model(wire, heard, http_async_client=http)
            await model.with_structured_output(_Answer).ainvoke("hi")

    asyncio.run(main())


@pytest.mark.parametrize("ask", [_structured, _astructured], ids=["invoke", "ainvoke"])
def test_structured_output_cut_by_the_length_limit_is_billed(
    wire: Wire, heard: Heard, ask: Callable[[Wire, Heard], None]
) -> None:
    """The error carries the completion, and with it the usage."""
    cut = {"index": 0, "message": {"role": "assistant", "content": '{"te'}, "finish_reason": "length"}
    wire.answer = _completion(choices=[cut])
    with pytest.raises(LengthFinishReasonError):
        ask(wire, heard)
    error, partial = heard.errors[0]
    reported = read_langchain_error(error, partial, provider="openai")
    assert reported.model == "gpt-4o-2024-08-06"
    assert reported.usage == Usage(
        input_tokens=2006, output_tokens=300, cache_read_tokens=1920, reasoning_tokens=64
    )


def test_a_stream_that_is_left_early_keeps_its_text(wire: Wire, heard: Heard) -> None:
    """`break` ends in GeneratorExit with the partial answer and no usage."""
    wire.answer = [
        _chunk([{"index": 0, "delta": {"role": "assistant", "content": "Hello "}}]),
        _chunk([{"index": 0, "delta": {"content": "you"}}]),
        _chunk([{"index": 0, "delta": {"content": " there"}}]),
        _chunk([], usage=USAGE),
    ]
    stream: Any = _model(wire, heard, stream_usage=True).stream("hi")
    next(stream)
    next(stream)
    stream.close()
    error, partial = heard.errors[0]
    assert isinstance(error, GeneratorExit)
    reported = read_langchain_error(error, partial, provider="openai")
    assert reported.usage is None
    assert reported.output_text == "Hello you"


def test_an_error_without_an_answer_says_nothing() -> None:
    """Nothing came back: no usage, no text."""
    assert read_langchain_error(TimeoutError(), None, provider="openai") == Reported(provider="openai")


def test_a_completion_models_usage_is_in_its_llm_output(wire: Wire, heard: Heard) -> None:
    """There is no message: `token_usage` and the model's name stand beside the generations."""
    choice = {"index": 0, "text": "Hi", "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    wire.answer = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "gpt-3.5-turbo-instruct",
        "choices": [choice],
        "usage": usage,
    }
    model = OpenAI(base_url=f"{wire.url}/v1", api_key=SecretStr("unused"), callbacks=[heard], max_retries=0)
    model.invoke("hi")
    reported = read_langchain(heard.ends[0], provider="openai")
    assert reported.model == "gpt-3.5-turbo-instruct"
    assert reported.usage == Usage(input_tokens=5, output_tokens=2)
