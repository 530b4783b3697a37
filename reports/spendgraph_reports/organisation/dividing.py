"""Whole numbers divided by shares: the parts of each add up to it, and the parts of many come near the shares.

Each amount is divided by the largest remainder. What that gives a part too much or too little is remembered: the units
left of the next amount go first to those that are behind. Otherwise a hundred rows of one step, split 60 to 40, would
all be the first part's.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm


class Divider:
    """Divides one amount after another by the same shares.

    >>> divider = Divider([Decimal("0.6"), Decimal("0.4")])
    >>> [divider.divide(amount) for amount in (10, 1, 1, 1, -3)]
    [[6, 4], [1, 0], [0, 1], [1, 0], [-2, -1]]
    """

    def __init__(self, shares: Sequence[Decimal]) -> None:
        fractions = [Fraction(share) for share in shares]
        scale = lcm(*(fraction.denominator for fraction in fractions))
        self._weights = [int(fraction * scale) for fraction in fractions]
        self._whole = sum(self._weights)
        self._owed = [0] * len(shares)
        """What each part is behind, in units divided by `_whole`; less than nothing where it is ahead."""

    def divide(self, amount: int) -> list[int]:
        """The parts, in the order of the shares: no part is more than a unit away from its share, or of another sign."""
        sign = -1 if amount < 0 else 1
        quotients = [divmod(abs(amount) * weight, self._whole) for weight in self._weights]
        parts = [quotient for quotient, _ in quotients]
        claims = [sign * owed + remainder for owed, (_, remainder) in zip(self._owed, quotients, strict=True)]
        first = sorted(range(len(parts)), key=lambda part: -claims[part])
        for part in first[: abs(amount) - sum(parts)]:
            parts[part] += 1
            claims[part] -= self._whole
        self._owed = [sign * claim for claim in claims]
        return [sign * part for part in parts]
