"""What one call used, in the only shape that prices are applied to.

`input_tokens` and `output_tokens` are totals; every other token count is a part of one of them, and
`buckets` splits the totals into parts that each have one price and add up to them. Counts that contradict
each other are never clipped: `settled` reads the part that does not fit as standing *beside* the total,
which is the dearest reading, and says so in `note`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dataclasses import dataclass as _record
else:

    def _record(*, frozen, slots):
        """A dataclass that only the type checkers freeze.

        One `Usage` and one `Reported` are made for every step, and a class that is frozen at run time takes
        five times as long to fill, more than all the reading around it.
        """
        assert frozen
        return dataclass(slots=slots, unsafe_hash=True)


@_record(frozen=True, slots=True)
class Usage:
    """Tokens and paid extras of one call.

    Attributes:
        input_tokens: Every input token, cached and written ones included.
        output_tokens: Every output token, reasoning included.
        cache_read_tokens: Input tokens served from the provider's prompt cache.
        cache_write_5m_tokens: Input tokens written to the cache for five minutes (or the provider's default).
        cache_write_1h_tokens: Input tokens written to the cache for one hour (or the provider's long term).
        reasoning_tokens: Output tokens spent on reasoning.
        audio_input_tokens: Input tokens that are audio.
        audio_output_tokens: Output tokens that are audio.
        image_tokens: Output tokens that are images.
        cached_audio_tokens: The part of `cache_read_tokens` that is audio (it is in `audio_input_tokens` too).
        image_input_tokens: Input tokens that are images.
        web_searches: Server-side web searches, charged per request.
        note: Empty, or why the counts are quarantined: recorded, marked, priced at the dearest reading.
        cached_image_tokens: The part of `cache_read_tokens` that is images (in `image_input_tokens` too).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_tokens: int = 0
    cached_audio_tokens: int = 0
    image_input_tokens: int = 0
    web_searches: int = 0
    note: str = ""
    cached_image_tokens: int = 0


@_record(frozen=True, slots=True)
class Reported:
    """What a response says of itself.

    Attributes:
        usage: The usage, or `None` when the response carries none (which is not the same as zero).
        provider: Who answered, in LangChain's `ls_provider` words, or empty.
        model: The model that answered, or empty.
        response_id: The provider's id of the response, or empty.
        service_tier: The tier the response was served at (`flex`, `priority`, `batch`), empty for standard.
        cache_hit: LangChain's own LLM cache answered: nothing was sent.
        output_text: The generated text when usage is missing, for an estimate; never stored.
        estimated: Part of `usage` is an estimate: the stream was cut before its final counts.
        ttl_unknown: The response does not say how long its cache writes last, and the two terms have
            different prices: ask the request (`with_cache_ttl`).
    """

    usage: Usage | None = None
    provider: str = ""
    model: str = ""
    response_id: str = ""
    service_tier: str = ""
    cache_hit: bool = False
    output_text: str = ""
    estimated: bool = False
    ttl_unknown: bool = False


class Buckets(NamedTuple):
    """Tokens of one call, each counted once; the first eight add up to the input, the rest to the output."""

    text_input: int
    cached_text: int
    write_5m: int
    write_1h: int
    audio_input: int
    cached_audio: int
    image_input: int
    cached_image: int
    text_output: int
    reasoning: int
    audio_output: int
    image_output: int


def buckets(usage: Usage) -> Buckets:
    """Split a usage into parts that each have one price; contradicting counts are `settled` first.

    >>> buckets(Usage(input_tokens=10_000, output_tokens=500, cache_read_tokens=8_000)).text_input
    2000
    """
    cache_read = usage.cache_read_tokens
    write_5m = usage.cache_write_5m_tokens
    write_1h = usage.cache_write_1h_tokens
    cached_audio = usage.cached_audio_tokens
    cached_image = usage.cached_image_tokens
    audio = usage.audio_input_tokens - cached_audio
    image = usage.image_input_tokens - cached_image
    cached_text = cache_read - cached_audio - cached_image
    text = usage.input_tokens - cache_read - write_5m - write_1h - audio - image
    reasoning = usage.reasoning_tokens
    audio_out = usage.audio_output_tokens
    image_out = usage.image_tokens
    text_out = usage.output_tokens - reasoning - audio_out - image_out
    if text < 0 or text_out < 0 or cached_text < 0 or audio < 0 or image < 0:
        return buckets(settled(usage))
    return Buckets(
        text, cached_text, write_5m, write_1h, audio, cached_audio, image, cached_image,
        text_out, reasoning, audio_out, image_out,
    )  # fmt: skip


def settled(usage: Usage) -> Usage:
    """The same usage with every part inside its total, at the dearest reading where the counts disagree.

    A consistent usage is returned as it is. Cached tokens may be audio or images without the provider
    saying which: as many as must be are taken to be both. Whatever still does not fit is read as standing
    beside the total, and the usage is marked.
    """
    notes = [usage.note] if usage.note else []
    cache_read, audio, image = usage.cache_read_tokens, usage.audio_input_tokens, usage.image_input_tokens
    cached_audio, cached_image = usage.cached_audio_tokens, usage.cached_image_tokens
    if cached_audio > audio:
        notes.append(f"{cached_audio} cached audio tokens exceed {audio} audio tokens")
        audio = cached_audio
    if cached_image > image:
        notes.append(f"{cached_image} cached image tokens exceed {image} image tokens")
        image = cached_image
    if cached_audio + cached_image > cache_read:
        notes.append(f"{cached_audio + cached_image} cached media tokens exceed {cache_read} cached tokens")
        cache_read = cached_audio + cached_image
    writes = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    parts = cache_read + writes + audio - cached_audio + image - cached_image
    input_tokens = usage.input_tokens
    if parts > input_tokens:
        both = min(parts - input_tokens, audio - cached_audio, cache_read - cached_audio - cached_image)
        cached_audio += both
        parts -= both
    if parts > input_tokens:
        both = min(parts - input_tokens, image - cached_image, cache_read - cached_audio - cached_image)
        cached_image += both
        parts -= both
    if parts > input_tokens:
        notes.append(f"{parts} cached, written and media tokens exceed {input_tokens} input tokens")
        input_tokens += parts
    output_tokens = usage.output_tokens
    out_parts = usage.reasoning_tokens + usage.audio_output_tokens + usage.image_tokens
    if out_parts > output_tokens:
        notes.append(f"{out_parts} reasoning and media tokens exceed {output_tokens} output tokens")
        output_tokens += out_parts
    return replace(
        usage,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read,
        audio_input_tokens=audio,
        cached_audio_tokens=cached_audio,
        image_input_tokens=image,
        cached_image_tokens=cached_image,
        note="; ".join(notes),
    )
