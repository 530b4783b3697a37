"""What a model learns from: a series up to now, without gaps, and how its time repeats itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DAYS = (7,)
"""The seasons of a series by day: a week."""

HOURS = (24, 168)
"""Those of a series by hour: a day and a week."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """A series up to now.

    Attributes:
        values: What each bin came to, the latest last; finite, shape `(n,)`.
        seasons: After how many bins time repeats itself, the shortest first.
        window: So many bins at the end belong to the month, or whatever is burnt down, that is not over.
        mended: How many bins were missing and are guessed.
    """

    values: NDArray[np.float64]
    seasons: tuple[int, ...] = DAYS
    window: int = 0
    mended: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def until(self, count: int) -> History:
        """Its first bins: what was known then."""
        return replace(self, values=self.values[:count])

    def last(self, count: int) -> NDArray[np.float64]:
        """Its last bins, or all."""
        return self.values[-count:] if count > 0 else self.values[:0]

    @property
    def season(self) -> int:
        """The longest season that it has twice; otherwise the shortest."""
        return next((season for season in reversed(self.seasons) if len(self) >= 2 * season), self.seasons[0])

    @property
    def level(self) -> float:
        """What a bin comes to on average over the last four of the shortest seasons; 0 without any."""
        recent = self.last(4 * self.seasons[0])
        return float(recent.mean()) if len(recent) else 0.0


def history(
    values: Sequence[float] | NDArray[np.float64], seasons: tuple[int, ...] = DAYS, window: int = 0
) -> History:
    """A history of any numbers: what is missing or infinite is taken from a season before, else from the bins beside.

    Args:
        values: The series, the latest last.
        seasons: After how many bins time repeats itself.
        window: So many bins at the end are burnt down.

    Raises:
        ValueError: There is no season, or one shorter than two bins.
    """
    if not seasons or min(seasons) < 2 or list(seasons) != sorted(set(seasons)):
        raise ValueError(f"expected seasons of two bins and more, the shortest first, found {seasons}")
    mended = np.array(values, dtype=np.float64).reshape(-1)
    gaps = np.flatnonzero(~np.isfinite(mended))
    known = mended[np.isfinite(mended)]
    middle = float(np.median(known)) if len(known) else 0.0
    for gap in gaps:  # in order of time, so that only the past mends
        before = gap - seasons[0]
        mended[gap] = mended[before] if before >= 0 else mended[gap - 1] if gap else middle
    return History(mended, tuple(seasons), min(window, len(mended)), len(gaps))
