"""The term of cache writes, from the request, where the response does not tell.

Anthropic's streams reach LangChain without the five-minute and one-hour split, and the two have different
prices. The request's `cache_control` (Bedrock: `cachePoint`) marks say which term was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from spendgraph.pricing.usage import Usage

_MIXED = "cache writes of unknown term: the request asks for five minutes and for one hour"


def with_cache_ttl(usage: Usage, *requests: object) -> Usage:
    """The usage with its default-term cache writes booked at the term the request asked for.

    Args:
        usage: A usage whose response did not say the term (`Reported.ttl_unknown`).
        requests: What was sent: messages, tools, request keywords, in any nesting.

    Returns:
        The usage as it is for five-minute marks or none; as one-hour writes for one-hour marks; for both,
        one-hour writes (the dearer reading), marked.
    """
    if not usage.cache_write_5m_tokens:
        return usage
    terms: set[str] = set()
    for request in requests:
        _collect(request, terms, 0)
    if "1h" not in terms:
        return usage
    note = usage.note
    if len(terms) > 1:
        note = f"{note}; {_MIXED}" if note else _MIXED
    return replace(
        usage,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=usage.cache_write_1h_tokens + usage.cache_write_5m_tokens,
        note=note,
    )


def _collect(value: object, terms: set[str], depth: int) -> None:
    if value is None or depth > 10 or isinstance(value, (str, bytes, bool, int, float)):
        return
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        mark = fields.get("cache_control") or fields.get("cachePoint")
        if isinstance(mark, Mapping):
            terms.add(str(cast("Mapping[str, object]", mark).get("ttl") or "5m"))
        for item in fields.values():
            _collect(item, terms, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            _collect(item, terms, depth + 1)
    else:
        for name in ("content", "additional_kwargs", "extras", "messages"):
            _collect(getattr(value, name, None), terms, depth + 1)
