"""Audio input, from the request, where the response does not tell of it.

Gemini bills audio input at a price of its own and counts it apart; langchain-google-genai hands on the sum alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from spendgraph.pricing.usage import Usage

_UNTOLD = "audio was sent, and how much of the input it was is not told: all that was not cached is charged as audio"
_AUDIO_TYPES = frozenset({"audio", "input_audio"})
_TYPE_KEYS = ("mime_type", "mimeType", "media_type")


def with_untold_audio(usage: Usage, request: object) -> Usage:
    """The usage with its uncached input as audio, the dearer reading, marked.

    Args:
        usage: A usage that says nothing of audio.
        request: What was sent: messages, in any nesting.

    Returns:
        The usage as it is where it tells of audio, or none was sent.
    """
    if usage.audio_input_tokens or not _has_audio(request, 0):
        return usage
    told = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    rest = usage.input_tokens - told - usage.image_input_tokens
    if rest <= 0:
        return usage
    return replace(usage, audio_input_tokens=rest, note=f"{usage.note}; {_UNTOLD}" if usage.note else _UNTOLD)


def _has_audio(value: object, depth: int) -> bool:
    if value is None or depth > 10 or isinstance(value, (str, bytes, bool, int, float)):
        return False
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        if fields.get("type") in _AUDIO_TYPES:
            return True
        if any(str(fields.get(key) or "").startswith("audio/") for key in _TYPE_KEYS):
            return True
        return any(_has_audio(item, depth + 1) for item in fields.values())
    if isinstance(value, (list, tuple)):
        return any(_has_audio(item, depth + 1) for item in cast("list[object]", value))
    return any(_has_audio(getattr(value, name, None), depth + 1) for name in ("content", "messages"))
