"""Time is UTC: integer microseconds since 1970 in tables, aware datetimes in Python.

A clock is a function without arguments that returns microseconds, so that tests can pass their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Clock = Callable[[], int]
"""Returns the time now in microseconds since 1970-01-01 UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_us(_time_ns: Callable[[], int] = time.time_ns) -> int:
    """The time now, in microseconds since 1970-01-01 UTC.

    The function is taken at import: people's tests freeze time by replacing it everywhere, and a ledger whose
    clock jumps to last year must refuse.
    """
    return _time_ns() // 1000


def to_us(moment: datetime) -> int:
    """Microseconds of an aware datetime.

    Raises:
        ValueError: The datetime has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"expected a datetime with a time zone, found {moment.isoformat()}")
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    """The aware UTC datetime of a time in microseconds."""
    return EPOCH + timedelta(microseconds=microseconds)


def iso(microseconds: int) -> str:
    """ISO 8601 in UTC with a Z, with microseconds only where there are some.

    >>> iso(0), iso(1_500_000)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500000Z')
    """
    seconds, fraction = divmod(microseconds, 1_000_000)
    day, second = divmod(seconds, 86_400)
    text = f"{_date(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{text}.{fraction:06d}Z" if fraction else f"{text}Z"


@lru_cache(maxsize=1_000)
def _date(day: int) -> str:
    """ISO text of a day since 1970: millions of steps fall on few days."""
    return (EPOCH + timedelta(days=day)).date().isoformat()
