"""Why tasks cost more than usual: the excess in parts, each what one difference in their structure costs.

The parts are estimates that add up to about the excess. Two differences that multiply, such as more steps and longer
prompts, share what they make together in equal halves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from spendgraph_reports.outliers.profiles import AGAIN, Place, Rates

if TYPE_CHECKING:
    from spendgraph_reports.outliers.profiles import Key

Kind = Literal[
    "more tasks",
    "more turns",
    "more calls",
    "longer prompt",
    "prompt growth",
    "large result",
    "longer answers",
    "cache missed",
    "dearer model",
    "paid again",
    "dear step",
]

_NOTHING: Final = Place()


class Cause(NamedTuple):
    """A difference, and what it costs.

    Attributes:
        kind: What differs.
        nanousd: What it costs in a task, an estimate.
        place: Where: the node, or the tool's name; empty where it is everywhere.
        here: That place in these tasks.
        usual: The same place as usual.
    """

    kind: Kind
    nanousd: float
    place: str = ""
    here: Place = _NOTHING
    usual: Place = _NOTHING


def causes(here: Mapping[Key, Place], usual: Mapping[Key, Place]) -> list[Cause]:
    """What makes a task dearer than usual, what costs most first; what makes it cheaper is left out.

    Args:
        here: Its places.
        usual: Those of the tasks it is compared with.
    """
    found: list[Cause] = []
    turns, calls, usual_calls = 0.0, 0.0, 0.0
    for key in dict.fromkeys([*here, *usual]):
        kind, name = key
        own, other = here.get(key, _NOTHING), usual.get(key, _NOTHING)
        count = (own.steps - other.steps) * _between(own, other)
        if kind == "model":
            turns, calls, usual_calls = turns + count, calls + own.steps, usual_calls + other.steps
            if own.steps and other.steps:
                found += _by_tokens(name, own, other)
        elif kind == AGAIN:
            found.append(
                Cause("paid again", own.steps * own.nanousd - other.steps * other.nanousd, name, own, other)
            )
        else:
            size = (
                (own.nanousd - other.nanousd) * (own.steps + other.steps) / 2
                if own.steps and other.steps
                else 0.0
            )
            if own.steps < 2 and not other.steps:  # one step that most tasks do not have
                count, size = 0.0, count
            found.append(Cause("more calls", count, name, own, other))
            found.append(Cause("dear step", size, name, own, other))
    found.append(Cause("more turns", turns, here=Place(steps=calls), usual=Place(steps=usual_calls)))
    return sorted((cause for cause in found if cause.nanousd > 0), key=lambda cause: -cause.nanousd)


def _between(own: Place, other: Place) -> float:
    """What a step more costs: half way between usual and here, or as here where there is none usually."""
    if not (own.steps and other.steps):
        return own.nanousd or other.nanousd
    return (own.nanousd + other.nanousd) / 2


def _by_tokens(name: str, own: Place, other: Place) -> Iterator[Cause]:
    """What the steps of a model's place cost more for, each."""
    old, new = other.rates, own.rates
    steps = (own.steps + other.steps) / 2
    prompt = (
        old.input
        - other.cached * (old.input - old.cache_read)
        + other.written * (old.cache_write - old.input)
    )
    growth = (own.input_tokens - own.first_tokens) - (other.input_tokens - other.first_tokens)
    yield Cause("longer prompt", steps * (own.first_tokens - other.first_tokens) * prompt, name, own, other)
    is_result = own.steps > 1 and 2 * own.jump_tokens >= own.largest_tokens - own.first_tokens > 0
    yield Cause("large result" if is_result else "prompt growth", steps * growth * prompt, name, own, other)
    missed = (other.cached - own.cached) * (old.input - old.cache_read)
    missed += (own.written - other.written) * (old.cache_write - old.input)
    yield Cause("cache missed", steps * own.input_tokens * missed, name, own, other)
    answers = steps * (own.output_tokens - other.output_tokens) * old.output
    yield Cause("longer answers", answers, name, own, other)
    if own.price_id != other.price_id:
        yield Cause("dearer model", steps * (_price(own, new) - _price(own, old)), name, own, other)


def _price(place: Place, rates: Rates) -> float:
    """What a step's tokens cost at some rates."""
    plain = place.input_tokens * (1 - place.cached - place.written)
    cached, written = place.input_tokens * place.cached, place.input_tokens * place.written
    return (
        plain * rates.input
        + cached * rates.cache_read
        + written * rates.cache_write
        + place.output_tokens * rates.output
    )
