"""Where the same time of other days is, counted in bins: over clock changes, and on holidays among Sundays."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.scorers.past import DAY_S

Ints = NDArray[np.int64]

DAYS: Final = 7
WEEKS: Final = 8
SUNDAY: Final = 6


class Calendar:
    """The calendar of one series.

    Args:
        every_s: Seconds of a bin.
        zone: Whose days and hours are meant.
        holidays: Days that are like Sundays.

    Raises:
        ValueError: There is no such zone.
    """

    def __init__(self, every_s: int, zone: str, holidays: AbstractSet[date] = frozenset()) -> None:
        try:
            self._zone: Final = ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"there is no time zone {zone!r}; it must be one such as 'Europe/Berlin'"
            ) from error
        self._every_s: Final = every_s
        self._holidays: Final = holidays

    def days(self, start_us: int) -> Ints:
        """How many bins ago the same time of the last seven days was."""
        return self._ago(start_us, range(1, DAYS + 1))

    def weeks(self, start_us: int) -> Ints:
        """How many bins ago the same time of the same weekday was, for eight weeks; on a holiday that of Sundays."""
        first = 7
        if self._holidays:
            day = self._local(start_us).date()
            if day in self._holidays:
                first = (day.weekday() - SUNDAY) % 7 or 7
        return self._ago(start_us, range(first, first + 7 * WEEKS, 7))

    def hour(self, start_us: int) -> int:
        """The hour of the week it is, 0 to 167, from Monday on."""
        local = self._local(start_us)
        return local.weekday() * 24 + local.hour

    def _ago(self, start_us: int, days: range) -> Ints:
        return _ago(self._zone, self._every_s, start_us // 1_000_000, days)

    def _local(self, start_us: int) -> datetime:
        return datetime.fromtimestamp(start_us // 1_000_000, UTC).astimezone(self._zone)


@lru_cache(maxsize=16_384)  # all series of a zone have the same bins
def _ago(zone: ZoneInfo, every_s: int, second: int, days: range) -> Ints:
    if every_s >= DAY_S:  # a day is a bin, however many hours it has
        return np.array(days, dtype=np.int64)
    here = _offset(zone, second // 3600)
    seconds = [each * DAY_S - (here - _offset(zone, (second - each * DAY_S) // 3600)) for each in days]
    found = np.array([round(each / every_s) for each in seconds], dtype=np.int64)
    found.setflags(write=False)
    return found


@lru_cache(maxsize=16_384)
def _offset(zone: ZoneInfo, hour: int) -> int:
    """How far the zone's clocks are ahead of UTC in an hour since 1970, in seconds."""
    offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone).utcoffset() or timedelta()
    return round(offset.total_seconds())
