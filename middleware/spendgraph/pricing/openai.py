"""Usage of OpenAI's APIs: Chat Completions, Responses, embeddings, images and transcriptions.

Cached tokens are inside the input count, reasoning inside the output count; servers that copy the format
may count reasoning beside the output, which their `total_tokens` shows.
"""

from __future__ import annotations

from spendgraph.pricing.counts import Counts, count, field, items, known, readable, text, tier_name, word
from spendgraph.pricing.usage import Reported, Usage


def openai_usage(raw: object, *, web_searches: int = 0) -> Usage | None:
    """The usage of any OpenAI `usage` object or mapping; `None` when it counts nothing readable."""
    input_tokens = field(raw, "prompt_tokens", "input_tokens")
    output_tokens = field(raw, "completion_tokens", "output_tokens")
    total = field(raw, "total_tokens")
    if not (readable(input_tokens, output_tokens) or readable(input_tokens, output_tokens, total)):
        return None
    counts = Counts(input_tokens=count(input_tokens), output_tokens=count(output_tokens))
    if input_tokens is None and output_tokens is None:
        counts.input_tokens = count(total)
    counts.total_tokens = known(total)
    counts.web_searches = web_searches
    _input_details(counts, field(raw, "prompt_tokens_details", "input_tokens_details", "input_token_details"))
    _output_details(counts, field(raw, "completion_tokens_details", "output_tokens_details"))
    return counts.usage()


def _input_details(counts: Counts, details: object) -> None:
    if details is None:
        return
    counts.cache_read_tokens = count(field(details, "cached_tokens"))
    counts.audio_input_tokens = count(field(details, "audio_tokens"))
    counts.image_input_tokens = count(field(details, "image_tokens"))
    cached = field(details, "cached_tokens_details")
    if cached is not None:
        counts.cached_audio_tokens = count(field(cached, "audio_tokens"))
        counts.cached_image_tokens = count(field(cached, "image_tokens"))
    written = count(field(details, "cache_write_tokens"))
    long_term = count(field(field(details, "cache_write_tokens_details"), "ttl_12h_tokens"))
    counts.cache_write_1h_tokens = min(long_term, written) if written else long_term
    counts.cache_write_5m_tokens = written - counts.cache_write_1h_tokens if written else 0


def _output_details(counts: Counts, details: object) -> None:
    if details is None:
        return
    counts.reasoning_tokens = count(field(details, "reasoning_tokens"))
    counts.audio_output_tokens = count(field(details, "audio_tokens"))
    counts.image_tokens = count(field(details, "image_tokens"))


def read_openai(response: object, *, provider: str = "") -> Reported:
    """What a Chat Completions, Responses, embeddings, images or transcription response says."""
    output = items(field(response, "output"))
    usage = openai_usage(field(response, "usage"), web_searches=openai_searches(output))
    return Reported(
        usage=usage,
        provider=provider or "openai",
        model=word(field(response, "model")),
        response_id=word(field(response, "id")),
        service_tier=tier_name(field(response, "service_tier")),
        output_text="" if usage else openai_text(response),
    )


def openai_searches(blocks: list[object]) -> int:
    """Billed web searches among a response's output items: opening a page found is free."""
    searches = 0
    for block in blocks:
        kind = field(block, "type")
        if kind == "web_search_call":
            searches += field(field(block, "action"), "type") in (None, "search")
        elif kind == "server_tool_call" and field(block, "name") == "web_search":
            searches += field(field(block, "args"), "type") in (None, "search")
    return searches


def openai_text(response: object) -> str:
    """The generated text of a Chat Completions or Responses response."""
    parts: list[str] = []
    for choice in items(field(response, "choices")):
        parts += _message_text(field(choice, "message", "delta"))
        parts.append(text(field(choice, "text")))
    for item in items(field(response, "output")):
        parts.append(text(field(item, "arguments")))
        parts += [text(field(block, "text")) for block in items(field(item, "content", "summary"))]
    return "".join(parts)


def _message_text(message: object) -> list[str]:
    parts = [text(field(message, "content")), text(field(message, "reasoning_content", "refusal"))]
    for call in items(field(message, "tool_calls")):
        function = field(call, "function")
        parts += [text(field(function, "name")), text(field(function, "arguments"))]
    return parts
