"""When people work: the share of a day's traffic by hour and by weekday, by the clock on the wall."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.clock import to_us

if TYPE_CHECKING:
    from datetime import date
    from random import Random
    from zoneinfo import ZoneInfo

from datetime import datetime

_HOURS: Final = range(24)


class Rhythm(NamedTuple):
    """Traffic by hour (24 weights) and by weekday from Monday (7 factors, 1 is a usual workday)."""

    hours: tuple[float, ...]
    weekdays: tuple[float, ...]

    def moment(self, rng: Random, day: date, zone: ZoneInfo) -> int:
        """A time of a day, in microseconds UTC; on Mondays the morning is busier."""
        hours = self.hours
        if day.weekday() == 0:
            hours = tuple(weight * (1.6 if 7 <= hour < 11 else 1) for hour, weight in enumerate(hours))
        hour = rng.choices(_HOURS, cum_weights=list(accumulate(hours)))[0]
        second = rng.randrange(3600)
        at = datetime(day.year, day.month, day.day, hour, second // 60, second % 60, tzinfo=zone)
        return to_us(at) + rng.randrange(1_000_000)


OFFICE: Final = Rhythm(
    (0, 0, 0, 0, 0, 0, 1, 4, 9, 12, 13, 11, 7, 9, 11, 10, 8, 5, 2, 1, 1, 0.5, 0.2, 0.1),
    (1.12, 1.05, 1.0, 1.0, 0.88, 0.08, 0.06),
)
"""People at their desks."""

AROUND_THE_CLOCK: Final = Rhythm(
    (1, 0.6, 0.4, 0.3, 0.4, 1, 2, 4, 7, 8, 8, 8, 7, 7, 8, 8, 8, 8, 8, 7, 6, 5, 3, 2),
    (1.08, 1.0, 1.0, 1.0, 1.0, 0.55, 0.45),
)
"""Customers who write when they like."""

NIGHTLY: Final = Rhythm(
    (1, 8, 10, 6, 2, 0.5, *([0.1] * 18)),
    (0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5),
)
"""Jobs that run while nobody looks."""

MONDAY_MORNING: Final = Rhythm(
    (0, 0, 0, 0, 2, 8, 8, 2, *([0] * 16)),
    (1.0, 0, 0, 0, 0, 0, 0),
)
"""What is ready when the week begins."""

AFTERNOON: Final = Rhythm(
    (*([0] * 12), 1, 3, 4, 4, 3, 2, 1, *([0] * 5)),
    (0.8, 1.0, 1.0, 1.0, 1.2, 0, 0),
)
"""What developers start after lunch."""
