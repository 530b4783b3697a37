"""The windows of a budget: half-open spans of time, each with a counter of its own, so that nothing is ever reset."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us, to_us
from spendgraph.ledger.asks import ROLLING_PARTS
from spendgraph.policy.periods import rolling_us

if TYPE_CHECKING:
    from spendgraph.policy import Budget

_HOUR_US: Final = 3_600_000_000


class Window(NamedTuple):
    """A span of time in microseconds UTC, from `start_us` up to but not including `end_us`; `None`: for ever.

    `since_us` is the start of the oldest window that counts with it, for a rolling budget; else `None`.
    """

    start_us: int
    end_us: int | None
    since_us: int | None = None


_FOR_EVER: Final = Window(0, None)


def window_at(budget: Budget, at_us: int) -> Window:
    """The window of a budget at a time; see `span_at`."""
    return span_at(budget.period or "total", budget.timezone, at_us)


def span_at(period: str, timezone: str, at_us: int) -> Window:
    """The window of a period at a time.

    Hours are UTC's. Longer calendar periods begin at midnight in the budget's zone, weeks on Monday, so that a day
    may have 23 or 25 hours.
    Of a rolling period the oldest window counts whole: what is counted is never less than the period's.
    """
    if period == "total":
        return _FOR_EVER
    if length_us := rolling_us(period):
        part_us = length_us // ROLLING_PARTS
        start_us = at_us - at_us % part_us
        return Window(start_us, start_us + part_us, start_us - ROLLING_PARTS * part_us)
    if period == "hour":
        start_us = at_us - at_us % _HOUR_US
        return Window(start_us, start_us + _HOUR_US)
    zone = ZoneInfo(timezone)
    first, last = _days(period, from_us(at_us).astimezone(zone).date())
    return Window(_midnight_us(first, zone), _midnight_us(last, zone))


def _days(period: str, today: date) -> tuple[date, date]:
    """The first day of a calendar period, and the first after it."""
    if period == "day":
        return today, today + timedelta(days=1)
    if period == "week":
        monday = today - timedelta(days=today.weekday())
        return monday, monday + timedelta(days=7)
    months = 1 if period == "month" else 3
    number = today.year * 12 + (today.month - 1) // months * months
    return _first_of(number), _first_of(number + months)


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _midnight_us(day: date, zone: ZoneInfo) -> int:
    """The first moment of a day; where clocks are set forward at midnight, that is one o'clock."""
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))
