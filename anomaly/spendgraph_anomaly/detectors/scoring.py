"""The scorers of one series together: what they make of a bin, and what they have learned."""

from __future__ import annotations

from math import expm1, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.detectors.judgement import Kind
from spendgraph_anomaly.detectors.packing import Arrays
from spendgraph_anomaly.detectors.pooling import Prior
from spendgraph_anomaly.detectors.settings import Settings
from spendgraph_anomaly.scorers.calendar import Calendar
from spendgraph_anomaly.scorers.evidence import LASTING, RATIOS, Evidence
from spendgraph_anomaly.scorers.levels import Levels
from spendgraph_anomaly.scorers.past import DAY_S, Past, bins_kept
from spendgraph_anomaly.scorers.season import fit
from spendgraph_anomaly.scorers.tails import Tails
from spendgraph_anomaly.scorers.weekdays import Weekdays

Floats = NDArray[np.float64]

BLOCK_S: Final = 6 * 3600
SEASON_DAYS: Final = 28
GENERATION_DAYS: Final = 28
METRIC_GENERATION_DAYS: Final = 112
"""A metric is ranked among a longer past: it has two scorers a side, money five."""

LEAST_GENERATION: Final = 112

WEEKDAY_SURPRISE: Final = 8.0
"""The surprise of a weekday that is as much as the threshold is for the others."""

LEVEL_WEIGHTS: Final = np.array([2 / 3, 1 / 3])
"""Of a metric's bin and of its hour."""

DRIFT: Final = 0.4
"""The mean of many hours' ratios below which it is a drift: each is at most half as much again."""

OFF_HOURS: Final = 0.25
"""An hour is off-hours that usually is less than this share of the mean."""


class Scored(NamedTuple):
    """What the scorers make of a bin.

    Attributes:
        surprise: How unusual it is, in units in which the settings' threshold is meant.
        expected: What the bin was expected to come to.
        kind: What is unusual most.
        excess: Dollars above the expected, in the window that is unusual most; of a metric how far it is from the expected.
        highest: What a bin at this time came to at most; none where nobody knows.
        abstained: Why nothing can be said; empty where it can.
    """

    surprise: float
    expected: float
    kind: Kind
    excess: float
    highest: float | None
    abstained: str


class Scoring:
    """All scorers of one series.

    Args:
        every_s: Seconds of a bin.
        zone: Whose days and hours are meant.
        settings: What is counted, and on which holidays.
        prior: What tails of money are taken for before anything was seen.
        turn: At which bin of a day its season is fitted; other series have other turns.
    """

    def __init__(self, every_s: int, zone: str, settings: Settings, prior: Prior, turn: int) -> None:
        self._every_s: Final = every_s
        self._settings: Final = settings
        self._per_day: Final = max(1, round(DAY_S / every_s))
        self._turn: Final = turn % self._per_day
        self.block: Final = max(1, round(BLOCK_S / every_s))
        self._calendar: Final = Calendar(every_s, zone, settings.holidays)
        self.recent: Final = Past(max(self._per_day, 2))
        self.usual: Final = Past(bins_kept(every_s))
        self._evidence: Final = Evidence(every_s)
        self._levels: Final = Levels(every_s)
        self._weekdays: Final = Weekdays(every_s)
        self._tails: Final = (
            _money_tails(every_s, self.block, prior)
            if settings.counts == "money"
            else _metric_tails(every_s, self.block)
        )
        self._weekday_tails: Final = _weekday_tails(every_s, self.block)
        self.season: Floats = np.zeros(0)
        """What each hour of a day (each day of a week, of days) is expected to come to, in bins, from when it was fitted on."""
        self.season_at = 0
        """How many bins were seen when it was fitted."""
        self._numbers: Floats = np.zeros(0)
        self._weekday_number: Floats = np.zeros(0)

    def score(self, start_us: int, value: float) -> Scored:
        """What the next bin is, by those before it."""
        self.recent.add(value)
        if self._settings.counts == "metric":
            return self._score_metric(value)
        return self._score_money(start_us, value)

    def learn(self, usual: float) -> None:
        """Add the bin that was just scored to the past.

        Its numbers count among those that were seen whatever it was: who does the same every night is told of less and less.

        Args:
            usual: What the bin counts for in what is usual.
        """
        self.usual.add(usual)
        self._evidence.learn(self.usual)
        if self._numbers[0] > -np.inf:
            self._tails.add(self._numbers)
        if self._weekday_number[0] > -np.inf:
            self._weekday_tails.add(self._weekday_number)
        if self.usual.seen % self._per_day == self._turn:
            self._fit_season()

    def _score_money(self, start_us: int, value: float) -> Scored:
        least_mean = self._settings.least_excess / self._per_day
        reading = self._evidence.read(self.recent, self.usual, self._calendar.days(start_us), least_mean)
        ratio, usual_day = self._weekdays.number(
            self.recent, self.usual, self._calendar.weeks(start_us), reading.mean
        )
        self._numbers, self._weekday_number = reading.numbers, np.array([ratio])
        each = self._tails.surprise(self._numbers)
        logs = np.log1p(each)
        together = expm1(sqrt(float(logs @ logs) / len(logs)))  # several that agree count, and one alone
        weekday = float(self._weekday_tails.surprise(self._weekday_number)[0])
        of_weekday = weekday / WEEKDAY_SURPRISE * self._settings.threshold
        expected = self._expected(reading.usual)
        if self._every_s >= DAY_S and usual_day is not None:
            expected = usual_day
        if of_weekday > together:
            kind: Kind = "shift"
            window, usual = self._per_day, usual_day or 0.0
        else:
            first = int(np.argmax(each))
            kind, window = self._kind(first, together, reading.usual, reading.mean)
            usual = reading.usual or 0.0
        return Scored(
            surprise=max(together, of_weekday),
            expected=expected,
            kind=kind,
            excess=max((self.recent.mean(window) - usual) * window, value - expected),
            highest=reading.highest,
            abstained=self._abstained(),
        )

    def _score_metric(self, value: float) -> Scored:
        self._numbers = self._levels.numbers(self.recent, value)
        self._weekday_number = np.array([-np.inf])
        each = np.expm1(np.log1p(self._tails.surprise(self._numbers)).reshape(2, 2) @ LEVEL_WEIGHTS)
        expected = self._expected(None)
        kind: Kind = "none" if each.max() <= 0 else "spike" if each[0] >= each[1] else "drop"
        return Scored(float(each.max()), expected, kind, abs(value - expected), None, self._abstained())

    def _kind(self, first: int, surprise: float, usual: float | None, mean: float) -> tuple[Kind, int]:
        """What is unusual most, and the bins of its window."""
        kind: Kind
        if first >= len(RATIOS):
            window_s = LASTING[first - len(RATIOS)].over_s
            kind = "shift" if self._numbers[first] >= DRIFT else "drift"
        else:
            window_s = RATIOS[first].window_s
            kind = "off-hours" if usual is not None and usual < OFF_HOURS * mean else "spike"
        return kind if surprise > 0 else "none", max(1, round(window_s / self._every_s))

    def _expected(self, usual: float | None) -> float:
        """What the next bin of `usual` is expected to come to."""
        if len(self.season):
            ago = self.usual.seen - self.season_at
            hour = ago // max(1, round(3600 / self._every_s))
            found = float(self.season[hour % len(self.season)])
        elif usual is not None:
            return usual
        else:
            found = self.usual.mean(self._per_day)
        return max(found, 0.0) if self._settings.counts == "money" else found

    def _fit_season(self) -> None:
        """Fit the season anew, on what is usual."""
        hour = max(1, round(3600 / self._every_s))
        if self._every_s >= DAY_S:
            found = fit(self.usual.blocks(1, 8 * 7), 7)
        else:
            per_day = round(self._per_day / hour)
            found = fit(self.usual.blocks(hour, SEASON_DAYS * per_day) / hour, per_day)
        if found is not None:
            self.season = found.profile + found.level
            self.season_at = self.usual.seen

    def _abstained(self) -> str:
        if self._every_s >= DAY_S:
            known = self._weekdays.knows(self.usual)
            return "" if known else "fewer than two weeks were seen: no weekday has a usual yet"
        if not np.isfinite(self._tails.starts).any():
            return "fewer than two days were seen: no hour has a usual yet"
        return ""

    def tails(self) -> Prior | None:
        """The tails of money as they were last read off; none before that."""
        if self._settings.counts != "money" or not np.isfinite(self._tails.starts).all():
            return None
        return Prior(tuple(self._tails.starts.tolist()), tuple(self._tails.scales.tolist()))

    def arrays(self) -> Arrays:
        """What was learned, in arrays."""
        return {
            "recent": self.recent.sums,
            "usual": self.usual.sums,
            "seen": np.array(
                [self.recent.seen, self.usual.seen, self._evidence.running.seen, self.season_at],
                dtype=np.int64,
            ),
            "lasting": self._evidence.running.sums,
            "records": self._evidence.records,
            "season": self.season,
            **_of_tails("tails", self._tails),
            **_of_tails("weekday", self._weekday_tails),
        }

    def learn_arrays(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Know what `arrays` said."""
        self.recent.sums, self.usual.sums = arrays["recent"], arrays["usual"]
        self.recent.seen, self.usual.seen, self._evidence.running.seen, self.season_at = (
            int(each) for each in arrays["seen"]
        )
        self._evidence.running.sums, self._evidence.records = arrays["lasting"], arrays["records"]
        self.season = arrays["season"]
        for name, tails in (("tails", self._tails), ("weekday", self._weekday_tails)):
            tails.tops, tails.counts = arrays[f"{name}_tops"], arrays[f"{name}_counts"]
            tails.waiting = arrays[f"{name}_waiting"]
            tails.learned(arrays[f"{name}_fit"])


def _money_tails(every_s: int, block: int, prior: Prior) -> Tails:
    """Tails of a new tenant's numbers."""
    per_day = max(1, round(DAY_S / every_s))
    return Tails(
        generation=max(GENERATION_DAYS * per_day, LEAST_GENERATION),
        fit_every=block,
        fewest=max(2 * per_day, 14),
        starts=np.array(prior.starts),
        scales=np.array(prior.scales),
        weight=10.0,
        start_weight=5.0 * per_day,
        least=0.01,
    )


def _weekday_tails(every_s: int, block: int) -> Tails:
    per_day = max(1, round(DAY_S / every_s))
    return Tails(
        generation=max(GENERATION_DAYS * per_day, LEAST_GENERATION),
        fit_every=block,
        fewest=2 * per_day if per_day > 1 else 6,
        starts=np.full(1, np.nan),
        scales=np.full(1, 0.2),
        weight=5.0,
        start_weight=0.0,
        least=0.01,
    )


def _metric_tails(every_s: int, block: int) -> Tails:
    """Tails of what is not money, of which nobody knows a scale."""
    per_day = max(1, round(DAY_S / every_s))
    return Tails(
        generation=max(METRIC_GENERATION_DAYS * per_day, LEAST_GENERATION),
        fit_every=block,
        fewest=max(per_day, 14),
        starts=np.full(4, np.nan),
        scales=np.zeros(4),
        weight=0.0,
        start_weight=0.0,
        least=1e-12,
    )


def _of_tails(name: str, tails: Tails) -> Arrays:
    return {
        f"{name}_tops": tails.tops,
        f"{name}_counts": tails.counts,
        f"{name}_waiting": tails.waiting,
        f"{name}_fit": tails.fitted(),
    }
