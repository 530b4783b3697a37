"""What one would write instead: the scorers that the detector is measured against, each streaming and made of the bins before."""

from __future__ import annotations

from collections import deque
from math import erfc, inf, log10, sqrt
from statistics import median
from typing import Final, Protocol

import numpy as np

from spendgraph_anomaly.scorers.past import DAY_S
from spendgraph_anomaly.scorers.season import fit

SIGMA_HOURS: Final = 720
GAUSSIAN_BINS: Final = 6400
STL_DAYS: Final = 14
MAD: Final = 1.4826
"""The median distance from the median times this is the standard deviation of a normal distribution."""


class Scorer(Protocol):
    """How unusual each bin of a series is, the higher the more."""

    def score(self, value: float) -> float:
        """Score the next bin; 0 while nothing can be said."""
        ...


class RollingSigma:
    """How many standard deviations a bin is above the mean of the past 720 hours. It has seen a day before it speaks.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self._past: deque[float] = deque(maxlen=max(2, SIGMA_HOURS * 3600 // every_s))
        self._fewest: Final = max(2, DAY_S // every_s)

    def score(self, value: float) -> float:
        """Score the next bin; 0 while less than a day was seen."""
        found = 0.0
        if len(self._past) >= self._fewest:
            past = np.array(self._past)
            found = (value - float(past.mean())) / _spread(float(past.std(ddof=1)), past)
        self._past.append(value)
        return found


class WindowedGaussian:
    """The tail probability of a bin, as `-log10`, under a normal distribution of the 6,400 bins before."""

    def __init__(self) -> None:
        self._past: deque[float] = deque(maxlen=GAUSSIAN_BINS)

    def score(self, value: float) -> float:
        """Score the next bin; 0 while fewer than a hundred were seen."""
        found = 0.0
        if len(self._past) >= 100:
            past = np.array(self._past)
            z = (value - float(past.mean())) / _spread(float(past.std()), past)
            chance = erfc(z / sqrt(2)) / 2
            found = -log10(chance) if chance > 0 else inf
        self._past.append(value)
        return found


class StlMad:
    """How far a bin is above STL of the past 14 days, in scaled median absolute deviations of its remainder.

    STL is fitted once a day; until then the season goes on, and the trend stays. It has seen two days before it speaks.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self._period: Final = max(2, DAY_S // every_s)
        self._past: deque[float] = deque(maxlen=STL_DAYS * self._period)
        self._seen = 0
        self._expected: list[float] = []
        self._scale = 0.0

    def score(self, value: float) -> float:
        """Score the next bin; 0 while less than two days were seen."""
        if self._seen % self._period == 0:
            self._fit()
        found = (value - self._expected[self._seen % self._period]) / self._scale if self._expected else 0.0
        self._past.append(value)
        self._seen += 1
        return found

    def _fit(self) -> None:
        past = np.array(self._past)
        season = fit(past, self._period)
        if season is None:
            return
        middle = median(season.remainders.tolist())
        self._expected = (season.profile + season.level).tolist()
        self._scale = _spread(MAD * median(np.abs(season.remainders - middle).tolist()), past)


class AllTimeHigh:
    """By how much a bin is above all before it, in units of their range; 0 for what is no new high.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self._fewest: Final = max(1, DAY_S // every_s)
        self._seen = 0
        self._high = -inf
        self._low = inf

    def score(self, value: float) -> float:
        """Score the next bin; 0 while less than a day was seen."""
        found = 0.0
        if self._seen >= self._fewest and value > self._high:
            found = (value - self._high) / _spread(self._high - self._low, np.array([self._high]))
        self._high, self._low = max(self._high, value), min(self._low, value)
        self._seen += 1
        return found


def _spread(spread: float, values: np.typing.NDArray[np.float64]) -> float:
    """A spread that can be divided by, of a series that has not moved yet too."""
    return max(spread, 1e-9 * max(float(np.abs(values).max()), 1.0))
