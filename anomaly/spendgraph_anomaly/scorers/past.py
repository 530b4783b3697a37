"""The last weeks of a series as running sums: what a window came to, now and at the same time of other days."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_S: Final = 86_400


def bins_kept(every_s: int) -> int:
    """How many bins are remembered: eight weeks of days, four of hours, two of anything finer, and what a window adds."""
    days = 60 if every_s >= DAY_S else 31 if every_s >= 3600 else 17
    return round(days * DAY_S / every_s)


class Past:
    """A ring of running sums, so that the mean of any window costs the same.

    Args:
        bins: How many bins are remembered.
    """

    def __init__(self, bins: int) -> None:
        self._size: Final = bins + 2
        self.seen = 0
        """How many bins were observed."""
        self.sums: Floats = np.zeros(self._size)
        """The sum of all bins up to one, in the ring's order."""

    def add(self, value: float) -> None:
        """Observe one more bin."""
        before = self.sums[self.seen % self._size]
        self.seen += 1
        self.sums[self.seen % self._size] = before + value

    def means(self, lags: Ints, windows: Ints) -> Floats:
        """The mean bin of each window as it stood so many bins ago.

        Args:
            lags: Bins ago, shape `(lags,)`.
            windows: Bins of each window, shape `(windows,)`.

        Returns:
            Shape `(lags, windows)`; not a number where the past does not reach so far.
        """
        ends = self.seen - lags[:, None]
        begins = ends - windows
        found: Floats = (self.sums[ends % self._size] - self.sums[begins % self._size]) / windows
        found[begins < max(0, self.seen - self._size + 1)] = np.nan
        return found

    def mean(self, bins: int) -> float:
        """The mean of the last so many bins, or of as many as there are."""
        bins = min(bins, self.seen, self._size - 1)
        if bins == 0:
            return 0.0
        newest = self.sums[self.seen % self._size]
        return float(newest - self.sums[(self.seen - bins) % self._size]) / bins

    def blocks(self, bins: int, most: int) -> Floats:
        """Sums of so many bins each, the last of them ending now, oldest first.

        Args:
            bins: Bins of a block.
            most: How many blocks, where the past has them.
        """
        count = min(most, min(self.seen, self._size - 1) // bins)
        edges = self.seen - bins * np.arange(count, -1, -1)
        return np.diff(self.sums[edges % self._size])
