"""A period: from a start to before an end, in microseconds, either of which may be open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from spendgraph.clock import iso, to_us

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch of time: a step belongs to it by its start, since <= start < until.

    >>> Period.month("2026-08").text
    '2026-08-01T00:00:00Z to 2026-09-01T00:00:00Z'
    """

    since_us: int | None = None
    until_us: int | None = None

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins."""
        if self.since_us is not None and self.until_us is not None and self.until_us <= self.since_us:
            raise ValueError(f"expected a period that ends after it begins, found {self.text}")

    def __contains__(self, moment_us: int) -> bool:
        """Whether what starts at that moment belongs to it."""
        return (self.since_us is None or self.since_us <= moment_us) and (
            self.until_us is None or moment_us < self.until_us
        )

    @classmethod
    def month(cls, text: str, zone: str = "UTC") -> Period:
        """A calendar month such as `2026-08`.

        Raises:
            ValueError: The text names no month, or the zone no time zone.
        """
        match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
        if match is None or match[1] == "0000":
            raise ValueError(f"expected a month such as 2026-08, found {text!r}")
        first = date(int(match[1]), int(match[2]), 1)
        following = (first + timedelta(days=31)).replace(day=1)
        return cls(midnight(first, zone), midnight(following, zone))

    @classmethod
    def between(cls, since: str | None, until: str | None, zone: str = "UTC") -> Period:
        """From a date or time to before another; a date is its midnight in the zone.

        Raises:
            ValueError: A text is neither a date nor a time with an offset.
        """
        return cls(_moment(since, zone), _moment(until, zone))

    @classmethod
    def days(cls, first: date, to: date | None = None, zone: str = "UTC") -> Period:
        """From a day to before another, from midnight to midnight in the zone, however long its days are.

        Raises:
            ValueError: The second day is not after the first, or the zone no time zone.
        """
        return cls(midnight(first, zone), None if to is None else midnight(to, zone))

    @property
    def whole_days(self) -> bool:
        """Whether it begins and ends at midnight UTC."""
        return not any(bound is not None and bound % DAY_US for bound in (self.since_us, self.until_us))

    @property
    def since(self) -> str | None:
        """The start as ISO text in UTC."""
        return None if self.since_us is None else iso(self.since_us)

    @property
    def until(self) -> str | None:
        """The end as ISO text in UTC; it is not in the period."""
        return None if self.until_us is None else iso(self.until_us)

    @property
    def text(self) -> str:
        """Both ends, for people."""
        return f"{self.since or 'the beginning'} to {self.until or 'now'}"


def midnight(day: date, zone: str = "UTC") -> int:
    """When a day begins in a time zone.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return to_us(datetime.combine(day, time(), ZoneInfo(zone)))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"expected a time zone such as Europe/Berlin, found {zone!r}") from error


def _moment(text: str | None, zone: str) -> int | None:
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return midnight(date.fromisoformat(text), zone)
        return to_us(datetime.fromisoformat(text))
    except ValueError as error:
        raise ValueError(
            f"expected a date such as 2026-08-01, or a time with an offset such as 2026-08-01T06:00:00Z, found {text!r}"
        ) from error
