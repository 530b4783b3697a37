"""Intervals of a total: how far totals over as many bins were off at earlier moments, and no sum of bounds of bins.

Bins of a forecast are wrong together: a level that is off is off every day. Adding up the bounds of days would hide or
invent that. So the sum itself is looked at, how far it was off beside how large it was, and the quantile of that is taken
with the correction of conformal prediction. Moments that overlap tell less than as many that do not, and where they are
few the interval is wider, as Student's distribution is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models import History

    Values = NDArray[np.float64]

LEVELS: Final = (80, 95)
"""Of so many percent of totals the interval is to hold what comes."""

_UNKNOWN: Final = 0.35
"""How far a sum that nothing is known of may be off: by a third of it, two times of three."""

_WORTH: Final = 1.0
"""That is worth so many moments."""

_TAIL: Final = 1.9
"""The 95 percent interval is at least so many times as wide as that of 80: few moments do not show the tail."""

_FLOOR: Final = 0.1
"""To what a sum is measured by, so much of the usual level is added: where little is expected, more than that may come."""


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How far sums may be off, by how many bins they are of.

    Attributes:
        widths: For each level, how many of its measures a sum of 1, 2, ... bins may be off; shape `(horizon,)`.
        level: What a bin comes to on average.
        moments: How many moments of the backtest they rest on.
    """

    widths: Mapping[int, Values]
    level: float
    moments: int

    def bounds(self, path: Values, level: int, *, after: int = 0) -> tuple[Values, Values]:
        """The bounds of the sums up to each bin of a path; they never fall where the path does not.

        Args:
            path: What each bin comes to.
            level: 80 or 95.
            after: The path begins after so many bins: it is as unsure as what is that far away.
        """
        summed = np.cumsum(path)
        off = self.widths[level][after : after + len(path)] * _measure(summed, self.level)
        low, high = summed - off, summed + off
        if len(path) and path.min() >= 0:
            # Nobody is paid back: no sum is below nothing, or below what its first bins surely come to.
            low, high = np.maximum.accumulate(np.maximum(low, 0.0)), np.maximum.accumulate(high)
        return low, high


def spread(
    said: Sequence[Values | None],
    actual: Sequence[Values],
    origins: Sequence[int],
    known: History,
    horizon: int,
) -> Spread:
    """How far sums were off at earlier moments.

    Args:
        said: What was forecast at each; nothing where nothing was.
        actual: What came after each.
        origins: How many bins were known at each.
        known: All that is known now.
        horizon: Up to how many bins.
    """
    kept = [
        (_off(path, came, known.until(at).level), at)
        for path, came, at in zip(said, actual, origins, strict=True)
        if path is not None
    ]
    ends = [at for _, at in kept]
    steps = sorted({min(round(1.25**power), horizon) for power in range(40)})
    found = {percent: np.empty(len(steps)) for percent in LEVELS}
    for number, bins in enumerate(steps):
        near = [off[min(bins, len(off)) - 1] for off, _ in kept if 2 * len(off) >= bins]
        apart = 1 + (max(ends) - min(ends)) / bins if ends else 0.0
        for percent, width in _widths(np.array(near), min(apart, len(near))).items():
            found[percent][number] = width
    every = np.arange(1, horizon + 1)
    widths = {percent: np.interp(every, steps, values) for percent, values in found.items()}
    return Spread(widths, known.level, len(kept))


def _measure(summed: Values, level: float) -> Values:
    """What it is measured by how far sums of 1, 2, ... bins are off: between what was expected and what is usual."""
    usual = max(level, 0.0) * np.arange(1, len(summed) + 1)
    return np.asarray(np.sqrt(np.maximum(summed, 0.0) * usual) + _FLOOR * usual, dtype=np.float64)


def _off(path: Values, came: Values, level: float) -> Values:
    """How many measures sums of 1, 2, ... bins were off."""
    expected = np.cumsum(path[: len(came)])
    measure = _measure(expected, level)
    off = np.abs(np.cumsum(came) - expected)
    # What was expected to be nothing and is not was off by all of it, at a moment that cannot be measured.
    return np.divide(off, measure, out=np.where(off > 0, 1.0, 0.0), where=measure > 0)


def _widths(off: Values, apart: float) -> dict[int, float]:
    """How far is far, for each level, by how far they were off, at moments worth so many that do not overlap."""
    from scipy import special

    found: dict[int, float] = {}
    for percent in LEVELS:
        within = (1 + percent / 100) / 2
        normal = float(special.ndtri(within))
        unknown = _UNKNOWN * normal
        if not len(off):
            found[percent] = unknown
            continue
        rank = min(np.ceil((len(off) + 1) * percent / 100), len(off))
        wider = float(special.stdtrit(max(apart, 1.0) + 1, within)) / normal
        seen = float(np.sort(off)[int(rank) - 1]) * wider
        found[percent] = (apart * seen + _WORTH * unknown) / (apart + _WORTH) if apart < 2 else seen
    found[95] = max(found[95], _TAIL * found[80])
    return found
