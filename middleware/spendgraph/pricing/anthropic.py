"""Usage of Anthropic's Messages API.

Its `input_tokens` leave out cache reads and writes, `output_tokens` include thinking. A write's term comes in
`cache_creation`; where that is missing the generic count is taken as the five-minute default.
"""

from __future__ import annotations

from spendgraph.pricing.counts import Counts, count, field, items, readable, shown, text, tier_name, word
from spendgraph.pricing.usage import Reported, Usage


def anthropic_usage(raw: object) -> Usage | None:
    """The usage of an Anthropic `usage` object or mapping; `None` when it counts nothing readable."""
    input_tokens = field(raw, "input_tokens")
    output_tokens = field(raw, "output_tokens")
    if not readable(input_tokens, output_tokens):
        return None
    read = count(field(raw, "cache_read_input_tokens"))
    write_5m, write_1h, _ = cache_writes(
        field(raw, "cache_creation_input_tokens"), field(raw, "cache_creation")
    )
    return Counts(
        input_tokens=count(input_tokens) + read + write_5m + write_1h,
        output_tokens=count(output_tokens),
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        reasoning_tokens=count(field(field(raw, "output_tokens_details"), "thinking_tokens")),
        web_searches=count(field(field(raw, "server_tool_use"), "web_search_requests")),
    ).usage()


def cache_writes(generic: object, split: object) -> tuple[int, int, bool]:
    """Five-minute writes, one-hour writes, and whether the term of some is unknown.

    The generic count and the split are the same tokens; what the split does not explain is written at the
    default term.
    """
    write_5m = count(field(split, "ephemeral_5m_input_tokens"))
    write_1h = count(field(split, "ephemeral_1h_input_tokens"))
    unexplained = count(generic) - write_5m - write_1h
    if unexplained <= 0:
        return write_5m, write_1h, False
    return write_5m + unexplained, write_1h, True


def read_anthropic(response: object, *, provider: str = "") -> Reported:
    """What a Messages response says."""
    raw = field(response, "usage")
    usage = anthropic_usage(raw)
    _, _, ttl_unknown = cache_writes(field(raw, "cache_creation_input_tokens"), field(raw, "cache_creation"))
    return Reported(
        usage=usage,
        provider=provider or "anthropic",
        model=word(field(response, "model")),
        response_id=word(field(response, "id")),
        service_tier=anthropic_tier(raw),
        output_text="" if usage else anthropic_text(response),
        ttl_unknown=ttl_unknown,
    )


def anthropic_tier(raw: object) -> str:
    """The tier in a `usage`: its `service_tier`, or `fast` for the fast mode, which is priced as one."""
    return tier_name(field(raw, "service_tier")) or tier_name(field(raw, "speed"))


def anthropic_searches(blocks: list[object]) -> int:
    """Billed web searches among content blocks: those with a result that is not an error."""
    searches = 0
    for block in blocks:
        if field(block, "type") == "web_search_tool_result":
            searches += field(field(block, "content"), "type") != "web_search_tool_result_error"
    return searches


def anthropic_text(response: object) -> str:
    """The generated text of a Messages response."""
    parts: list[str] = []
    for block in items(field(response, "content")):
        parts.append(text(field(block, "text", "thinking")))
        parts.append(shown(field(block, "input")))
    return "".join(parts)
