"""Raw provider responses, as SDK objects and as decoded JSON."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Message
from google.genai.types import GenerateContentResponse
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from spendgraph.pricing import Reported, Usage, read_provider

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {
        "prompt_tokens": 17_903,
        "completion_tokens": 0,
        "total_tokens": 17_903,
        "prompt_tokens_details": {"cached_tokens": 17_817, "audio_tokens": 0},
    },
    "service_tier": "priority",
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10_000,
        "output_tokens": 2_000,
        "cache_creation_input_tokens": 50_000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50_000},
        "output_tokens_details": {"thinking_tokens": 300},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "service_tier": "batch",
    },
}
GEMINI: dict[str, Any] = {
    "response_id": "r1",
    "model_version": "gemini-2.5-pro",
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}],
    "usage_metadata": {
        "prompt_token_count": 1_000,
        "candidates_token_count": 200,
        "thoughts_token_count": 50,
        "tool_use_prompt_token_count": 30,
        "cached_content_token_count": 400,
        "total_token_count": 1_280,
        "prompt_tokens_details": [
            {"modality": "TEXT", "token_count": 900},
            {"modality": "AUDIO", "token_count": 100},
        ],
        "cache_tokens_details": [{"modality": "AUDIO", "token_count": 40}],
        "traffic_type": "ON_DEMAND_PRIORITY",
    },
}
CONVERSE: dict[str, Any] = {
    "ResponseMetadata": {"RequestId": "req-1"},
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 1_000,
        "outputTokens": 500,
        "totalTokens": 10_500,
        "cacheReadInputTokens": 8_000,
        "cacheWriteInputTokens": 1_000,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 250}],
    },
    "serviceTier": {"type": "flex"},
}
CHAT_READ = Reported(
    usage=Usage(input_tokens=17_903, cache_read_tokens=17_817),
    provider="openai",
    model="gpt-4o-2024-08-06",
    response_id="chatcmpl-1",
    service_tier="priority",
)
MESSAGE_READ = Reported(
    usage=Usage(
        input_tokens=60_000,
        output_tokens=2_000,
        cache_write_1h_tokens=50_000,
        reasoning_tokens=300,
        web_searches=1,
    ),
    provider="anthropic",
    model="claude-sonnet-4-5-20250929",
    response_id="msg_1",
    service_tier="batch",
)
GEMINI_READ = Reported(
    usage=Usage(
        input_tokens=1_030,
        output_tokens=250,
        cache_read_tokens=400,
        reasoning_tokens=50,
        audio_input_tokens=100,
        cached_audio_tokens=40,
    ),
    provider="google_genai",
    model="gemini-2.5-pro",
    response_id="r1",
    service_tier="priority",
)
CONVERSE_READ = Reported(
    usage=Usage(
        input_tokens=10_000,
        output_tokens=500,
        cache_read_tokens=8_000,
        cache_write_5m_tokens=750,
        cache_write_1h_tokens=250,
    ),
    provider="bedrock_converse",
    response_id="req-1",
    service_tier="flex",
)


@pytest.mark.parametrize(
    ("response", "reported"),
    [
        pytest.param(CHAT, CHAT_READ, id="Chat Completions JSON"),
        pytest.param(ChatCompletion.model_validate(CHAT), CHAT_READ, id="Chat Completions object"),
        pytest.param(MESSAGE, MESSAGE_READ, id="Messages JSON"),
        pytest.param(Message.model_validate(MESSAGE), MESSAGE_READ, id="Messages object"),
        pytest.param(GEMINI, GEMINI_READ, id="Gemini JSON"),
        pytest.param(GenerateContentResponse.model_validate(GEMINI), GEMINI_READ, id="Gemini object"),
        pytest.param(CONVERSE, CONVERSE_READ, id="Converse"),
    ],
)
def test_a_response_is_read_by_its_shape(response: object, reported: Reported) -> None:
    """The same counts, as the SDK's objects or as JSON."""
    assert read_provider(response) == reported


def test_geminis_own_json_is_read_in_its_own_spelling() -> None:
    """The REST API spells in camel case."""
    response = {
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r2",
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3},
    }
    reported = read_provider(response)
    assert reported.model == "gemini-2.5-flash"
    assert reported.usage == Usage(input_tokens=10, output_tokens=8, reasoning_tokens=3)


def test_embeddings_count_their_prompt() -> None:
    """A million embedded tokens are a million input tokens."""
    response = CreateEmbeddingResponse.model_validate(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [],
            "usage": {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000},
        }
    )
    reported = read_provider(response, provider="openai")
    assert reported.model == "text-embedding-3-small"
    assert reported.usage == Usage(input_tokens=1_000_000)


def test_an_embedding_server_that_counts_only_a_total_is_read() -> None:
    """All of it is input."""
    assert read_provider({"data": [], "usage": {"total_tokens": 7}}).usage == Usage(input_tokens=7)


def test_images_count_their_modalities() -> None:
    """An image response counts image tokens in and out."""
    response: dict[str, Any] = {
        "created": 1,
        "data": [],
        "usage": {
            "input_tokens": 50,
            "output_tokens": 1_000,
            "total_tokens": 1_050,
            "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
            "output_tokens_details": {"image_tokens": 990, "text_tokens": 10},
        },
    }
    assert read_provider(response).usage == Usage(
        input_tokens=50, output_tokens=1_000, image_input_tokens=40, image_tokens=990
    )


def test_long_term_cache_writes_of_openai_are_the_long_bucket() -> None:
    """Twelve-hour writes are not half-hour ones."""
    usage = {
        "input_tokens": 100,
        "output_tokens": 0,
        "total_tokens": 100,
        "input_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 80,
            "cache_write_tokens_details": {"ttl_30m_tokens": 50, "ttl_12h_tokens": 30},
        },
    }
    assert read_provider({"object": "response", "usage": usage}).usage == Usage(
        input_tokens=100, cache_write_5m_tokens=50, cache_write_1h_tokens=30
    )


def test_a_server_that_counts_reasoning_beside_the_output_is_told_by_its_total() -> None:
    """100 + 20 + 300 = 420: the reasoning is beside."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 420,
        "completion_tokens_details": {"reasoning_tokens": 300},
    }
    assert read_provider({"choices": [], "usage": usage}).usage == Usage(
        input_tokens=100, output_tokens=320, reasoning_tokens=300
    )


def test_a_fast_answer_is_a_tier() -> None:
    """Anthropic's fast mode is dearer."""
    response = {**MESSAGE, "usage": {"input_tokens": 1, "output_tokens": 1, "speed": "fast"}}
    assert read_provider(response).service_tier == "fast"


@pytest.mark.parametrize(
    ("response", "text"),
    [
        pytest.param({**CHAT, "usage": None}, "Hello", id="Chat Completions"),
        pytest.param({**MESSAGE, "usage": None}, "Hello", id="Messages"),
        pytest.param({**GEMINI, "usage_metadata": None}, "Hello", id="Gemini"),
        pytest.param({**CONVERSE, "usage": None}, "Hello", id="Converse"),
        pytest.param("Hello", "Hello", id="text"),
    ],
)
def test_a_response_without_usage_leaves_its_text_for_an_estimate(response: object, text: str) -> None:
    """Absent is not zero."""
    reported = read_provider(response)
    assert reported.usage is None
    assert reported.output_text == text


def test_an_object_that_is_no_response_says_nothing() -> None:
    """Nothing is guessed."""
    assert read_provider(object(), provider="acme") == Reported(provider="acme")
