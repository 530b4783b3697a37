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


def fit(points: Floats, period: int) -> Season | None:
    """STL of points, weighted so that outliers count little.

    Args:
        points: Oldest first; only the past, for nothing here looks ahead.
        period: Points of a season, two at least.

    Returns:
        None where fewer than two seasons are there.
    """
    if len(points) < SEASONS * period:
        return None
    from statsmodels.tsa.seasonal import STL  # type: ignore[import-untyped]  # it has no stubs

    found = STL(points, period=period, robust=True).fit(inner_iter=1, outer_iter=5)
    profile: Floats = np.asarray(found.seasonal, dtype=np.float64)[-period:]
    trend: Floats = np.asarray(found.trend, dtype=np.float64)
    remainders: Floats = np.asarray(found.resid, dtype=np.float64)
    return Season(profile, float(trend[-1]), remainders)
