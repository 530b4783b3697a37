"""The numbers a bin is judged by: windows against the same time of other days, and how long that has been going on.

Money comes in bursts: one hour of real LLM traffic is ten times the next. So a number is a ratio on a logarithmic scale, with the series' own mean added on both
sides (an hour of nothing is no division by zero), and an hour is compared with the highest that the last seven days had around the same time, six hours with the
highest of four weeks. How long it has been going on is a mean of such ratios that are cut off on both sides: one great burst does not carry it, many hours of half as much again do.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.scorers.past import DAY_S, Past
from spendgraph_anomaly.scorers.running import Running

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR_S: Final = 3600
Reference = Literal["highest", "around", "record"]
"""The highest of the same time of the last days; of an hour more on both sides; or of any time of four weeks."""


class Ratio(NamedTuple):
    """A window against a reference; `offset` is the share of the series' mean that is added on both sides."""

    window_s: int
    reference: Reference
    offset: float


class Lasting(NamedTuple):
    """The mean, over `over_s`, of an hour's ratio that is cut off at `cut` on both sides."""

    over_s: int
    reference: Reference
    offset: float
    cut: float


RATIOS: Final = (
    Ratio(HOUR_S, "around", 0.3),
    Ratio(HOUR_S, "highest", 1.0),
    Ratio(6 * HOUR_S, "record", 1.0),
)
LASTING: Final = (
    Lasting(6 * HOUR_S, "around", 1.0, 1.0),
    Lasting(12 * HOUR_S, "around", 1.0, 1.0),
)
USUAL_STARTS: Final = (0.40, 0.41, 0.0, 0.2, 0.1)
USUAL_SCALES: Final = (0.59, 0.42, 0.2, 0.3, 0.2)
"""Where the tail of each number begins and its scale, as about three of four real LLM tenants have them or less: what a new tenant is taken for."""

BLOCK_S: Final = 6 * HOUR_S
BLOCKS: Final = 4 * 28


class Reading(NamedTuple):
    """What one bin is judged by.

    Attributes:
        numbers: One for each of `RATIOS` and of `LASTING`; minus infinity where no day before is known.
        mean: The mean bin of the last month.
        usual: The mean bin of the last days' same hour; none where no day before is known.
        highest: That of the highest hour around the same time of those days.
    """

    numbers: Floats
    mean: float
    usual: float | None
    highest: float | None


class Evidence:
    """The numbers of one series of money.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self._windows: Final = np.array(
            [max(1, round(each.window_s / every_s)) for each in RATIOS], dtype=np.int64
        )
        self._hour: Final = round(HOUR_S / every_s)
        self._month: Final = 31 * max(1, round(DAY_S / every_s))
        self.block: Final = max(1, round(BLOCK_S / every_s))
        self.running = Running(tuple(max(1, round(each.over_s / every_s)) for each in LASTING))
        self.records: Floats = np.full((BLOCKS + 1, len(RATIOS)), -np.inf)
        """The highest mean of each window in each six hours, in a ring's order."""

    def learn(self, usual: Past) -> None:
        """The newest bin of `usual` is past now."""
        place = (usual.seen - 1) // self.block % len(self.records)
        if (usual.seen - 1) % self.block == 0:
            self.records[place] = -np.inf
        means = usual.means(np.zeros(1, dtype=np.int64), self._windows)[0]
        self.records[place] = np.fmax(self.records[place], means)

    def read(self, recent: Past, usual: Past, days: Ints, least_mean: float) -> Reading:
        """What the newest bin of `recent` is judged by.

        Args:
            recent: The series as it was, with the bin that is judged as its newest.
            usual: The series without its incidents, up to the bin before.
            days: How many bins ago the same time of the last days was.
            least_mean: What the series' mean is taken for, at least.
        """
        mean = max(usual.mean(self._month), least_mean, 1e-12)
        now = np.maximum(recent.means(np.zeros(1, dtype=np.int64), self._windows)[0], 0.0)
        lags = np.concatenate([days, days - self._hour, days + self._hour]) - 1
        means = usual.means(lags, self._windows)
        has_mean: NDArray[np.bool_] = means == means  # noqa: PLR0124 - what is not a number is not itself; the quickest way to ask
        around = np.where(has_mean & (means > 0), means, 0.0)
        same, known = around[: len(days)], has_mean[: len(days)]
        seen: NDArray[np.bool_] = np.any(known, axis=0)
        references: dict[Reference, Floats] = {
            "highest": same.max(axis=0),
            "around": around.max(axis=0),
            "record": np.maximum(self.records.max(axis=0), 0.0),
        }
        numbers = [
            _ratio(now[place], references[each.reference][place], each.offset * mean)
            if seen[place]
            else -np.inf
            for place, each in enumerate(RATIOS)
        ]
        hour = [
            min(max(_ratio(now[0], references[each.reference][0], each.offset * mean), -each.cut), each.cut)
            if seen[0]
            else 0.0
            for each in LASTING
        ]
        lasting = self.running.add(np.array(hour))
        return Reading(
            numbers=np.concatenate([numbers, lasting if seen[0] else np.full(len(LASTING), -np.inf)]),
            mean=mean,
            usual=float(same[:, 0].sum() / known[:, 0].sum()) if seen[0] else None,
            highest=float(references["around"][0]) if seen[0] else None,
        )


def _ratio(now: float, usual: float, offset: float) -> float:
    return float(np.log((offset + now) / (offset + usual)))
