"""A day against the same weekday of the last weeks: a busy Sunday is none, beside six busy days."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.scorers.past import DAY_S, Past

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SEASONS: Final = 2
"""Weeks that must have been seen before anything is said."""

OFFSET: Final = 0.3


class Weekdays:
    """The last 24 hours (the day, of days) as a ratio to the highest of the same weekday.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self._day: Final = max(1, round(DAY_S / every_s))
        self._window: Final = np.array([self._day], dtype=np.int64)

    def knows(self, usual: Past) -> bool:
        """Whether two full weeks were seen."""
        return usual.seen >= SEASONS * 7 * self._day

    def number(self, recent: Past, usual: Past, weeks: Ints, mean: float) -> tuple[float, float | None]:
        """The ratio on a logarithmic scale, and the median day's bin of those weekdays.

        Args:
            recent: The series as it was, with the bin that is judged as its newest.
            usual: The series without its incidents, up to the bin before.
            weeks: How many bins ago the same weekday was, newest first.
            mean: The series' mean.

        Returns:
            Minus infinity and none, where fewer than two full weeks were seen.
        """
        if not self.knows(usual):
            return -np.inf, None
        now = max(recent.mean(self._day), 0.0)
        means = usual.means(weeks - 1, self._window)[:, 0]
        before = means[~np.isnan(means)]
        if len(before) == 0:
            return -np.inf, None
        highest = max(float(before.max()), 0.0)
        return float(np.log((OFFSET * mean + now) / (OFFSET * mean + highest))), float(np.median(before))
