"""What a history is made from: how long, until when, how much, where, and the seed of all its chance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spendgraph.clock import to_us

SHORTEST: Final = 7
LONGEST: Final = 730

_DURATION: Final = re.compile(r"(\d{1,4})([dw])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a history is made from; equal parameters make equal ledgers.

    Attributes:
        end: The first day after the history, in its time zone.
        days: How many days it has, 7 to 730: every planted event needs a weekend.
        seed: The seed of all its chance.
        timezone: Where the people are that work, sleep and have a weekend.
        tenants: How many customers there are, 20 to 500.
        scale: Traffic and budgets beside the usual ones; 1 is about 1,600 steps a day.
        growth: How much more traffic there is after 30 days; 0.12 is 12 percent.

    Raises:
        ValueError: One of them is out of its range.
    """

    end: date
    days: int = 90
    seed: int = 7
    timezone: str = "Europe/Berlin"
    tenants: int = 40
    scale: float = 1.0
    growth: float = 0.12

    def __post_init__(self) -> None:
        if not SHORTEST <= self.days <= LONGEST:
            raise ValueError(f"days: expected {SHORTEST} to {LONGEST}, found {self.days}")
        if not 20 <= self.tenants <= 500:
            raise ValueError(f"tenants: expected 20 to 500, found {self.tenants}")
        if not 0.01 <= self.scale <= 100:
            raise ValueError(f"scale: expected 0.01 to 100, found {self.scale}")
        if not -0.5 <= self.growth <= 2:
            raise ValueError(f"growth: expected -0.5 to 2, found {self.growth}")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"timezone: expected a name such as Europe/Berlin, found {self.timezone!r}"
            ) from None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    @property
    def first(self) -> date:
        """The first day."""
        return self.end - timedelta(days=self.days)

    def day(self, number: int) -> date:
        """A day by its number, from 0."""
        return self.first + timedelta(days=number)

    def at(self, number: int, hour: float = 0) -> int:
        """A time of a day by the clock on the wall, in microseconds UTC."""
        day = self.day(number)
        whole = int(hour)
        minute = round((hour - whole) * 60)
        return to_us(datetime(day.year, day.month, day.day, whole, minute, tzinfo=self.zone))


def days_of(duration: str) -> int:
    """The days of a duration such as `90d` or `12w`.

    Raises:
        ValueError: It is not one.
    """
    found = _DURATION.fullmatch(duration.strip().lower())
    if found is None:
        raise ValueError(f"expected days or weeks such as 90d or 12w, found {duration!r}")
    return int(found[1]) * (7 if found[2] == "w" else 1)
