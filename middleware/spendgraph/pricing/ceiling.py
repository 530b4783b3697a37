"""How many tokens a request can be billed at most, proven from the request alone.

A token is at least one byte of what is sent, in every tokeniser in use, and an answer holds at most what the request
allows. What cannot be told from the request (media, documents and searches that the provider adds) has no ceiling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from spendgraph.pricing.counts import field

MESSAGE_TOKENS: Final = 16
"""More than any provider adds for the role and the delimiters of a message."""

TOOLS_TOKENS: Final = 1_024
"""More than any provider adds to explain the use of tools."""

# What the provider adds to the input, or fetches while it answers.
_ADDS_INPUT: Final = (
    "previous_response_id",
    "conversation",
    "prompt",
    "cached_content",
    "mcp_servers",
    "container",
    "extra_body",
    "web_search_options",
    "prediction",
    "plugins",
)
_PLAIN_TOOLS: Final = frozenset({"function", "custom"})
_UNTYPED_TOOLS: Final = ("input_schema", "parameters", "function_declarations", "functionDeclarations")
_ANSWERS: Final = ("n", "candidate_count", "best_of")
_TEXT_BLOCKS: Final = frozenset({
    "text", "tool_use", "tool_result", "tool_call", "thinking", "redacted_thinking", "reasoning", "refusal",
    "input_text", "output_text", "function_call", "function_call_output", "message",
})  # fmt: skip
_MESSAGE_PARTS: Final = ("name", "tool_calls", "tool_call_id", "additional_kwargs", "id")


def input_ceiling(inputs: object, parameters: object) -> int | None:
    """The most input tokens of a request, or `None` where the request alone does not say.

    Args:
        inputs: What is sent: text, prompts, LangChain messages (also lists of lists), request keywords.
        parameters: What else is sent with it: tools, response formats.
    """
    if isinstance(inputs, Mapping):
        request = dict(cast("Mapping[str, object]", inputs))  # of a raw call
        request.pop("tools", None)  # which is among its parameters too
        config = _bytes_of(request.pop("toolConfig", None))
        if config is None or isinstance(request.get("prompt"), Mapping):  # a prompt that the provider keeps
            return None
        sent = _sum(list(request.values()), depth=0)
        sent = None if sent is None else sent + config
    else:
        sent = _ceiling(inputs, depth=0)
    if sent is None or not isinstance(parameters, Mapping):
        return sent
    settings = cast("Mapping[str, Any]", parameters)
    if any(settings.get(name) for name in _ADDS_INPUT):
        return None
    tools = settings.get("tools") or settings.get("functions") or ()
    if not isinstance(tools, (list, tuple)) or not all(
        _is_plain(tool) for tool in cast("list[object]", tools)
    ):
        return None
    extra = _bytes_of({name: value for name, value in settings.items() if value is not None})
    return None if extra is None else sent + extra + (TOOLS_TOKENS if tools else 0)


def output_ceiling(parameters: object, max_output_tokens: int | None) -> int | None:
    """The most output tokens of a request, over all the answers it asks for; `None` without a limit."""
    if max_output_tokens is None:
        return None
    answers = 1
    if isinstance(parameters, Mapping):
        settings = cast("Mapping[str, Any]", parameters)
        for where in (settings, settings.get("config")):  # google-genai's own SDK has them there
            for name in _ANSWERS:
                count = field(where, name)
                if isinstance(count, int) and count > answers:
                    answers = count
    return max_output_tokens * answers


def _is_plain(tool: object) -> bool:
    """Whether a tool runs here: a provider's own tools add what they find to the input."""
    if not isinstance(tool, Mapping):
        return False
    described = cast("Mapping[str, Any]", tool)
    if "type" in described:
        return described["type"] in _PLAIN_TOOLS
    # Anthropic's and Gemini's have no type; Gemini's own tools have nothing but their name as a key.
    return any(name in described for name in _UNTYPED_TOOLS)


def _ceiling(value: object, *, depth: int) -> int | None:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if value is None or isinstance(value, (bool, int, float)):
        return MESSAGE_TOKENS
    if depth > 12 or isinstance(value, (bytes, bytearray, memoryview)):
        return None
    if isinstance(value, Mapping):
        return _of_mapping(cast("Mapping[str, object]", value), depth=depth)
    if isinstance(value, (list, tuple)):
        return _sum(cast("list[object]", value), depth=depth)
    content = getattr(value, "content", None)
    if content is None:
        return None
    # A message: in LangChain's own attributes or in what the integration keeps beside them.
    sent = _ceiling(content, depth=depth + 1)
    beside = _bytes_of([part for name in _MESSAGE_PARTS if (part := getattr(value, name, None))])
    return None if sent is None or beside is None else sent + MESSAGE_TOKENS + beside


def _of_mapping(value: Mapping[str, object], *, depth: int) -> int | None:
    kind = value.get("type")
    if kind is not None and kind not in _TEXT_BLOCKS:
        return None
    sent = _sum([part for name, part in value.items() if name != "cache_control"], depth=depth)
    return None if sent is None else sent + MESSAGE_TOKENS + sum(len(str(name)) for name in value)


def _sum(values: list[object], *, depth: int) -> int | None:
    total = 0
    for value in values:
        sent = _ceiling(value, depth=depth + 1)
        if sent is None:
            return None
        total += sent
    return total


def _bytes_of(value: object) -> int | None:
    """The bytes of a value as JSON, every letter that is no ASCII counted as its escape; `None` of what is no JSON."""
    try:
        return len(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return None
