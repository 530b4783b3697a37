"""One incident for what several cuts say at once: a loop raises its tenant, its feature and both together.

Where one cut carries most of what a coarser one has too much of, the coarser one is its shadow. Where it carries little of it, as a
tenant does of what a deploy costs all of them, it is a part of the coarser one. What is neither stands by itself, and then
each dollar counts in one of them only: the most specific.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.review.cuts import Cuts, Tags

MOST: Final = 0.5
"""What carries so much of an excess carries it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A cut, and what was to be expected of it, in nano-USD for each bin."""

    observed: NDArray[np.int64]
    expected: NDArray[np.int64]

    def excess(self, first: int, last: int) -> int:
        """What it came to beyond that, from a bin to before another."""
        return int(self.observed[first:last].sum() - self.expected[first:last].sum())


@dataclass(frozen=True, slots=True)
class Alarm:
    """What stood out of one cut.

    Attributes:
        tags: The cut.
        first: Its first bin.
        last: The first bin after it.
        kind: How it stood out.
        severity: How much.
        is_open: Whether it still goes on.
    """

    tags: Tags
    first: int
    last: int
    kind: str
    severity: str
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What an alarm came to, without what a more specific one has of it; in nano-USD."""

    alarm: Alarm
    observed_nanousd: int
    expected_nanousd: int

    @property
    def excess_nanousd(self) -> int:
        """How much too much it was."""
        return self.observed_nanousd - self.expected_nanousd


def joined(one: Tags, other: Tags) -> Tags | None:
    """What is of both cuts; nothing where no spending can be.

    >>> joined({"tenant": "acme"}, {"feature": "inbox"}), joined({"tenant": "acme"}, {"tenant": "globex"})
    ({'tenant': 'acme', 'feature': 'inbox'}, None)
    """
    both = {**one, **other}
    return both if all(both[name] == value for name, value in one.items()) else None


def merged(alarms: Sequence[Alarm], judged: Callable[[Tags], Judged]) -> list[Alarm]:
    """The alarms that are left when what is the same is told once, the most specific first."""
    kept: list[Alarm] = []
    for alarm in sorted(alarms, key=lambda each: (-len(each.tags), -_excess(each, judged), each.first)):
        beside = [(other, found) for other in kept if (found := _common(alarm, other)) is not None]
        if any(judged(tags).excess(*bins) >= MOST * _excess(alarm, judged) for _, (tags, bins) in beside):
            continue
        for other, (tags, bins) in beside:
            within = tags == other.tags and 2 * (bins[1] - bins[0]) >= other.last - other.first
            if within and judged(tags).excess(*bins) < MOST * judged(alarm.tags).excess(*bins):
                kept.remove(other)
        kept.append(alarm)
    return kept


def parts(alarms: Sequence[Alarm], cuts: Cuts, judged: Callable[[Tags], Judged]) -> list[Part]:
    """What each of some merged alarms came to; of what two have in common, the first has it all."""
    taken = np.zeros((len(cuts.cells), len(cuts.starts_us)), dtype=np.bool_)
    found: list[Part] = []
    for at, alarm in enumerate(alarms):
        cells, bins = cuts.within(alarm.tags), slice(alarm.first, alarm.last)
        free = ~taken[cells, bins]
        taken[cells, bins] = True
        expected = int(judged(alarm.tags).expected[bins].sum())
        for other in alarms[:at]:
            if (common := _common(alarm, other)) is not None:
                tags, (first, last) = common
                expected -= int(judged(tags).expected[first:last].sum())
        found.append(Part(alarm, cuts.of(cells, bins, free), max(expected, 0)))
    return found


def _excess(alarm: Alarm, judged: Callable[[Tags], Judged]) -> int:
    return judged(alarm.tags).excess(alarm.first, alarm.last)


def _common(one: Alarm, other: Alarm) -> tuple[Tags, tuple[int, int]] | None:
    """The cut and the bins that two alarms share."""
    tags = joined(one.tags, other.tags)
    first, last = max(one.first, other.first), min(one.last, other.last)
    return None if tags is None or first >= last else (tags, (first, last))
