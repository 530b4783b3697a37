"""How rare a number is among those that came before: an exponential tail on the greatest of each six hours, so that no scale has to be assumed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK_S: Final = 6 * 3600
"""Over how long the greatest number is taken; it is the shortest time between two alerts, too."""

KEPT: Final = 28 * 4
"""How many of these maxima are remembered: four weeks."""

FEWEST: Final = 8
"""Maxima without which nothing can be said of a tail: two days."""

TAIL: Final = 0.15
"""The share of the maxima that make the tail."""


class Tails:
    """Tails of several numbers at once.

    The surprise of a number is `-ln` of how often six hours of the past had one as great: by rank up to the tail, and
    beyond it by an exponential whose scale is the tail's mean excess, drawn towards `prior` as far as the past is short.

    Args:
        count: How many numbers.
        bins: Bins of a block.
        prior: The scale of a tail of which nothing was seen.
        prior_weight: How many maxima the prior counts for.
        least: The least scale.
    """

    def __init__(self, count: int, bins: int, *, prior: float, prior_weight: float, least: float) -> None:
        self._bins: Final = bins
        self._prior: Final = prior
        self._prior_weight: Final = prior_weight
        self._least: Final = least
        self.seen = 0
        """How many bins were observed."""
        self.maxima: Floats = np.full((KEPT, count), np.nan)
        self.open: Floats = np.full(count, -np.inf)
        """The greatest numbers of the block that goes on."""
        self._start: Floats = np.full(count, np.inf)
        self._scale: Floats = np.ones(count)
        self._rank: Floats = np.zeros(count)

    def surprise(self, numbers: Floats) -> Floats:
        """The surprise of each number; 0 for what is below the tail or has none yet."""
        beyond = (numbers - self._start) / self._scale
        return np.where(beyond > 0, beyond + self._rank, 0.0)

    def add(self, numbers: Floats) -> None:
        """Observe one more bin's numbers; one that is not known (not a number) counts for nothing."""
        self.open = np.fmax(self.open, numbers)
        self.seen += 1
        if self.seen % self._bins == 0:
            self.maxima[(self.seen // self._bins - 1) % KEPT] = np.where(
                np.isinf(self.open), np.nan, self.open
            )
            self.open = np.full(len(self.open), -np.inf)
            self.fit()

    def fit(self) -> None:
        """Read the tails off the maxima anew, as it is done at the end of each block."""
        known = np.sum(np.isfinite(self.maxima), axis=0)
        descending = -np.sort(-self.maxima, axis=0)  # numpy sorts what is not a number to the end
        for each in range(self.maxima.shape[1]):
            count = int(known[each])
            if count < FEWEST:
                self._start[each] = np.inf
                continue
            inside = min(max(2, round(TAIL * count)), count - 1)
            start = descending[inside, each]
            excess = float(np.sum(descending[:inside, each] - start))
            scale = (excess + self._prior_weight * self._prior) / (inside + self._prior_weight)
            self._start[each] = start
            self._scale[each] = max(scale, self._least)
            self._rank[each] = -np.log((inside + 1) / (count + 1))
