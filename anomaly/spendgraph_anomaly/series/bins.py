"""The calendar of bins: when each quarter, hour or day of a period begins, whatever the zone does to its clocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from spendgraph.clock import from_us
from spendgraph_reports.months import closed
from spendgraph_reports.period import Period, midnight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.series.series import Every

SECONDS: Final[Mapping[Every, int]] = MappingProxyType({"quarter": 900, "hour": 3_600, "day": 86_400})
"""How long a bin is; a day as long as most are."""


def bin_starts(period: Period, every: Every, zone: str = "UTC") -> NDArray[np.int64]:
    """When each bin that has a part in a period begins, and, as the last number, when the last one ends.

    >>> autumn = Period.between("2026-10-25", "2026-10-26", "Europe/Berlin")
    >>> len(bin_starts(autumn, "hour", "Europe/Berlin")), len(bin_starts(autumn, "day", "Europe/Berlin"))
    (26, 2)

    Args:
        period: It has a start and an end.
        every: How long a bin is.
        zone: Whose days are meant; quarters and hours are those of UTC.

    Raises:
        ValueError: The period is open, or there is no such bin or zone.
    """
    since, until = closed(period)
    if every not in SECONDS:
        raise ValueError(f"expected bins of a {', '.join(SECONDS)}, found {every!r}")
    if every == "day":
        return _midnights(since, until, zone)
    step = SECONDS[every] * 1_000_000
    return np.arange(since - since % step, until - until % -step + step, step, dtype=np.int64)


def whole_bins(period: Period, every: Every, zone: str = "UTC") -> Period:
    """A period made longer where it begins or ends within a bin.

    >>> whole_bins(Period.between("2026-08-01T06:10Z", "2026-08-01T07:00Z"), "hour").text
    '2026-08-01T06:00:00Z to 2026-08-01T07:00:00Z'
    """
    starts = bin_starts(period, every, zone)
    return Period(int(starts[0]), int(starts[-1]))


def _midnights(since: int, until: int, zone: str) -> NDArray[np.int64]:
    midnight(date(1970, 1, 1), zone)  # says so where there is no such zone
    day = from_us(since).astimezone(ZoneInfo(zone)).date()
    found = [midnight(day, zone)]
    while found[-1] < until:
        day += timedelta(days=1)
        found.append(midnight(day, zone))
    return np.array(found, dtype=np.int64)
