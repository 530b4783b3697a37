"""The quick reading of the common message says what the careful one says, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from spendgraph.pricing import Reported, Usage
from spendgraph.pricing.langchain import careful_message, common_message

METADATA = {"model_name": "gpt-4o", "id": "chatcmpl-1", "model_provider": "openai", "finish_reason": "stop"}


class Said:
    """A message as an integration might make it, unchecked."""

    def __init__(self, response_metadata: Any, usage_metadata: Any, content: Any = "ok") -> None:
        self.response_metadata = response_metadata
        self.usage_metadata = usage_metadata
        self.content = content
        self.id = "run-1"


counts = st.one_of(st.integers(-3, 40), st.none(), st.just(2.0), st.just("7"), st.booleans())
details = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["cache_read", "audio", "cache_creation", "reasoning", "flex_cache_read", "text"]),
        counts,
    ),
)
usages = st.fixed_dictionaries(
    {"input_tokens": counts, "output_tokens": counts, "total_tokens": counts},
    optional={"input_token_details": details, "output_token_details": details, "total_cost": st.just(0)},
)
metadatas = st.fixed_dictionaries(
    {
        "model_name": st.sampled_from(["gpt-4o", "gpt-4ogpt-4o", "", 5, None]),
        "id": st.sampled_from(["x", "lc_1", "", 3]),
    },
    optional={
        "service_tier": st.sampled_from(["default", "flex", None, 3]),
        "usage": st.just({"server_tool_use": {"web_search_requests": 2}}),
        "grounding_metadata": st.just({"web_search_queries": ["q"]}),
    },
)
outputs = st.fixed_dictionaries(
    {}, optional={"id": st.just("o"), "service_tier": st.just("flex"), "usage": st.just({"input_tokens": 1})}
)


@given(metadatas, usages, outputs, st.sampled_from(["ok", [{"type": "text", "text": "ok"}]]))
def test_the_quick_reading_agrees_with_the_careful_one(
    metadata: Any, usage: Any, output: Any, content: Any
) -> None:
    """Whatever stands where: the same report, or no quick one."""
    message = Said(metadata, usage, content)
    quick = common_message(message, output, "openai")
    assert quick is None or quick == careful_message(message, output, "openai")


def test_the_common_message_is_read_quickly() -> None:
    """An answer of gpt-4o with a cached prompt takes the quick way."""
    message = AIMessage(
        "ok",
        response_metadata=METADATA,
        usage_metadata={
            "input_tokens": 2006,
            "output_tokens": 300,
            "total_tokens": 2306,
            "input_token_details": {"cache_read": 1920, "audio": 0},
            "output_token_details": {"reasoning": 0, "audio": 0},
        },
    )
    assert common_message(message, {}, "openai") == Reported(
        usage=Usage(input_tokens=2006, output_tokens=300, cache_read_tokens=1920),
        provider="openai",
        model="gpt-4o",
        response_id="chatcmpl-1",
    )


@pytest.mark.parametrize("special", [{"usage": {}}, {"grounding_metadata": {}}, {"service_tier": "flex"}])
def test_what_is_special_is_read_carefully(special: dict[str, Any]) -> None:
    """A raw usage, a grounding or a tier of its own is not the common message."""
    message = Said({**METADATA, **special}, {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2})
    assert common_message(message, {}, "openai") is None
