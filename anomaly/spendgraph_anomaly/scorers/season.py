"""What an hour is expected to come to: STL on the past, robust to its own incidents, read off anew once a day."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# statsmodels has no stubs
from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEASONS: Final = 2
"""Seasons without which nothing is fitted."""


class Smoothing(NamedTuple):
    """How smooth STL's parts are, by its own names; the trend's and the low pass's lengths follow from the period unless said.

    A seasonal length of 35 points of the same hour is more than a month: a season may change, but not within days, so that a loop of some nights is none.
    The jumps have LOESS run at every third or fourth point and draw lines between: a third of the time, and a thousandth of the amplitude beside it.
    """

    seasonal: int = 35
    trend: int | None = None
    low_pass: int | None = None
    seasonal_jump: int = 4
    trend_jump: int = 4
    low_pass_jump: int = 3
    inner_iter: int = 1
    outer_iter: int = 5


USUAL: Final = Smoothing()


class Season(NamedTuple):
    """A season as it was at the end of the past.

    Attributes:
        profile: What each place of the season adds, beginning with the one after the past's end.
        level: The trend at the past's end.
        remainders: What the season and the trend left of each point.
    """

    profile: Floats
    level: float
    remainders: Floats


def fit(points: Floats, period: int, smoothing: Smoothing = USUAL) -> Season | None:
    """STL of points, weighted so that outliers count little.

    Args:
        points: Oldest first; only the past, for nothing here looks ahead.
        period: Points of a season, two at least.
        smoothing: How smooth its parts are.

    Returns:
        None where fewer than two seasons are there.
    """
    if len(points) < SEASONS * period:
        return None
    from statsmodels.tsa.seasonal import STL  # type: ignore[import-untyped]  # it has no stubs

    found = STL(
        points,
        period=period,
        seasonal=smoothing.seasonal,
        trend=smoothing.trend,
        low_pass=smoothing.low_pass,
        seasonal_jump=smoothing.seasonal_jump,
        trend_jump=smoothing.trend_jump,
        low_pass_jump=smoothing.low_pass_jump,
        robust=True,
    ).fit(inner_iter=smoothing.inner_iter, outer_iter=smoothing.outer_iter)
    profile: Floats = np.asarray(found.seasonal, dtype=np.float64)[-period:]
    trends: Floats = np.asarray(found.trend, dtype=np.float64)
    remainders: Floats = np.asarray(found.resid, dtype=np.float64)
    return Season(profile, float(trends[-1]), remainders)
