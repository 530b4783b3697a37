"""The last weeks of a series as running sums: what a window came to, and what it came to at the same time of other days."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY_S: Final = 86_400
Floats = NDArray[np.float64]

WINDOWS_S: Final = (0, 3600, 6 * 3600, 24 * 3600, 72 * 3600)
"""How long the windows are that are judged; 0 is one bin."""


def window_bins(every_s: int) -> tuple[int, ...]:
    """The windows' lengths in bins, each once."""
    return tuple(sorted({max(1, round(length / every_s)) for length in WINDOWS_S}))


def days_kept(every_s: int) -> int:
    """How many days are remembered: eight weeks of days, four of hours, two of anything finer, and the longest window."""
    if every_s >= DAY_S:
        return 59
    return 31 if every_s >= 3600 else 17


class Past:
    """A ring of running sums, bounded by `days_kept`.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self.windows: Final = window_bins(every_s)
        self._size: Final = round(days_kept(every_s) * DAY_S / every_s) + 2
        self.seen = 0
        """How many bins were observed."""
        self.sums: Floats = np.zeros(self._size)
        """The sum of all bins before one, in the ring's order."""

    def add(self, value: float) -> None:
        """Observe one more bin."""
        before = self.sums[self.seen % self._size]
        self.seen += 1
        self.sums[self.seen % self._size] = before + value

    def means(self, lags: NDArray[np.int64]) -> Floats:
        """The mean bin of each window as it stood so many bins ago.

        Args:
            lags: Bins ago, shape `(lags,)`.

        Returns:
            Shape `(lags, windows)`; not a number where the past does not reach so far.
        """
        ends = self.seen - lags[:, None]
        begins = ends - np.array(self.windows)
        oldest = max(0, self.seen - self._size + 1)
        found: Floats = (self.sums[ends % self._size] - self.sums[begins % self._size]) / np.array(
            self.windows
        )
        found[begins < oldest] = np.nan
        return found

    def mean(self, bins: int) -> float:
        """The mean of the last so many bins, or of as many as there are."""
        bins = min(bins, self.seen, self._size - 1)
        if bins == 0:
            return 0.0
        newest = self.sums[self.seen % self._size]
        return float(newest - self.sums[(self.seen - bins) % self._size]) / bins
