"""Reading what LangChain hands its callbacks: an `LLMResult`, or an error with a partial one.

Usage stands on the message (`usage_metadata`, input counts include the cache), the model and the tier in
its `response_metadata` or, for several generations, only in `llm_output`: neither place alone is a source.
Some counts survive only in the raw usage beside them (Anthropic's web searches). Nothing here imports
LangChain; the path of the common message takes a few microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spendgraph.pricing.anthropic import anthropic_searches, anthropic_tier, anthropic_usage, cache_writes
from spendgraph.pricing.counts import (
    MOST_TOKENS,
    Counts,
    count,
    field,
    items,
    known,
    mapping,
    readable,
    shown,
    text,
    tier_name,
    word,
)
from spendgraph.pricing.gemini import grounded_queries
from spendgraph.pricing.openai import openai_searches, openai_usage, read_openai
from spendgraph.pricing.usage import Reported, Usage

if TYPE_CHECKING:
    from langchain_core.outputs import LLMResult

_NOTHING: Mapping[str, Any] = {}
_PLAIN = frozenset({"cache_read", "audio", "reasoning", "text"})
_ONLY_READ = frozenset({"cache_read", "audio"})
_ONLY_REASONING = frozenset({"reasoning", "audio"})
_SPECIAL = frozenset({"usage", "grounding_metadata"})
_SHORT = 200
_TWO_TERMS = frozenset({
    "", "anthropic", "anthropic-mantle", "google_anthropic_vertex", "amazon_bedrock", "bedrock_converse",
})  # fmt: skip


def read_langchain(response: LLMResult, *, provider: str = "") -> Reported:
    """What a finished run says of itself.

    Every generation of one request repeats the whole request's usage: the first counts. A result of several
    prompts is their sum. The results of a completion model's batch cannot be told apart alone:
    `CompletionBatches` reads those.

    Args:
        response: What `on_llm_end` was given.
        provider: The run's `ls_provider`; without one, the provider the message names.
    """
    output = mapping(getattr(response, "llm_output", None))
    given: Any = response
    try:  # one prompt of a chat model, as nearly always
        (row,) = given.generations
        only = row[0].message
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        only = None
    if only is not None:
        return read_message(only, output=output, provider=provider)
    reported: Reported | None = None
    for generations in items(getattr(response, "generations", None)):
        row = items(generations)
        if not row:
            continue
        generation = row[0]
        message = getattr(generation, "message", None)
        if message is None:
            said = _completion(generation, output, provider)
        else:
            said = read_message(message, output=output, provider=provider)
        reported = said if reported is None else _added(reported, said)
        if message is None:
            break  # a completion's usage is of all its prompts
    return reported or Reported(provider=provider)


def read_message(message: Any, *, output: Mapping[str, Any] = _NOTHING, provider: str = "") -> Reported:
    """What one AI message, with its run's `llm_output`, says."""
    return common_message(message, output, provider) or careful_message(message, output, provider)


def common_message(message: Any, output: Mapping[str, Any], provider: str) -> Reported | None:
    """What the message nearly everybody gets says, in a few microseconds; `None` for every other one.

    It is one of plain text whose counts are plain integers that fit, at the standard tier, without cache
    writes, server-side searches or a raw usage beside it. For it, it says what `careful_message` says.
    """
    try:
        metadata, counted = message.response_metadata, message.usage_metadata
        model, response_id, tier = metadata["model_name"], metadata["id"], metadata.get("service_tier")
        input_tokens, output_tokens = counted["input_tokens"], counted["output_tokens"]
        total, details = counted["total_tokens"], counted.get("input_token_details") or _NOTHING
        read, outputs = details.get("cache_read", 0), counted.get("output_token_details") or _NOTHING
        reasoning = outputs.get("reasoning", 0)
        is_common = (
            bool(provider)
            and (tier is None or tier == "default")
            and type(message.content) is type(model) is type(response_id) is str
            and type(metadata) is type(counted) is dict
            and type(input_tokens) is type(output_tokens) is type(total) is int
            and type(read) is type(reasoning) is int
            and _ONLY_READ.issuperset(details)
            and _ONLY_REASONING.issuperset(outputs)
            and not details.get("audio")
            and not outputs.get("audio")
            and 0 <= read <= input_tokens
            and 0 <= reasoning <= output_tokens
            and 0 < total == input_tokens + output_tokens <= MOST_TOKENS
            and _SPECIAL.isdisjoint(metadata)
            and "total_cost" not in counted
            and "usage" not in output
            and (tier is not None or "service_tier" not in output)
            and model.isascii()
            and response_id.isascii()
            and 0 < len(model) <= _SHORT
            and 0 < len(response_id) <= _SHORT
        )
    except (AttributeError, KeyError, TypeError):
        return None
    if not is_common:
        return None
    return Reported(
        usage=Usage(input_tokens, output_tokens, read, 0, 0, reasoning),
        provider=provider,
        model=_once(model),
        response_id="" if response_id.startswith(("lc_", "run-")) else response_id,
    )


def careful_message(message: Any, output: Mapping[str, Any], provider: str) -> Reported:
    """What any message says, whatever stands where."""
    metadata = mapping(field(message, "response_metadata"))
    counted = mapping(field(message, "usage_metadata"))
    provider = provider or _first(metadata, output, "model_provider")
    model = _once(_first(metadata, output, "model_name", "model"))
    tier = _first(metadata, output, "service_tier")
    response_id = _first(metadata, output, "id") or word(field(message, "id"))
    raw = metadata.get("usage") or output.get("usage")
    usage, key_tier, unknown_ttl = _counted(counted)
    if usage is None:
        usage = _raw_usage(raw, metadata.get("token_usage") or output.get("token_usage"))
    if tier:
        tier = tier_name(_once(tier))
    elif raw:
        tier = anthropic_tier(raw)
    content = field(message, "content")
    if usage is not None:
        searches = _searches(raw, metadata, content, model)
        if searches:
            usage = replace(usage, web_searches=searches)
    return Reported(
        usage=usage,
        provider=provider,
        model=model,
        response_id="" if response_id.startswith(("lc_", "run-")) else response_id,
        service_tier=tier or key_tier,
        cache_hit=known(counted.get("total_cost")) == 0,
        output_text="" if usage is not None else _message_text(message),
        ttl_unknown=unknown_ttl and provider in _TWO_TERMS,
    )


def read_langchain_error(error: BaseException, response: LLMResult | None, *, provider: str = "") -> Reported:
    """What a failed or aborted run says: the usage an error carries, else the partial answer's text."""
    completion = getattr(error, "completion", None)  # openai.LengthFinishReasonError: cut off, and billed
    if completion is not None:
        said = read_openai(completion, provider=provider)
        if said.usage is not None or response is None:
            return said
    if response is None:
        return Reported(provider=provider)
    return read_langchain(response, provider=provider)


def _first(metadata: Mapping[str, Any], output: Mapping[str, Any], *names: str) -> str:
    """The first of the names that the message's metadata, or else the run's output, has as a string."""
    for source in (metadata, output):
        for name in names:
            value = source.get(name)
            if value and isinstance(value, str):
                return word(value)
    return ""


def _counted(counted: Mapping[str, Any]) -> tuple[Usage | None, str, bool]:
    """The usage of a `usage_metadata`, the tier its keys name, and whether its writes' term is unknown."""
    said_input, said_output = counted.get("input_tokens"), counted.get("output_tokens")
    if not readable(said_input, said_output):
        return None, "", False
    input_tokens, output_tokens = count(said_input), count(said_output)
    total = known(counted.get("total_tokens"))
    read: int = 0
    write_5m = write_1h = audio = audio_out = reasoning = image = image_out = 0
    tier, unknown = "", False
    details = mapping(counted.get("input_token_details"))
    if details:
        read, audio = count(details.get("cache_read")), count(details.get("audio"))
        if not _PLAIN.issuperset(details):
            extra, generic, tier = _prefixed(details, "cache_read", "cache_creation")
            read += extra
            image = count(details.get("image"))
            write_5m, write_1h, unknown = cache_writes(generic, details)
    details = mapping(counted.get("output_token_details"))
    if details:
        reasoning, audio_out = count(details.get("reasoning")), count(details.get("audio"))
        if not _PLAIN.issuperset(details):
            extra, _, named = _prefixed(details, "reasoning", "")
            reasoning += extra
            tier = tier or named
            image_out = count(details.get("image"))
    parts_in = read + write_5m + write_1h + audio + image
    parts_out = reasoning + audio_out + image_out
    if total == input_tokens + output_tokens and parts_in <= input_tokens and parts_out <= output_tokens:
        usage = Usage(
            input_tokens, output_tokens, read, write_5m, write_1h, reasoning, audio, audio_out, image_out,
            0, image,
        )  # fmt: skip
        return usage, tier, unknown
    counts = Counts(
        input_tokens, output_tokens, total, read, write_5m, write_1h, reasoning, audio, audio_out, image_out,
    )  # fmt: skip
    counts.image_input_tokens = image
    return counts.usage(), tier, unknown


def _prefixed(details: Mapping[str, Any], part: str, other: str) -> tuple[int, int, str]:
    """Counts under keys that carry a tier (`flex_cache_read`), the generic cache writes, and the tier."""
    extra = 0
    generic = count(details.get("cache_creation"))
    tier = ""
    for key, value in details.items():
        if key in _PLAIN or key == "cache_creation":
            continue
        key = text(key)
        tier = tier or _tier_of(key)
        if key.endswith("_" + part):
            extra += count(value)
        elif other and key.endswith("_" + other):
            generic += count(value)
    return extra, generic, tier


def _tier_of(key: str) -> str:
    """The service tier in a detail's key: `flex`, or the `flex` of `flex_cache_read`."""
    for part in ("_cache_read", "_cache_creation", "_reasoning"):
        if key.endswith(part):
            return tier_name(key.removesuffix(part))
    return key if key in ("flex", "priority", "batch", "scale", "fast") else ""


def _raw_usage(raw: object, token_usage: object) -> Usage | None:
    """Usage that only the raw response carries, for integrations that normalise none."""
    for source in (token_usage, raw):
        if not source:
            continue
        if field(source, "cache_read_input_tokens", "cache_creation_input_tokens") is not None:
            return anthropic_usage(source)
        usage = openai_usage(source)
        if usage is not None:
            return usage
    return None


def _searches(raw: object, metadata: Mapping[str, Any], content: object, model: str) -> int:
    if raw:
        used = field(raw, "server_tool_use")
        if used is not None:
            return count(field(used, "web_search_requests"))
    if not isinstance(content, str):
        blocks = items(content)
        found = openai_searches(blocks) or anthropic_searches(blocks)
        if found:
            return found
    grounding = metadata.get("grounding_metadata")
    return grounded_queries(grounding, model) if grounding else 0


def _completion(generation: Any, output: Mapping[str, Any], provider: str) -> Reported:
    """A completion model's result: its usage, if any, is in `llm_output`."""
    info = mapping(field(generation, "generation_info"))
    usage, tier, _ = _counted(mapping(output.get("usage_metadata") or info.get("usage_metadata")))
    if usage is None:
        usage = _raw_usage(output.get("usage"), output.get("token_usage"))
    return Reported(
        usage=usage,
        provider=provider or word(output.get("model_provider")),
        model=_once(_first(output, info, "model_name", "model")),
        response_id=word(output.get("id")),
        service_tier=tier_name(_first(output, info, "service_tier")) or tier,
        output_text="" if usage is not None else text(field(generation, "text")),
    )


def _added(first: Reported, second: Reported) -> Reported:
    """Two requests of one result: the sum of their usage, the first's identity."""
    if first.usage is None or second.usage is None:
        return replace(
            first,
            usage=first.usage or second.usage,
            output_text=first.output_text + second.output_text,
        )
    sums = {
        name: getattr(first.usage, name) + getattr(second.usage, name)
        for name in Usage.__slots__
        if name != "note"
    }
    note = "; ".join(filter(None, (first.usage.note, second.usage.note)))
    return replace(
        first,
        usage=Usage(**sums, note=note),
        cache_hit=first.cache_hit and second.cache_hit,
        ttl_unknown=first.ttl_unknown or second.ttl_unknown,
    )


def _once(word: str) -> str:
    """A word that merging a stream's chunks has repeated (`gpt-4ogpt-4o`), once."""
    length = len(word)
    if length < 6 or word.find(word[:3], 3) < 0:
        return word
    period = (word + word).find(word, 1)
    return word[:period] if period < length else word


def _message_text(message: Any) -> str:
    content = field(message, "content")
    parts = [content] if isinstance(content, str) else []
    if not parts:
        blocks = items(content)
        parts = [b if isinstance(b, str) else text(field(b, "text", "thinking", "reasoning")) for b in blocks]
    calls = items(field(message, "tool_calls")) or items(field(message, "tool_call_chunks"))
    parts += [shown(field(call, "args")) for call in calls]
    return "".join(parts)
