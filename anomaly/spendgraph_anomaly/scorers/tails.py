"""How rare a number is among those before it: by rank, and beyond a twentieth of them by an exponential tail; no scale has to be assumed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TAIL: Final = 0.05
"""The share of the numbers that make the tail."""

FEWEST: Final = 5
"""Numbers in a tail, at least."""


class Tails:
    """Tails of several numbers at once, over one or two generations of the past.

    The surprise of a number is `-ln` of how often the past had one as great. A tail begins where a twentieth of the past is above it; its scale is the mean
    excess from there on. Both are drawn towards a prior (what siblings show) as far as the past is short. A generation is kept until the next one
    is full, so that what is remembered is bounded and the very old is forgotten.

    Args:
        generation: Numbers of a generation.
        fit_every: After how many numbers the tails are read off anew.
        fewest: Numbers without which nothing is said.
        scales: The scale of each tail before anything was seen.
        starts: Where each tail begins before anything was seen; not a number where nobody knows.
        weight: How many numbers of a tail the prior scale counts for.
        start_weight: How many numbers the prior start counts for; it only raises a start.
        least: The least scale.
    """

    def __init__(
        self,
        *,
        generation: int,
        fit_every: int,
        fewest: int,
        scales: Floats,
        starts: Floats,
        weight: float,
        start_weight: float,
        least: float,
    ) -> None:
        count = len(scales)
        self._generation: Final = generation
        self._fit_every: Final = fit_every
        self._fewest: Final = fewest
        self._prior_scales: Final = scales
        self._prior_starts: Final = starts
        self._weight: Final = weight
        self._start_weight: Final = start_weight
        self._least: Final = least
        self._kept: Final = int(np.ceil(TAIL * generation)) + FEWEST + 1
        self.counts: NDArray[np.int64] = np.zeros(2, dtype=np.int64)
        """Numbers of the generation before, and of this one."""
        self.tops: NDArray[np.float32] = np.full((2, self._kept, count), -np.inf, dtype=np.float32)
        """The greatest of each generation."""
        self.waiting: NDArray[np.float32] = np.zeros((0, count), dtype=np.float32)
        """What was observed since the tails were read off."""
        self.starts: Floats = np.full(count, np.inf)
        """Where each tail begins."""
        self.scales: Floats = np.ones(count)
        """The mean excess of each tail."""
        self._ranks: Floats = np.zeros(count)

    def surprise(self, numbers: Floats) -> Floats:
        """The surprise of each number; 0 for what is below its tail, and of what nothing is known of."""
        beyond = (numbers - self.starts) / self.scales
        return np.where(beyond > 0, beyond + self._ranks, 0.0)

    def add(self, numbers: Floats) -> None:
        """Observe one more of each number; they count from the next reading on."""
        self.waiting = np.concatenate([self.waiting, numbers[None].astype(np.float32)])
        if len(self.waiting) < self._fit_every:
            return
        together = np.concatenate([self.tops[1], self.waiting])
        self.tops[1] = -np.sort(-together, axis=0)[: self._kept]
        self.counts[1] += len(self.waiting)
        self.waiting = self.waiting[:0]
        self.fit()
        if self.counts[1] >= self._generation:
            self.tops[0], self.counts[0] = self.tops[1], self.counts[1]
            self.tops[1], self.counts[1] = -np.inf, 0

    def fit(self) -> None:
        """Read the tails off what is remembered."""
        count = int(self.counts.sum())
        if count < self._fewest:
            return
        inside = min(max(FEWEST, int(TAIL * count)), count - 1, self._kept - 1)
        descending = -np.sort(-self.tops.reshape(-1, self.tops.shape[2]).astype(np.float64), axis=0)
        starts = descending[inside]
        excess = np.sum(descending[:inside] - starts, axis=0)
        scales = (excess + self._weight * self._prior_scales) / (inside + self._weight)
        share = self._start_weight / (self._start_weight + count)
        self.starts = (1 - share) * starts + share * np.fmax(starts, self._prior_starts)
        self.scales = np.maximum(scales, self._least)
        self._ranks = np.full(len(starts), -np.log((inside + 1) / (count + 1)))

    def fitted(self) -> Floats:
        """The tails as they were last read off; it is part of a state, for the greatest of a generation may have gone since."""
        return np.stack([self.starts, self.scales, self._ranks])

    def learned(self, fitted: Floats) -> None:
        """Know what `fitted` said."""
        self.starts, self.scales, self._ranks = fitted
