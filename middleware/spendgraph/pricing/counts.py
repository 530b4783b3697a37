"""From a provider's counts to one `Usage`: the arbiter of what a count includes.

Providers differ in whether reasoning is inside the output and the cache inside the input. The total they
report decides; where it fits no reading, the usage is quarantined at the dearest one and marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from spendgraph.pricing.usage import Usage, settled

MOST_TOKENS = 10**12
"""No call uses more: a larger number is no count, and its cost would not fit the ledger."""

_MOST_DIGITS = 12
_MOST_CHARACTERS = 512
_NOTHING: Mapping[str, Any] = {}
_STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand", "none"})


@dataclass(slots=True)
class Counts:
    """Token counts as a provider reports them, before it is decided what includes what.

    Attributes:
        input_tokens: The provider's input count.
        output_tokens: The provider's output count.
        total_tokens: The provider's own sum, or `None`.
        reasoning_beside: Reasoning is not inside `output_tokens` where no total says otherwise.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int | None = None
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_tokens: int = 0
    cached_audio_tokens: int = 0
    cached_image_tokens: int = 0
    image_input_tokens: int = 0
    web_searches: int = 0
    reasoning_beside: bool = False
    note: str = ""

    def usage(self) -> Usage:
        """The usage these counts mean."""
        input_tokens, output_tokens, note = self._arbitrated()
        return settled(
            Usage(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cache_read_tokens=self.cache_read_tokens,
                cache_write_5m_tokens=self.cache_write_5m_tokens,
                cache_write_1h_tokens=self.cache_write_1h_tokens,
                reasoning_tokens=self.reasoning_tokens,
                audio_input_tokens=self.audio_input_tokens,
                audio_output_tokens=self.audio_output_tokens,
                image_tokens=self.image_tokens,
                cached_audio_tokens=self.cached_audio_tokens,
                cached_image_tokens=self.cached_image_tokens,
                image_input_tokens=self.image_input_tokens,
                web_searches=self.web_searches,
                note=note,
            )
        )

    def _arbitrated(self) -> tuple[int, int, str]:
        reading = self.input_tokens, self.output_tokens
        cache = self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens
        total = self.total_tokens
        if not total:  # absent, or 0 beside counts that are not: no arbiter
            beside = self.reasoning_tokens if self.reasoning_beside else 0
            return reading[0], reading[1] + beside, self.note
        for cache_beside in (0, cache):
            for reasoning_beside in (0, self.reasoning_tokens):
                if sum(reading) + cache_beside + reasoning_beside == total:
                    return reading[0] + cache_beside, reading[1] + reasoning_beside, self.note
        if cache and sum(reading) - cache == total:
            return *reading, self.note  # the total leaves out the cache that the input includes
        said = (
            f"total {total} is neither input {reading[0]} + output {reading[1]} nor explained by their parts"
        )
        note = f"{self.note}; {said}" if self.note else said
        return reading[0], max(reading[1], total - reading[0]), note


def known(value: object) -> int | None:
    """A count from outside as an int, or `None` for what is none.

    Whole floats and digits in a string (as protobuf's JSON has them) are read; negative, fractional and
    impossibly large numbers (above `MOST_TOKENS`) are no counts.

    >>> known(7), known("7"), known(7.0), known(-7), known({"tokens": 7})
    (7, 7, 7, None, None)
    """
    if type(value) is int:
        return value if 0 <= value <= MOST_TOKENS else None
    if isinstance(value, float) and 0 <= value <= MOST_TOKENS and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= _MOST_DIGITS and value.isascii() and value.isdigit():
        return int(value)
    return None


def count(value: object) -> int:
    """A count from outside as an int; whatever is not `known` is 0."""
    return known(value) or 0


def readable(*values: object) -> bool:
    """Whether the totals of a usage are there and can all be read; one that cannot makes it no usage."""
    found = False
    for value in values:
        if value is None:
            continue
        if known(value) is None:
            return False
        found = True
    return found


def tier_name(value: object) -> str:
    """A provider's word for a service tier, with every word for *standard* as the empty string.

    >>> tier_name("default"), tier_name("flex")
    ('', 'flex')
    """
    if not isinstance(value, str):
        return ""
    name = word(value).strip().lower()
    return "" if name in _STANDARD_TIERS else name


def field(source: object, *names: str) -> object:
    """The first of the named fields that `source`, a mapping or an object, has and is not `None`."""
    is_dict = isinstance(source, dict)
    for name in names:
        value = cast("dict[str, object]", source).get(name) if is_dict else getattr(source, name, None)
        if value is not None:
            return value
    return None


def text(value: object) -> str:
    """A string from outside, anything else as the empty string."""
    return value if isinstance(value, str) else ""


def word(value: object) -> str:
    """A name or an id from outside, as the ledger can keep it: a short string of valid characters."""
    if not isinstance(value, str):
        return ""
    if len(value) > _MOST_CHARACTERS:
        value = value[:_MOST_CHARACTERS]
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def shown(value: object) -> str:
    """Arguments or other structured output as a text, for an estimate of its length."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return str(value)
    except RecursionError:
        return ""


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping from outside, anything else as the empty one."""
    if value is None:  # as nearly always, and before what takes longest to say no
        return _NOTHING
    if type(value) is dict or isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    return _NOTHING


def items(value: object) -> list[object]:
    """A list or tuple from outside, anything else as the empty list."""
    return list(cast("list[object]", value)) if isinstance(value, (list, tuple)) else []
