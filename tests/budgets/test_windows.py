"""Windows tile time in the budget's own zone, and nothing is ever reset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph.budgets.windows import window_at
from spendgraph.clock import from_us, to_us
from spendgraph.ledger.asks import ROLLING_PARTS
from spendgraph.policy import Budget

HOUR_US = 3_600_000_000
PERIODS = ["hour", "day", "week", "month", "quarter", "rolling 24h", "rolling 30m"]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "America/Havana",
    "Australia/Lord_Howe",
]


def budget(period: str, timezone: str = "UTC") -> Budget:
    """A budget of a dollar."""
    values: dict[str, Any] = {"name": "b", "period": period, "timezone": timezone, "limit_usd": "1"}
    return Budget(**values)


@given(
    at_us=st.integers(10**15, 2 * 10**15),
    period=st.sampled_from(PERIODS),
    zone=st.sampled_from(ZONES),
)
def test_windows_tile_time(at_us: int, period: str, zone: str) -> None:
    """Every moment is in one window; the next begins where it ends, the one before ends where it begins."""
    ours = budget(period, zone)
    window = window_at(ours, at_us)
    assert window.end_us is not None
    assert window.start_us <= at_us < window.end_us
    assert window_at(ours, window.start_us) == window
    assert window_at(ours, window.end_us - 1) == window
    assert window_at(ours, window.end_us).start_us == window.end_us
    assert window_at(ours, window.start_us - 1).end_us == window.start_us


@pytest.mark.parametrize(
    ("period", "zone", "local", "starts", "hours"),
    [
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29T00:00", 23),
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-25T00:00", 25),
        ("week", "Europe/Berlin", "2026-11-22T23:59", "2026-11-16T00:00", 168),
        ("month", "Europe/Berlin", "2026-02-14T00:00", "2026-02-01T00:00", 672),
        ("quarter", "UTC", "2026-12-31T23:59", "2026-10-01T00:00", 2208),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", 744),
        ("hour", "Asia/Kathmandu", "2026-12-31T23:59", "2026-12-31T23:45", 1),
    ],
)
def test_calendar_periods_begin_in_their_zone(
    period: str, zone: str, local: str, starts: str, hours: int
) -> None:
    """Days of 23 and 25 hours, weeks from Monday, months and quarters of their own length."""
    tz = ZoneInfo(zone)
    window = window_at(budget(period, zone), to_us(datetime.fromisoformat(local).replace(tzinfo=tz)))
    assert from_us(window.start_us) == datetime.fromisoformat(starts).replace(tzinfo=tz)
    assert window.end_us == window.start_us + hours * HOUR_US


def test_a_tenth_of_a_second_around_midnight_is_two_windows() -> None:
    """23:59:59.9 and 00:00:00.1 of the budget's zone, though both are the same day elsewhere."""
    daily = budget("day", "America/New_York")
    midnight = to_us(datetime(2026, 7, 1, tzinfo=ZoneInfo("America/New_York")))
    before, after = window_at(daily, midnight - 100_000), window_at(daily, midnight + 100_000)
    assert before.end_us == after.start_us == midnight


@given(at_us=st.integers(10**15, 2 * 10**15))
def test_a_rolling_period_never_counts_less_than_its_length(at_us: int) -> None:
    """The oldest window counts whole."""
    window = window_at(budget("rolling 24h"), at_us)
    assert window.since_us is not None
    assert at_us - window.since_us >= 24 * HOUR_US
    assert at_us - window.since_us < 24 * HOUR_US * (ROLLING_PARTS + 1) // ROLLING_PARTS


def test_a_total_is_one_window_for_ever() -> None:
    """It neither begins nor ends."""
    assert window_at(budget("total"), 5) == (0, None, None)
    assert window_at(budget("total"), to_us(datetime.now(UTC) + timedelta(days=9000))) == (0, None, None)
