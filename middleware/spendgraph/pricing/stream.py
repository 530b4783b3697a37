"""Reading a provider's raw stream: what its events, together, say of usage.

Counts that a stream repeats are cumulative (Anthropic's `message_delta`, Gemini's chunks): the last word
stands, nothing is added up, so that streaming and not streaming cost the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from spendgraph.pricing.anthropic import anthropic_tier, anthropic_usage, cache_writes
from spendgraph.pricing.bedrock import bedrock_usage
from spendgraph.pricing.counts import field, text, tier_name, word
from spendgraph.pricing.estimate import estimate_tokens
from spendgraph.pricing.gemini import gemini_searches, gemini_text, gemini_tier, gemini_usage
from spendgraph.pricing.openai import openai_text, openai_usage, read_openai
from spendgraph.pricing.usage import Reported, Usage

_ANTHROPIC_FIELDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "speed",
)
_FINAL_RESPONSES = frozenset({"response.completed", "response.incomplete", "response.failed"})


class StreamReader:
    """Collects what matters of a stream, event by event, and keeps none of the events.

    >>> reader = StreamReader()
    >>> reader.add({"object": "chat.completion.chunk", "model": "gpt-4o", "choices": [],
    ...             "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
    >>> reader.reported().usage.output_tokens
    2
    """

    def __init__(self, *, provider: str = "") -> None:
        self._provider = provider
        self._reported = Reported(provider=provider)
        self._text: list[str] = []
        self._counted = 0
        self._size = 0
        self._anthropic: dict[str, object] = {}
        self._anthropic_ended = False
        self._gemini_searches = 0

    def add(self, event: object) -> None:
        """Take one event or chunk in."""
        kind = text(field(event, "type"))
        if kind == "chunk":  # the OpenAI SDK's stream helper wraps the chunk it received
            event = field(event, "chunk")
            kind = text(field(event, "type"))
        if kind.startswith("response."):
            self._add_responses(kind, event)
        elif kind in ("message_start", "message_delta", "content_block_delta"):
            self._add_anthropic(kind, event)
        elif field(event, "usage_metadata", "usageMetadata", "candidates") is not None:
            self._add_gemini(event)
        elif field(event, "contentBlockDelta", "metadata") is not None and field(event, "object") is None:
            self._add_bedrock(event)
        elif field(event, "choices", "usage") is not None:
            self._add_chat(event)

    @property
    def size(self) -> int:
        """The bytes of text that have come so far."""
        for part in self._text[self._counted :]:
            self._size += len(part) if part.isascii() else len(part.encode("utf-8", "surrogatepass"))
        self._counted = len(self._text)
        return self._size

    def reported(self) -> Reported:
        """What the events so far say; usage the stream did not come to is estimated and marked."""
        reported = self._reported
        if self._anthropic:
            reported = self._anthropic_reported()
        if reported.usage is None:
            return replace(reported, output_text="".join(self._text))
        return reported

    def _keep(self, event: object, provider: str, usage: Usage | None, tier: str, *, model: str) -> None:
        known = self._reported
        self._reported = replace(
            known,
            usage=usage or known.usage,
            provider=self._provider or provider,
            model=model or known.model,
            response_id=word(field(event, "id", "response_id", "responseId")) or known.response_id,
            service_tier=tier or known.service_tier,
        )

    def _add_chat(self, event: object) -> None:
        self._text.append(openai_text(event))
        usage = field(event, "usage")
        tier = tier_name(field(event, "service_tier"))
        model = word(field(event, "model"))
        self._keep(event, "openai", None if usage is None else openai_usage(usage), tier, model=model)

    def _add_responses(self, kind: str, event: object) -> None:
        if kind.endswith(".delta"):
            self._text.append(text(field(event, "delta")))
            return
        response = field(event, "response")
        if response is None:
            return
        said = read_openai(response, provider=self._provider)
        usage = said.usage if kind in _FINAL_RESPONSES else None
        self._keep(response, "openai", usage, said.service_tier, model=said.model)

    def _add_gemini(self, event: object) -> None:
        raw = field(event, "usage_metadata", "usageMetadata")
        model = word(field(event, "model_version", "modelVersion"))
        self._text.append(gemini_text(event))
        self._gemini_searches = max(self._gemini_searches, gemini_searches(event, model))
        usage = gemini_usage(raw, web_searches=self._gemini_searches)
        self._keep(event, "google_genai", usage, gemini_tier(raw), model=model)

    def _add_bedrock(self, event: object) -> None:
        delta = field(field(event, "contentBlockDelta"), "delta")
        self._text += [text(field(delta, "text")), text(field(field(delta, "toolUse"), "input"))]
        metadata = field(event, "metadata")
        usage = bedrock_usage(field(metadata, "usage"))
        tier = tier_name(field(field(metadata, "serviceTier"), "type"))
        self._keep(event, "bedrock_converse", usage, tier, model="")

    def _add_anthropic(self, kind: str, event: object) -> None:
        if kind == "content_block_delta":
            delta = field(event, "delta")
            self._text.append(text(field(delta, "text", "thinking", "partial_json")))
            return
        message = field(event, "message")
        if message is not None:
            self._keep(message, "anthropic", None, "", model=word(field(message, "model")))
        raw = field(event, "usage") or field(message, "usage")
        for name in _ANTHROPIC_FIELDS:
            value = field(raw, name)
            if value is not None:
                self._anthropic[name] = value
        self._anthropic_ended = self._anthropic_ended or kind == "message_delta"

    def _anthropic_reported(self) -> Reported:
        raw = self._anthropic
        usage = anthropic_usage(raw)
        estimated = usage is not None and not self._anthropic_ended
        if usage is not None and estimated:
            output = max(usage.output_tokens, estimate_tokens("".join(self._text)))
            usage = replace(usage, output_tokens=output)
        _, _, unknown = cache_writes(raw.get("cache_creation_input_tokens"), raw.get("cache_creation"))
        return replace(
            self._reported,
            usage=usage,
            service_tier=anthropic_tier(raw),
            estimated=estimated,
            ttl_unknown=unknown,
        )


def merge_stream(events: Iterable[object], *, provider: str = "") -> Reported:
    """What a whole raw stream says, as the response it adds up to would.

    Understood are OpenAI Chat Completions chunks and Responses events, Anthropic events, Gemini chunks and
    Bedrock's converse-stream; other events are passed over.
    """
    reader = StreamReader(provider=provider)
    for event in events:
        reader.add(event)
    return reader.reported()
