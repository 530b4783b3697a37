"""One detector of one series: scorers of several windows, one decision rule, and a memory that does not grow."""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.detectors.judgement import Judgement, Kind, Severity
from spendgraph_anomaly.detectors.packing import pack, unpack
from spendgraph_anomaly.detectors.settings import Settings
from spendgraph_anomaly.scorers.past import DAY_S, Past
from spendgraph_anomaly.scorers.tails import BLOCK_S, Tails

HOUR_S: Final = 3600
REARM_BLOCKS: Final = 12
LEARNING: Final = "less than two days were seen"

Floats = NDArray[np.float64]
SPEND: Final = Settings()


class Detector:
    """Judges a series bin by bin, each by those before it.

    Args:
        every_s: Seconds of a bin, 300 to 86,400.
        zone: Whose days and hours are meant.
        settings: When it is an alert.

    Raises:
        ValueError: `every_s` is out of its bounds.
    """

    def __init__(self, every_s: int, zone: str = "UTC", settings: Settings = SPEND) -> None:
        if not 300 <= every_s <= DAY_S:
            raise ValueError(f"every_s is {every_s!r}; it must be from 300 to {DAY_S} seconds")
        self.every_s: Final = every_s
        self.zone: Final = zone
        self.settings: Final = settings
        self._per_day: Final = max(1, round(DAY_S / every_s))
        self._per_hour: Final = max(1, round(HOUR_S / every_s))
        self._block: Final = max(1, round(BLOCK_S / every_s))
        self._past = Past(every_s)
        self._tails = Tails(len(self._past.windows), self._block, prior=0.4, prior_weight=4, least=0.02)
        self._recent: Floats = np.zeros(REARM_BLOCKS)
        self._block_surprise = 0.0
        self._hours: Floats = np.zeros(28 * 4)
        self._block_hour = 0.0
        self._last_us = -1
        self._incident: dict[str, Any] = {}

    def observe(self, start_us: int, value: float) -> Judgement:
        """Judge the next bin.

        Args:
            start_us: When it begins, microseconds since 1970 UTC; later than the one before.
            value: What it came to: dollars, or whatever the series counts.

        Raises:
            ValueError: The value is not a finite number, or the bin is not later than the one before.
        """
        if not np.isfinite(value):
            raise ValueError(
                f"the bin at {start_us} has the value {value!r}; it must be a finite number (an empty bin is 0)"
            )
        if start_us <= self._last_us:
            raise ValueError(
                f"the bin at {start_us} is not later than the one before, at {self._last_us}: bins come in order, each once"
            )
        self._last_us = start_us
        past = self._past
        hour_before = past.mean(7 * self._per_day)
        past.add(value)
        lags = np.arange(0, 8, dtype=np.int64) * self._per_day
        means = past.means(lags)
        now = means[0]
        known = np.isfinite(means[1:])
        usual = np.where(
            known.any(axis=0), np.nansum(means[1:], axis=0) / np.maximum(known.sum(axis=0), 1), np.nan
        )
        unit = max(past.mean(31 * self._per_day), 1e-12)
        numbers = np.log((unit + np.maximum(now, 0)) / (unit + np.maximum(usual, 0)))
        surprises = self._tails.surprise(numbers)
        self._tails.add(numbers)
        first = int(np.argmax(surprises))
        surprise = float(np.nan_to_num(surprises[first]))
        learning = past.seen <= 2 * self._per_day
        news = surprise > max(float(self._recent.max()), self._block_surprise)
        expected = float(usual[0]) if np.isfinite(usual[0]) else hour_before
        expected = 0.0 if past.seen == 1 else expected
        hour = past.mean(self._per_hour) * self._per_hour
        hourly = expected * self._per_hour
        window_excess = float(np.nan_to_num(now[first] - usual[first])) * past.windows[first]
        always = 0 < self.settings.always_per_hour <= hour - hourly and hour > 1.1 * max(
            float(self._hours.max()), self._block_hour
        )
        crossed = news and surprise >= self.settings.threshold and window_excess >= self.settings.least_excess
        alert = crossed or always
        judged = self._judge(start_us, value, expected, surprise, window_excess, alert, hour - hourly)
        score = 1 - np.exp(-surprise) if news else 0.0
        self._remember(surprise, hour)
        return Judgement(
            start_us=start_us,
            observed=value,
            expected=expected,
            excess=value - expected,
            score=max(float(score), 0.99 if always else 0.0),
            kind="velocity" if always and not crossed else self._kind(first, surprise, expected, unit),
            severity=self._severity(judged["lost"]),
            alert=alert and judged["send"],
            abstained=LEARNING if learning else "",
            may_suspend=judged["suspend"],
            surprise=surprise,
            ongoing=judged["ongoing"],
            lost=judged["lost"],
        )

    def _judge(
        self,
        start_us: int,
        value: float,
        expected: float,
        surprise: float,
        excess: float,
        alert: bool,
        per_hour: float,
    ) -> dict[str, Any]:
        """Move the incident on by one bin."""
        open_now = self._incident
        if not open_now and not alert:
            return {"lost": max(0.0, value - expected), "send": False, "suspend": False, "ongoing": False}
        if not open_now:
            self._incident = open_now = {
                "lost": max(excess, value - expected),
                "sent": start_us,
                "last": start_us,
                "top": surprise,
            }
            send = True
        else:
            open_now["lost"] += max(0.0, value - expected)
            open_now["top"] = max(open_now["top"], surprise)
            send = alert and start_us - open_now["sent"] >= BLOCK_S * 1_000_000
            if send:
                open_now["sent"] = start_us
            if surprise >= self.settings.threshold / 2:
                open_now["last"] = start_us
        lost = float(open_now["lost"])
        suspend = (
            open_now["top"] >= self.settings.suspend_threshold
            and lost >= self.settings.suspend_lost
            and per_hour >= self.settings.suspend_per_hour
        )
        if start_us - open_now["last"] >= BLOCK_S * 1_000_000:
            self._incident = {}
            return {"lost": lost, "send": False, "suspend": False, "ongoing": False}
        return {"lost": lost, "send": send, "suspend": suspend, "ongoing": True}

    def _kind(self, window: int, surprise: float, expected: float, unit: float) -> Kind:
        if surprise <= 0:
            return "none"
        length = self._past.windows[window] * self.every_s
        if length >= 3 * DAY_S:
            return "drift"
        if length >= DAY_S:
            return "shift"
        return "off-hours" if expected < 0.1 * unit else "spike"

    def _severity(self, lost: float) -> Severity:
        if lost >= self.settings.high:
            return "high"
        return "medium" if lost >= self.settings.medium else "low"

    def _remember(self, surprise: float, hour: float) -> None:
        self._block_surprise = max(self._block_surprise, surprise)
        self._block_hour = max(self._block_hour, hour)
        if self._past.seen % self._block == 0:
            block = self._past.seen // self._block - 1
            self._recent[block % REARM_BLOCKS] = self._block_surprise
            self._hours[block % len(self._hours)] = self._block_hour
            self._block_surprise = self._block_hour = 0.0

    def state(self) -> bytes:
        """Everything it has learned, to go on from with `restore`."""
        plain = {
            "every_s": self.every_s,
            "zone": self.zone,
            "settings": self.settings.as_plain(),
            "seen": self._past.seen,
            "tails_seen": self._tails.seen,
            "last_us": self._last_us,
            "block_surprise": self._block_surprise,
            "block_hour": self._block_hour,
            "incident": self._incident,
        }
        return pack(
            plain,
            {
                "sums": self._past.sums,
                "maxima": self._tails.maxima,
                "open": self._tails.open,
                "recent": self._recent,
                "hours": self._hours,
            },
        )

    @classmethod
    def restore(cls, state: bytes, settings: Settings | None = None) -> Self:
        """The detector that was in this state.

        Args:
            state: From `state`.
            settings: When it is an alert, where it is to be judged by others than those it was made with.

        Raises:
            ValueError: The bytes are no state of this version.
        """
        plain, arrays = unpack(state)
        found = cls(
            int(plain["every_s"]), str(plain["zone"]), settings or Settings.of_plain(plain["settings"])
        )
        found._past.seen, found._past.sums = int(plain["seen"]), arrays["sums"]
        found._tails.seen = int(plain["tails_seen"])
        found._tails.maxima, found._tails.open = arrays["maxima"], arrays["open"]
        found._tails.fit()
        found._recent, found._hours = arrays["recent"], arrays["hours"]
        found._last_us = int(plain["last_us"])
        found._block_surprise, found._block_hour = float(plain["block_surprise"]), float(plain["block_hour"])
        found._incident = plain["incident"]
        return found
