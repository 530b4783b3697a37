"""What changed: an excess in five parts that add up to it, to the nano-dollar.

What was usual becomes what is, one step at a time: first as many calls as now, then of the models (and tools) of now, then with the tokens a call of
now, then with the share of now from the prompt cache, then at what they really cost. What a step adds is its part. Within a model, tokens count as the price list weighs
them (an output token as so many input tokens), at the level that was really paid; what no price list knows counts all tokens alike, and says nothing of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

from spendgraph.pricing import Price, Usage

Part = Literal["calls", "models", "tokens per call", "cache", "price"]
PARTS: Final[tuple[Part, ...]] = ("calls", "models", "tokens per call", "cache", "price")

BY: Final = ("kind", "name", "provider", "model", "service_tier")
SUMS: Final = (
    "cost_nanousd",
    "steps",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)
"""What is asked of the books, by `BY`."""

_UNIT: Final = 1000  # tokens: few enough that no price for long contexts holds

Pricing = Callable[[str, str, str], Price | None]
"""The list price of a provider's model at a service tier."""


class Change(NamedTuple):
    """One part of an excess.

    Attributes:
        part: What changed.
        nanousd: How much of the excess it is; less than 0 where it saved something.
        before: What it was in a week of the baseline: calls, the share of calls that `what` had, tokens a call, the share of input
            tokens that came from the prompt cache, dollars a million tokens (a call, where there are no tokens).
        now: What it is.
        what: Of `models`, the model or tool whose share of the calls moved most; else empty.
    """

    part: Part
    nanousd: int
    before: float
    now: float
    what: str = ""


class _Group(NamedTuple):
    """The calls of one model or tool, in a period or in a week of the baseline."""

    cost: Fraction = Fraction(0)
    steps: Fraction = Fraction(0)
    fresh: Fraction = Fraction(0)
    output: Fraction = Fraction(0)
    read: Fraction = Fraction(0)
    write_5m: Fraction = Fraction(0)
    write_1h: Fraction = Fraction(0)

    @property
    def input(self) -> Fraction:
        """All input tokens."""
        return self.fresh + self.read + self.write_5m + self.write_1h

    @property
    def tokens(self) -> Fraction:
        """All tokens."""
        return self.input + self.output

    def cached_as(self, other: _Group) -> _Group:
        """The same tokens, of which the prompt cache has the share that it has in another group."""
        if not other.input:
            return self
        own = self.input
        return self._replace(
            fresh=own * other.fresh / other.input,
            read=own * other.read / other.input,
            write_5m=own * other.write_5m / other.input,
            write_1h=own * other.write_1h / other.input,
        )


def changes(
    now: Sequence[Mapping[str, Any]], baseline: Sequence[Sequence[Mapping[str, Any]]], price: Pricing
) -> tuple[Change, ...]:
    """The parts of what a period cost beyond the mean of the baseline.

    Args:
        now: Rows of the period with `BY` and `SUMS`.
        baseline: The same of each week.
        price: The list price of a model.

    Returns:
        Each part once, in the order of `PARTS`. They add up to the period's cost less the mean of the weeks' costs, rounded half even.
    """
    new = _grouped(now, 1)
    old = _grouped([row for week in baseline for row in week], max(1, len(baseline)))
    all_new, all_old = _together(new.values()), _together(old.values())
    costs = [all_old.cost]
    if all_new.steps > 0 and all_old.steps > 0:
        costs.append(all_old.cost * all_new.steps / all_old.steps)
        through = [
            _through(new[key], old.get(key, _Group()), _rates(key, price))
            for key in new
            if new[key].steps > 0
        ]
        costs += [sum((each[at] for each in through), Fraction(0)) for at in range(3)]
    else:  # there is no call to compare with: what came or went whole did so by its calls
        costs += [all_new.cost] * 4
    rounded = [round(cost) for cost in (*costs, all_new.cost)]
    parts = dict(zip(PARTS, (after - before for before, after in pairwise(rounded)), strict=True))
    what, share_before, share_now = _moved_most(new, old, all_new, all_old)
    return (
        Change("calls", parts["calls"], float(all_old.steps), float(all_new.steps)),
        Change("models", parts["models"], share_before, share_now, what),
        Change("tokens per call", parts["tokens per call"], _per_call(old), _per_call(new)),
        Change(
            "cache", parts["cache"], _ratio(all_old.read, all_old.input), _ratio(all_new.read, all_new.input)
        ),
        Change("price", parts["price"], _price(all_old), _price(all_new)),
    )


def _through(new: _Group, old: _Group, rates: _Group | None) -> tuple[Fraction, Fraction, Fraction]:
    """What the calls of now cost with the tokens of before, with those of now but the cache of before, and with both of now."""
    if old.steps <= 0 or old.cost <= 0:
        return new.cost, new.cost, new.cost
    as_many = old.cost * new.steps / old.steps
    weigh = _weight if rates is None else _weigher(rates)
    usual = weigh(old)
    if not usual or not weigh(new):
        return as_many, as_many, as_many
    level = old.cost / usual
    return as_many, level * weigh(new.cached_as(old)), level * weigh(new)


def _weight(group: _Group) -> Fraction:
    return group.tokens


def _weigher(rates: _Group) -> Callable[[_Group], Fraction]:
    def weigh(group: _Group) -> Fraction:
        return sum((getattr(group, name) * getattr(rates, name) for name in _Group._fields[2:]), Fraction(0))

    return weigh


def _rates(key: tuple[str, ...], price: Pricing) -> _Group | None:
    """What so many tokens of each kind cost; nothing where there is no price, or it is free."""
    _, _, provider, model, tier = key
    found = price(provider, model, tier) if model else None
    if found is None or found.is_free:
        return None
    start = found.cost(Usage())
    return _Group(
        fresh=Fraction(found.cost(Usage(input_tokens=_UNIT)) - start),
        output=Fraction(found.cost(Usage(output_tokens=_UNIT)) - start),
        read=Fraction(found.cost(Usage(input_tokens=_UNIT, cache_read_tokens=_UNIT)) - start),
        write_5m=Fraction(found.cost(Usage(input_tokens=_UNIT, cache_write_5m_tokens=_UNIT)) - start),
        write_1h=Fraction(found.cost(Usage(input_tokens=_UNIT, cache_write_1h_tokens=_UNIT)) - start),
    )


def _grouped(rows: Iterable[Mapping[str, Any]], weeks: int) -> dict[tuple[str, ...], _Group]:
    """Means of weeks, by model or tool."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        found = sums.setdefault(tuple(str(row[name]) for name in BY), [0] * len(SUMS))
        for at, name in enumerate(SUMS):
            found[at] += row[name]
    groups: dict[tuple[str, ...], _Group] = {}
    for key, totals in sums.items():
        cost, steps, given, output, read, write_5m, write_1h = (Fraction(total, weeks) for total in totals)
        groups[key] = _Group(
            cost, steps, given - read - write_5m - write_1h, output, read, write_5m, write_1h
        )
    return groups


def _together(groups: Iterable[_Group]) -> _Group:
    sums = [Fraction(0)] * len(_Group._fields)
    for group in groups:
        sums = [total + own for total, own in zip(sums, group, strict=True)]
    return _Group(*sums)


def _moved_most(
    new: Mapping[tuple[str, ...], _Group],
    old: Mapping[tuple[str, ...], _Group],
    all_new: _Group,
    all_old: _Group,
) -> tuple[str, float, float]:
    """The model or tool whose share of the calls moved most."""
    found = ("", 0.0, 0.0)
    for key in sorted({*new, *old}):
        before = _ratio(old.get(key, _Group()).steps, all_old.steps)
        now = _ratio(new.get(key, _Group()).steps, all_new.steps)
        if abs(now - before) > abs(found[2] - found[1]):
            kind, name, _, model, _ = key
            found = (model or name or kind, before, now)
    return found


def _per_call(groups: Mapping[tuple[str, ...], _Group]) -> float:
    """Tokens of a call, of those that have tokens."""
    found = _together(group for group in groups.values() if group.tokens)
    return _ratio(found.tokens, found.steps)


def _price(group: _Group) -> float:
    """Dollars a million tokens; a call, where there are no tokens."""
    if group.tokens:
        return _ratio(group.cost, group.tokens * 1000)
    return _ratio(group.cost, group.steps * 10**9)


def _ratio(part: Fraction, whole: Fraction) -> float:
    return float(part / whole) if whole else 0.0
