"""One detector of one series: its scorers, one decision rule on top, and a memory that does not grow."""

from __future__ import annotations

from math import isfinite
from typing import Final, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.detectors.judgement import SEVERITIES, Judgement, Severity
from spendgraph_anomaly.detectors.ongoing import Ongoing
from spendgraph_anomaly.detectors.packing import pack, unpack
from spendgraph_anomaly.detectors.pooling import USUAL, Prior
from spendgraph_anomaly.detectors.scoring import BLOCK_S, Scored, Scoring
from spendgraph_anomaly.detectors.settings import Settings
from spendgraph_anomaly.scorers.past import DAY_S

Floats = NDArray[np.float64]

HOUR_S: Final = 3600
SHORTEST_S: Final = 300
SPEND: Final = Settings()
RECORD: Final = 1.1
"""What the dollars of an hour must exceed the past's highest hour by, to page whatever the score."""


class Detector:
    """Judges a series bin by bin, each by those before it, at a cost and with a memory that do not grow.

    Bins come in order and without a gap; who has nothing for one observes 0. It does not know which series it judges, and does not read any ledger.

    Args:
        every_s: Seconds of a bin, 300 to 86,400.
        zone: Whose days and hours are meant.
        settings: When it is an alert.
        prior: What it is taken for until it has a past: `pool` makes it of siblings.
        name: Of the series; detectors of other names fit their seasons at other times, so that not all do it in one tick.

    Raises:
        ValueError: `every_s` is out of its bounds, or there is no such zone.
    """

    def __init__(
        self,
        every_s: int,
        zone: str = "UTC",
        settings: Settings = SPEND,
        *,
        prior: Prior = USUAL,
        name: str = "",
    ) -> None:
        if not SHORTEST_S <= every_s <= DAY_S:
            raise ValueError(f"every_s is {every_s!r}; it must be from {SHORTEST_S} to {DAY_S} seconds")
        self.every_s: Final = every_s
        self.zone: Final = zone
        self.settings: Final = settings
        self.prior: Final = prior
        self.name: Final = name
        self._per_hour: Final = max(1, round(HOUR_S / every_s))
        self._scoring: Final = Scoring(every_s, zone, settings, prior, crc32(name.encode()))
        self._seen = 0
        self._last_us: int | None = None
        self._ongoing: Ongoing | None = None
        self._surprises: Floats = np.zeros(max(1, round(settings.rearm_h * HOUR_S / BLOCK_S)) + 1)
        self._hours: Floats = np.zeros(28 * DAY_S // BLOCK_S + 1)

    def observe(self, start_us: int, value: float) -> Judgement:
        """Judge the next bin.

        Args:
            start_us: When it begins, microseconds since 1970 UTC; later than the one before.
            value: What it came to: dollars, or whatever the series counts.

        Raises:
            ValueError: The value is not a finite number, or the bin is not later than the one before.
        """
        self._refuse(start_us, value)
        self._last_us = start_us
        scored = self._scoring.score(start_us, value)
        hour = self._scoring.recent.mean(self._per_hour) * self._per_hour
        hour_excess = hour - scored.expected * self._per_hour
        news = scored.surprise > float(self._surprises.max())
        settings = self.settings
        record = 0 < settings.always_per_hour <= hour_excess and hour > RECORD * float(self._hours.max())
        unusual = news and scored.surprise >= settings.threshold and scored.excess >= settings.least_excess
        alert = self._move_on(start_us, value, scored, raised=unusual or record)
        ongoing = self._ongoing
        lost = ongoing.lost if ongoing else max(0.0, value - scored.expected)
        judgement = Judgement(
            start_us=start_us,
            observed=value,
            expected=scored.expected,
            excess=value - scored.expected,
            score=self._score(scored.surprise if news else 0.0, record=record),
            kind="velocity" if record and not unusual else scored.kind,
            severity=self._severity(lost),
            alert=alert,
            abstained=scored.abstained,
            may_suspend=ongoing is not None and self._may_suspend(ongoing, hour_excess, record=record),
            surprise=scored.surprise,
            ongoing=ongoing is not None,
            lost=lost,
        )
        self._learn(value, scored, hour)
        return judgement

    def tails(self) -> Prior | None:
        """What its own past is like, for `pool`; none before two days were seen, or where no money is counted."""
        return self._scoring.tails()

    def state(self) -> bytes:
        """Everything it has learned, to go on from with `restore`."""
        plain = {
            "every_s": self.every_s,
            "zone": self.zone,
            "settings": self.settings.as_plain(),
            "prior": self.prior.as_plain(),
            "name": self.name,
            "seen": self._seen,
            "last_us": self._last_us,
            "ongoing": self._ongoing and self._ongoing.as_plain(),
        }
        return pack(plain, {"surprises": self._surprises, "hours": self._hours, **self._scoring.arrays()})

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """The detector that was in this state.

        Args:
            state: From `state`.

        Raises:
            ValueError: The bytes are no state, a damaged one, or one of another version.
        """
        plain, arrays = unpack(state)
        found = cls(
            plain["every_s"],
            plain["zone"],
            Settings.of_plain(plain["settings"]),
            prior=Prior.of_plain(plain["prior"]),
            name=plain["name"],
        )
        found._seen, found._last_us = plain["seen"], plain["last_us"]
        found._ongoing = Ongoing.of_plain(plain["ongoing"]) if plain["ongoing"] else None
        found._surprises, found._hours = arrays["surprises"], arrays["hours"]
        found._scoring.learn_arrays(arrays)
        return found

    def _refuse(self, start_us: int, value: float) -> None:
        if not isfinite(value):
            raise ValueError(
                f"the bin at {start_us} has the value {value!r}; it must be a finite number (a bin of nothing is 0)"
            )
        if self._last_us is not None and start_us <= self._last_us:
            raise ValueError(
                f"the bin at {start_us} is not later than the one before, at {self._last_us}; "
                "bins come in order, each once"
            )

    def _move_on(self, start_us: int, value: float, scored: Scored, *, raised: bool) -> bool:
        """Open, continue or end the incident; whether somebody is to be told."""
        if self._ongoing is None:
            if raised:
                lost = max(scored.excess, value - scored.expected, 0.0)
                rank = SEVERITIES.index(self._severity(lost))
                self._ongoing = Ongoing(
                    began_us=start_us,
                    told_us=start_us,
                    seen_us=start_us,
                    lost=lost,
                    surprise=scored.surprise,
                    told_surprise=scored.surprise,
                    told_severity=rank,
                )
            return raised
        ongoing = self._ongoing
        unusual = raised or scored.surprise >= self.settings.threshold / 2
        ongoing.go_on(start_us, value - scored.expected, scored.surprise, unusual=unusual)
        rank = SEVERITIES.index(self._severity(ongoing.lost))
        told = raised and ongoing.tell(start_us, scored.surprise, rank, self.settings.resend_h)
        if ongoing.over(start_us):
            self._ongoing = None
        return told

    def _learn(self, value: float, scored: Scored, hour: float) -> None:
        """Remember the bin. Of money, what an unusual one exceeded the usual by is forgotten: an incident must not become its own measure."""
        unusual = self._ongoing is not None or scored.surprise >= self.settings.threshold
        usual = value
        if unusual and scored.highest is not None:
            usual = min(value, max(scored.highest, scored.expected))
        self._scoring.learn(usual)
        block = self._seen // self._scoring.block
        for ring, newest in ((self._surprises, scored.surprise), (self._hours, hour)):
            place = block % len(ring)
            if self._seen % self._scoring.block == 0:
                ring[place] = 0.0
            ring[place] = max(ring[place], newest)
        self._seen += 1

    def _score(self, surprise: float, *, record: bool) -> float:
        """0 to 1; a half is where an alert begins."""
        threshold = max(self.settings.threshold, 1e-9)
        likely = float(0.5 ** (surprise / threshold))
        return max(1 - likely, 0.99 if record else 0.0)

    def _severity(self, lost: float) -> Severity:
        if lost >= self.settings.high:
            return "high"
        return "medium" if lost >= self.settings.medium else "low"

    def _may_suspend(self, ongoing: Ongoing, per_hour: float, *, record: bool) -> bool:
        settings = self.settings
        return (
            (record or ongoing.surprise >= settings.suspend_threshold)
            and ongoing.lost >= settings.suspend_lost
            and per_hour >= settings.suspend_per_hour
        )
