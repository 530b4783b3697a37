"""Running means of several numbers, each over its own last bins."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Running:
    """The mean of each number over its last so many bins; fewer at the beginning count as if there had been zeros.

    Args:
        bins: Over how many bins, a number each.
    """

    def __init__(self, bins: tuple[int, ...]) -> None:
        self._bins: Final = np.array(bins, dtype=np.int64)
        self._size: Final = max(bins) + 1
        self.seen = 0
        """How many bins were observed."""
        self.sums: Floats = np.zeros((self._size, len(bins)))
        """Sums up to each bin, in the ring's order."""

    def add(self, numbers: Floats) -> Floats:
        """Observe one more of each number.

        Returns:
            The means.
        """
        newest = self.sums[self.seen % self._size] + numbers
        self.seen += 1
        self.sums[self.seen % self._size] = newest
        back = np.maximum(self.seen - self._bins, 0)
        means: Floats = (newest - self.sums[back % self._size, np.arange(len(self._bins))]) / self._bins
        return means
