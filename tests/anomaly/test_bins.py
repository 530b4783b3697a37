"""Bins: every quarter, hour and day of a period once, however long the zone makes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.kit import ZONES
from spendgraph_anomaly.series import SECONDS, Every, bin_starts, whole_bins
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period

HOUR_US = 3_600_000_000
EVERY: tuple[Every, ...] = ("quarter", "hour", "day")


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [("2026-03-29", "2026-03-30", 23), ("2026-10-25", "2026-10-26", 25), ("2026-06-01", "2026-06-02", 24)],
    ids=["spring", "autumn", "summer"],
)
def test_a_day_is_as_long_as_the_zone_makes_it(first: str, last: str, hours: int) -> None:
    """Berlin's days of 23 and 25 hours are one bin each, of so many bins of an hour."""
    day = Period.between(first, last, "Europe/Berlin")
    start, end = bin_starts(day, "day", "Europe/Berlin")
    assert (end - start) // HOUR_US == hours
    assert len(bin_starts(day, "hour", "Europe/Berlin")) - 1 == hours
    assert len(bin_starts(day, "quarter", "Europe/Berlin")) - 1 == 4 * hours


def test_an_hour_is_an_hour_of_utc() -> None:
    """Kathmandu's day begins at 18:15 UTC: its hours are those that UTC has, and one at each end is in part of another day."""
    day = Period.between("2026-09-21", "2026-09-22", "Asia/Kathmandu")
    assert whole_bins(day, "hour", "Asia/Kathmandu").text == "2026-09-20T18:00:00Z to 2026-09-21T19:00:00Z"
    assert whole_bins(day, "day", "Asia/Kathmandu") == day


def test_a_day_whose_midnight_the_clocks_leave_out_begins_after_it() -> None:
    """São Paulo's 4 November 2018 began at 01:00, and was 23 hours long."""
    zone = "America/Sao_Paulo"
    starts = bin_starts(Period.between("2018-11-03", "2018-11-06", zone), "day", zone)
    assert list(np.diff(starts) // HOUR_US) == [24, 23, 24]


@given(
    st.integers(0, 400 * DAY_US), st.integers(1, 40 * DAY_US), st.sampled_from(EVERY), st.sampled_from(ZONES)
)
def test_bins_cover_a_period_without_a_gap(since_us: int, long_us: int, every: Every, zone: str) -> None:
    """They begin at or before its start and end at or after its end, none of them outside; whole ones are left as they are."""
    since_us += 1_767_225_600_000_000
    period = Period(since_us, since_us + long_us)
    starts = bin_starts(period, every, zone)
    assert starts.dtype == np.int64
    assert starts[0] <= since_us < starts[1]
    assert starts[-2] < since_us + long_us <= starts[-1]
    lengths = set(np.diff(starts) // 1_000_000)
    assert lengths <= ({82_800, 86_400, 90_000} if every == "day" else {SECONDS[every]})
    whole = whole_bins(period, every, zone)
    assert closed(whole) == (starts[0], starts[-1])
    assert whole_bins(whole, every, zone) == whole


@pytest.mark.parametrize(
    ("period", "every", "zone", "message"),
    [
        (Period(0), "hour", "UTC", "a period with a start and an end"),
        (Period(0, DAY_US), "week", "UTC", "bins of a quarter, hour, day, found 'week'"),
        (Period(0, DAY_US), "day", "Mars/Olympus", "a time zone such as Europe/Berlin"),
    ],
    ids=["open", "no such bin", "no such zone"],
)
def test_what_has_no_bins_is_refused(period: Period, every: Every, zone: str, message: str) -> None:
    """With what was expected, and what was found."""
    with pytest.raises(ValueError, match=message):
        bin_starts(period, every, zone)
