"""Estimates from text length, for usage that no provider reported.

Good to about a fifth for prose, and marked as an estimate wherever it is shown. Media count at a flat rate:
their bytes say nothing of their tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from spendgraph.pricing.usage import Usage

BYTES_PER_TOKEN = 4
"""UTF-8 bytes of prose in one token, over the common tokenisers."""

MESSAGE_TOKENS = 4
"""What a message's role and delimiters cost."""

MEDIA_TOKENS = 1_000
"""An image, a page or a clip, about."""

_TEXT_KEYS = (
    "system", "instructions", "system_instruction", "messages", "input", "inputs", "prompt", "prompts",
    "contents", "content", "parts", "query", "documents", "text", "texts", "thinking", "reasoning",
    "page_content", "arguments", "args", "tools", "functions", "summary", "output",
)  # fmt: skip
_MEDIA_TYPES = frozenset({
    "image", "image_url", "input_image", "audio", "input_audio", "video", "file", "input_file", "document",
    "media", "image_file",
})  # fmt: skip
_SCHEMA_KEYS = frozenset({"tools", "functions", "args", "input_schema", "parameters"})


def estimate_usage(inputs: object, output_text: str) -> Usage:
    """A usage from what went in and what came out.

    Args:
        inputs: Whatever was sent: text, prompts, LangChain messages (also lists of lists), request keywords.
        output_text: The text that came back, as far as it did.
    """
    return Usage(input_tokens=_tokens(inputs, depth=0), output_tokens=estimate_tokens(output_text))


def estimate_tokens(passage: str) -> int:
    """Tokens of a text, rounded up; 0 for none."""
    size = len(passage) if passage.isascii() else len(passage.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_PER_TOKEN)


def _tokens(value: object, *, depth: int) -> int:
    if isinstance(value, str):
        return estimate_tokens(value)
    if value is None or depth > 12 or isinstance(value, (bool, int, float)):
        return 0
    if isinstance(value, (bytes, bytearray, memoryview)):
        return MEDIA_TOKENS
    if isinstance(value, Mapping):
        return _mapping_tokens(cast("Mapping[str, object]", value), depth=depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(_tokens(item, depth=depth + 1) for item in cast("list[object]", value))
    return _object_tokens(value, depth=depth)


def _mapping_tokens(value: Mapping[str, object], *, depth: int) -> int:
    if value.get("type") in _MEDIA_TYPES:
        return MEDIA_TOKENS
    tokens = MESSAGE_TOKENS if "role" in value else 0
    for key in _TEXT_KEYS:
        part = value.get(key)
        if part is None:
            continue
        tokens += _json_tokens(part) if key in _SCHEMA_KEYS else _tokens(part, depth=depth + 1)
    return tokens


def _object_tokens(value: object, *, depth: int) -> int:
    content = getattr(value, "content", None)
    if content is None:
        messages = getattr(value, "messages", None)  # a prompt value
        return _tokens(getattr(value, "text", None) if messages is None else messages, depth=depth + 1)
    tokens = MESSAGE_TOKENS + _tokens(content, depth=depth + 1)
    calls = getattr(value, "tool_calls", None)
    return tokens + (_json_tokens(calls) if calls else 0)


def _json_tokens(value: object) -> int:
    if isinstance(value, str):
        return estimate_tokens(value)
    try:
        return estimate_tokens(json.dumps(value, default=str, skipkeys=True))
    except (TypeError, ValueError, RecursionError):  # it contains itself, or is nested beyond any schema
        return MEDIA_TOKENS
