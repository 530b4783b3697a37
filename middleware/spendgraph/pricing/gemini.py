"""Usage of Gemini's `generateContent`, from the SDK's objects or the API's JSON.

Thoughts are counted beside the candidates, results of server-side tools beside the prompt, cached content
inside it.
"""

from __future__ import annotations

import re

from spendgraph.pricing.counts import (
    Counts,
    count,
    field,
    items,
    known,
    readable,
    shown,
    text,
    tier_name,
    word,
)
from spendgraph.pricing.usage import Reported, Usage

_TRAFFIC_TIERS = {"on_demand_priority": "priority", "on_demand_flex": "flex", "on_demand_offpeak": "offpeak"}
_PER_PROMPT = re.compile(r"gemini-(1|2)\b")


def gemini_usage(raw: object, *, web_searches: int = 0) -> Usage | None:
    """The usage of a `usage_metadata`; `None` when it counts nothing readable."""
    prompt = field(raw, "prompt_token_count", "promptTokenCount")
    candidates = field(raw, "candidates_token_count", "candidatesTokenCount")
    total = field(raw, "total_token_count", "totalTokenCount")
    if not (readable(prompt, candidates) or readable(prompt, candidates, total)):
        return None
    tool_prompt = field(raw, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    read = _modalities(field(raw, "prompt_tokens_details", "promptTokensDetails"))
    cached = _modalities(field(raw, "cache_tokens_details", "cacheTokensDetails"))
    written = _modalities(field(raw, "candidates_tokens_details", "candidatesTokensDetails"))
    return Counts(
        input_tokens=count(prompt) + count(tool_prompt),
        output_tokens=count(candidates),
        total_tokens=known(total),
        cache_read_tokens=count(field(raw, "cached_content_token_count", "cachedContentTokenCount")),
        reasoning_tokens=count(field(raw, "thoughts_token_count", "thoughtsTokenCount")),
        audio_input_tokens=read.get("AUDIO", 0),
        image_input_tokens=read.get("IMAGE", 0),
        cached_audio_tokens=cached.get("AUDIO", 0),
        cached_image_tokens=cached.get("IMAGE", 0),
        audio_output_tokens=written.get("AUDIO", 0),
        image_tokens=written.get("IMAGE", 0),
        web_searches=web_searches,
        reasoning_beside=True,
    ).usage()


def _modalities(details: object) -> dict[str, int]:
    counted: dict[str, int] = {}
    for detail in items(details):
        modality = field(detail, "modality")
        name = text(getattr(modality, "value", modality)).upper()
        counted[name] = counted.get(name, 0) + count(field(detail, "token_count", "tokenCount"))
    return counted


def read_gemini(response: object, *, provider: str = "") -> Reported:
    """What a `generateContent` response says."""
    raw = field(response, "usage_metadata", "usageMetadata")
    model = word(field(response, "model_version", "modelVersion"))
    usage = gemini_usage(raw, web_searches=gemini_searches(response, model))
    return Reported(
        usage=usage,
        provider=provider or "google_genai",
        model=model,
        response_id=word(field(response, "response_id", "responseId")),
        service_tier=gemini_tier(raw),
        output_text="" if usage else gemini_text(response),
    )


def gemini_tier(raw: object) -> str:
    """The tier a `usage_metadata` names, by its tier or by its traffic type."""
    traffic = field(raw, "traffic_type", "trafficType")
    name = text(getattr(traffic, "value", traffic)).lower()
    return _TRAFFIC_TIERS.get(name, "") or tier_name(field(raw, "service_tier", "serviceTier"))


def gemini_searches(response: object, model: str) -> int:
    """Billed searches: one a grounded prompt up to Gemini 2, one a query since."""
    queries = 0
    for candidate in items(field(response, "candidates")):
        queries += grounded_queries(field(candidate, "grounding_metadata", "groundingMetadata"), model)
    return queries


def grounded_queries(grounding: object, model: str) -> int:
    """Billed searches of one `grounding_metadata`."""
    queries = len(items(field(grounding, "web_search_queries", "webSearchQueries")))
    return min(queries, 1) if _PER_PROMPT.search(model) else queries


def gemini_text(response: object) -> str:
    """The generated text of a response or a stream's chunk, thoughts included."""
    parts: list[str] = []
    for candidate in items(field(response, "candidates")):
        for part in items(field(field(candidate, "content"), "parts")):
            parts.append(text(field(part, "text")))
            parts.append(shown(field(field(part, "function_call", "functionCall"), "args")))
    return "".join(parts)
