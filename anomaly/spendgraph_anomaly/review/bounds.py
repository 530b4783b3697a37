"""What was to be expected while an incident goes on, and which of its bins it is that cost too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES: Final = (0.97, 0.9, 0.8)
"""Nearly all of an excess, and most of it."""

FAR_FEWER: Final = 3


def stretched(
    observed: NDArray[np.int64],
    expected: NDArray[np.int64],
    alarms: Sequence[tuple[int, int]],
    first: int,
    told: int,
    day: int,
) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """When each incident really was, and what was to be expected then.

    What raises an alarm began before it: up to a day, or a week where it goes on for days. Two that go on for a day and more with at most three
    days between them are one: what a deploy makes dearer rests on weekends.

    Args:
        observed: What each bin came to.
        expected: What the detector expected of it.
        alarms: The first bin of each, and the first after it, as the detector says.
        first: The first bin that it has judged.
        told: The first bin of which something is told.
        day: How many bins a day has.

    Returns:
        The expectation, and of each incident the first bin and the first after it; the same one where it cost nothing since `told`.
    """
    incidents = list(alarms)
    leads = [day] * len(incidents)
    found: list[tuple[int, int]] = []
    usual = expected
    for _ in ("a day before", "a week where it is long"):
        ends = [first, *(end for _, end in incidents)]
        begins = [
            max(begin - lead, end) for (begin, _), lead, end in zip(incidents, leads, ends, strict=False)
        ]
        bounds = [(begin, end) for begin, (_, end) in zip(begins, incidents, strict=True)]
        usual = frozen(expected, bounds, first, 7 * day)
        found = [richest(observed - usual, max(begin, told), max(end, told)) for begin, end in bounds]
        leads = [7 * day if end - begin >= 2 * day else day for begin, end in found]
        _join(incidents, found, day)
    return usual, found


def _join(incidents: list[tuple[int, int]], found: Sequence[tuple[int, int]], day: int) -> None:
    """Give the bins of an incident to the one before it where they are one; none are left to it then."""
    before = 0
    for at in range(1, len(incidents)):
        are_long = all(found[each][1] - found[each][0] >= day for each in (before, at))
        if are_long and incidents[at][0] - incidents[before][1] <= 3 * day:
            incidents[before] = (incidents[before][0], incidents[at][1])
            incidents[at] = (incidents[at][1], incidents[at][1])
        else:
            before = at


def frozen(
    expected: NDArray[np.int64], incidents: Iterable[Sequence[int]], first: int, week: int
) -> NDArray[np.int64]:
    """The expectation, within incidents that of the same hours of the last week before each.

    Detectors go on learning while an incident goes on, or a new level would be an incident for ever. What it cost is measured against
    what was expected before it.

    >>> frozen(np.array([5, 5, 5, 9, 12, 14]), [(3, 6)], 0, 2).tolist()
    [5, 5, 5, 5, 5, 5]

    Args:
        expected: What the detector expected in each bin.
        incidents: The first bin of each, and the first after it.
        first: The first bin that the detector has judged.
        week: How many bins a week has.
    """
    found = expected.copy()
    for begin, end in incidents:
        for at in range(begin, end):
            before = at - -(-(at - begin + 1) // week) * week
            if before >= first:
                found[at] = found[before]
    return found


def richest(excess: NDArray[np.int64], first: int, last: int) -> tuple[int, int]:
    """The fewest bins in a row, from a first to before a last, that have nearly all of the excess; none where there is none.

    An alarm ends some hours or days after what raised it: when its windows have forgotten it. Far fewer bins that have most of it are
    rather it: one dear hour is not a day for some cents in the others.

    >>> richest(np.array([0, 700, -1, 900, -3, 20, -4]), 0, 7)
    (1, 4)
    >>> richest(np.array([0, 900, 10, 10, 10, 10, 10, 10]), 0, 8)
    (1, 2)
    """
    sums = np.concatenate([[0], np.cumsum(excess[first:last])])
    greatest = float(np.max(sums - np.minimum.accumulate(sums)))
    if greatest <= 0:
        return first, first
    begin, end = _fewest(sums, SHARES[0] * greatest)
    for share in SHARES[1:]:
        fewer = _fewest(sums, share * greatest)
        if FAR_FEWER * (fewer[1] - fewer[0]) <= end - begin:
            begin, end = fewer
    return first + begin, first + end


def _fewest(sums: NDArray[np.int64], least: float) -> tuple[int, int]:
    for bins in range(1, len(sums)):
        found = sums[bins:] - sums[:-bins]
        at = int(np.argmax(found))
        if found[at] >= least:
            return at, at + bins
    raise AssertionError("some bins in a row have the greatest excess")
