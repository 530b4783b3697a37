"""Exact quantiles by nearest rank: each is one of the numbers, never something between two of them."""

from __future__ import annotations

from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAMPLED: Final = 1_000
_MARGIN: Final = 50


def quantiles(numbers: Sequence[int], shares: Sequence[float]) -> list[int]:
    """The least number that at least a share of them do not pass, for each share: the one at rank `ceil(share * n)`.

    Args:
        numbers: At least one, in any order.
        shares: From 0, which gives the least number, to 1, which gives the largest.
    """
    ranks = [_rank(len(numbers), share) for share in shares]
    if not ranks:
        return []
    highest = _highest(numbers, min(ranks))
    below = len(numbers) - len(highest)
    return [highest[rank - 1 - below] for rank in ranks]


def nearest_rank(ordered: Sequence[int], share: float) -> int:
    """The same for one share of numbers that are in order."""
    return ordered[_rank(len(ordered), share) - 1]


def _rank(count: int, share: float) -> int:
    # 0.07 of 100 is 7; in floats it is 7.000000000000001, which would be the eighth.
    return max(ceil(Decimal(str(share)) * count), 1)


def _highest(numbers: Sequence[int], rank: int) -> list[int]:
    """The numbers from a rank on at least, in order; those that a sample finds to be well below are not sorted."""
    step = len(numbers) // _SAMPLED
    if step > 1:
        low = sorted(numbers[::step])[max(rank // step - _MARGIN, 0)]
        found = [number for number in numbers if number >= low]
        if len(numbers) - len(found) < rank:
            found.sort()
            return found
    return sorted(numbers)
