"""Usage of Amazon Bedrock's Converse API.

`inputTokens` leave out cache reads and writes. A response does not name its model: the request's stands.
"""

from __future__ import annotations

from spendgraph.pricing.counts import Counts, count, field, items, readable, shown, text, tier_name, word
from spendgraph.pricing.usage import Reported, Usage


def bedrock_usage(raw: object) -> Usage | None:
    """The usage of a Converse `usage`; `None` when it counts nothing readable."""
    input_tokens = field(raw, "inputTokens")
    output_tokens = field(raw, "outputTokens")
    if not readable(input_tokens, output_tokens):
        return None
    read = count(field(raw, "cacheReadInputTokens", "cacheReadInputTokenCount"))
    write_5m, write_1h = _writes(raw)
    total = count(field(raw, "totalTokens"))
    inside = count(input_tokens) + read + write_5m + write_1h
    return Counts(
        input_tokens=inside,
        output_tokens=count(output_tokens),
        total_tokens=total or None,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
    ).usage()


def _writes(raw: object) -> tuple[int, int]:
    generic = count(field(raw, "cacheWriteInputTokens", "cacheWriteInputTokenCount"))
    write_1h = 0
    for detail in items(field(raw, "cacheDetails")):
        if field(detail, "ttl") == "1h":
            write_1h += count(field(detail, "inputTokens"))
    return max(generic - write_1h, 0), write_1h


def read_bedrock(response: object, *, provider: str = "") -> Reported:
    """What a Converse response says."""
    usage = bedrock_usage(field(response, "usage"))
    request = field(response, "ResponseMetadata")
    return Reported(
        usage=usage,
        provider=provider or "bedrock_converse",
        response_id=word(field(request, "RequestId")),
        service_tier=tier_name(field(field(response, "serviceTier"), "type")),
        output_text="" if usage else bedrock_text(response),
    )


def bedrock_text(response: object) -> str:
    """The generated text of a Converse response."""
    message = field(field(response, "output"), "message")
    parts: list[str] = []
    for block in items(field(message, "content")):
        parts.append(text(field(block, "text")))
        parts.append(shown(field(field(block, "toolUse"), "input")))
    return "".join(parts)
