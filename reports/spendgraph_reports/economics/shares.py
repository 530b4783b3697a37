"""Statistics of whole amounts that stay whole: ranks, means and what the dearest make of all."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from spendgraph_reports.amounts import share


def mean(total: int, number: int) -> int | None:
    """What one of so many is on average, rounded half even; of none, nothing.

    >>> mean(7, 2), mean(5, 2), mean(1, 0)
    (4, 2, None)
    """
    return round(Fraction(total, number)) if number else None


def top_share(ordered: Sequence[int], percent: int) -> float:
    """What the dearest percent make of the sum of amounts in rising order; at least one of them, and rounded up.

    >>> top_share([1, 1, 1, 1, 6], 20), top_share([], 1)
    (0.6, 0.0)
    """
    number = -(-len(ordered) * percent // 100)
    return share(sum(ordered[len(ordered) - number :]), sum(ordered))


def times(amount: int, usual: int) -> float | None:
    """How many times as much as usual; unknown where usual is nothing.

    >>> times(30, 10), times(30, 0)
    (3.0, None)
    """
    return amount / usual if usual > 0 else None
