"""What a forecast reads in the books: days of every cut, what is spent so far, and how much of today is usually left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from spendgraph.clock import from_us
from spendgraph_anomaly.series import series_of
from spendgraph_reports.months import calendar_days, closed
from spendgraph_reports.period import DAY_US, Period, midnight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_reports.books import Books

Tags = tuple[str, ...]

REMEMBERED: Final = 450
"""So many days of the past are read; no model looks further back."""

QUARTER_US: Final = 900_000_000
_RECENT: Final = 28
"""Of so many days it is taken how a day goes and who spends how much of what."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What is known of the cuts of a ledger at a moment.

    Attributes:
        now_us: The moment, at the end of a quarter of an hour.
        today: The day that it lies in, which is not over.
        starts: The days that are over, without a gap; the last is yesterday.
        days: What each cut came to on each of them, in nano-USD; every cut has as many.
        spent_today: What each has come to today.
        left_today: Which share of a day's spending comes after this time of day.
    """

    now_us: int
    today: date
    starts: tuple[date, ...]
    days: Mapping[Tags, NDArray[np.int64]]
    spent_today: Mapping[Tags, int]
    left_today: float

    def spent(self, days: Sequence[date]) -> dict[Tags, int]:
        """What every cut has spent on some days that follow each other, of today so far."""
        first, last = days[0], days[-1]
        on = np.array([first <= day <= last for day in self.starts], dtype=bool)
        return {
            cut: int(values[on].sum()) + (self.spent_today.get(cut, 0) if first <= self.today <= last else 0)
            for cut, values in self.days.items()
        }


def read_past(books: Books, by: Sequence[str], first: date, now_us: int, **filters: Any) -> Past:
    """What is known at a moment; nothing that starts later flows in.

    Args:
        books: The ledger.
        by: Tags and dimensions; each set of their values is a cut.
        first: A day from which on everything is needed.
        now_us: The moment; the quarter of an hour that it lies in counts whole.
        **filters: As in `Books.rows`.
    """
    now = -(-now_us // QUARTER_US) * QUARTER_US
    today = from_us(now).astimezone(ZoneInfo(books.zone)).date()
    begin, end = _first_day(books, first, today), midnight(today, books.zone)
    starts = tuple(begin + timedelta(days=number) for number in range((today - begin).days))
    days: dict[Tags, NDArray[np.int64]] = {}
    if starts:
        past = Period(midnight(begin, books.zone), end)
        for one in series_of(books, by, past, "day", now_us=now, **filters):
            days[tuple(one.tags[name] for name in by)] = one.values
    spent_today: dict[Tags, int] = {}
    if now > end:
        for row in books.rows(by, Period(end, now), sums=("cost_nanousd",), **filters):
            spent_today[tuple(str(row[name]) for name in by)] = row["cost_nanousd"]
    nothing = np.zeros(len(starts), dtype=np.int64)
    everything: list[Tags] = [] if by else [()]
    cuts: dict[Tags, None] = dict.fromkeys([*days, *spent_today, *everything])
    return Past(
        now,
        today,
        starts,
        {cut: days.get(cut, nothing) for cut in cuts},
        spent_today,
        _left_today(books, end, now, **filters),
    )


def recent_rows(books: Books, by: Sequence[str], now_us: int, **filters: object) -> list[dict[str, Any]]:
    """Who has spent how much in the last four weeks: the weights of changes that are about a part of a cut."""
    end = now_us // QUARTER_US * QUARTER_US
    return books.rows(by, Period(end - _RECENT * DAY_US, end), sums=("cost_nanousd",), **filters)


def days_of(period: Period, zone: str) -> tuple[date, ...]:
    """The days of a period.

    Raises:
        ValueError: It is not of whole days.
    """
    first, end = calendar_days(period, zone)
    return tuple(first + timedelta(days=number) for number in range((end - first).days))


def _first_day(books: Books, first: date, today: date) -> date:
    """Where the past begins: with the ledger, or where it is not remembered any more."""
    span = books.span()
    if span is None:
        return min(first, today)
    begun = from_us(closed(span)[0]).astimezone(ZoneInfo(books.zone)).date()
    return min(max(begun, min(first, today - timedelta(days=REMEMBERED))), today)


def _left_today(books: Books, midnight_us: int, now_us: int, **filters: object) -> float:
    """Which share of a day usually comes after this time; by the clock where the last weeks do not say."""
    gone_us = now_us - midnight_us
    if gone_us <= 0:
        return 1.0
    by_clock = max(1 - gone_us / DAY_US, 0.0)
    past = Period(midnight_us - _RECENT * DAY_US, midnight_us)
    rows = books.rows(("quarter_us",), past, sums=("cost_nanousd",), **filters)
    # Counted back in whole days from today's midnight: an hour off for a while after the clocks changed.
    later = sum(row["cost_nanousd"] for row in rows if (row["quarter_us"] - midnight_us) % DAY_US >= gone_us)
    whole = sum(row["cost_nanousd"] for row in rows)
    return min(max(later / whole, 0.0), 1.0) if whole > 0 else by_clock
