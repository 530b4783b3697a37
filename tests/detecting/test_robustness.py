"""Whatever a series is like, it is judged: zeros, constants, five points, gaps, clock changes; and what is no number is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detecting.kit import HOUR_US, MONDAY_US, judge, working_hours
from spendgraph_anomaly.detectors import Detector, Settings

METRIC = Settings.for_any_metric()


@pytest.mark.parametrize(
    "values",
    [[], [0.0] * 400, [7.0] * 400, [5.0, 4.0, 3.0, 2.0, 1.0], [0.0] * 399 + [1e-9], [1e12] * 60 + [0.0] * 60],
    ids=["nothing", "zeros", "a constant", "five points", "a speck", "a fall"],
)
@pytest.mark.parametrize("settings_", [Settings(), METRIC], ids=["money", "metric"])
@pytest.mark.parametrize("every_s", [300, 3600, 86_400])
def test_it_never_raises(values: list[float], settings_: Settings, every_s: int) -> None:
    """Every judgement's numbers are finite, and its score is from 0 to 1."""
    for each in judge(values, every_s, settings=settings_):
        assert 0 <= each.score <= 1
        assert all(map(math.isfinite, (each.expected, each.excess, each.surprise, each.lost)))


@given(st.lists(st.floats(-1e9, 1e9), max_size=200))
@settings(max_examples=20)
def test_corrections_below_zero_are_judged_too(values: list[float]) -> None:
    """A late correction may make a bin negative; that is no anomaly of money."""
    for each in judge(values):
        assert math.isfinite(each.surprise)
        assert not (each.alert and each.observed <= 0 and each.excess <= 0 and each.lost <= 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    """One message says which bin, what it was and what is expected; nothing was learned from it."""
    detector = Detector(3600)
    before = detector.state()

    with pytest.raises(
        ValueError, match=rf"the bin at 3600 has the value {value}; it must be a finite number"
    ):
        detector.observe(3600, value)

    assert detector.state() == before


@pytest.mark.parametrize("start_us", [MONDAY_US, MONDAY_US - 1])
def test_a_bin_that_is_not_later_is_refused(start_us: int) -> None:
    """Twice the same bin, or an earlier one, is not judged."""
    detector = Detector(3600)
    detector.observe(MONDAY_US, 1.0)

    with pytest.raises(ValueError, match="is not later than the one before"):
        detector.observe(start_us, 1.0)


@pytest.mark.parametrize(
    ("every_s", "zone", "words"),
    [
        (60, "UTC", "from 300 to 86400"),
        (90_000, "UTC", "from 300 to 86400"),
        (3600, "Mars", "no time zone 'Mars'"),
    ],
)
def test_what_cannot_be_meant_is_refused(every_s: int, zone: str, words: str) -> None:
    """Bins of a minute, of more than a day, and zones that do not exist."""
    with pytest.raises(ValueError, match=words):
        Detector(every_s, zone)


@pytest.mark.parametrize(
    ("name", "value"),
    [("threshold", -1), ("least_excess", math.nan), ("counts", "tokens"), ("suspend_lost", math.inf)],
)
def test_settings_that_cannot_be_meant_are_refused(name: str, value: object) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=f"{name} is "):
        Settings(**{name: value})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested


@given(st.integers(-8, 8), st.sets(st.integers(48, 380), max_size=4))
@settings(max_examples=6)
def test_a_currency_changes_nothing(power: int, spikes: set[int]) -> None:
    """Values times k, with every setting of dollars times k, are judged alike (k a power of two: floats stay exact)."""
    factor = 2.0**power
    values = [
        value * (30.0 if place in spikes else 1.0) for place, value in enumerate(working_hours(16, quiet=0.5))
    ]
    plain = Settings()
    scaled = Settings(
        least_excess=plain.least_excess * factor,
        always_per_hour=plain.always_per_hour * factor,
        suspend_lost=plain.suspend_lost * factor,
        suspend_per_hour=plain.suspend_per_hour * factor,
        medium=plain.medium * factor,
        high=plain.high * factor,
    )
    one, other = judge(values), judge([value * factor for value in values], settings=scaled)

    assert [(each.alert, each.severity, each.may_suspend) for each in one] == [
        (each.alert, each.severity, each.may_suspend) for each in other
    ]
    assert [each.surprise for each in other] == pytest.approx([each.surprise for each in one], abs=1e-4)


@given(st.integers(-1000, 1000))
@settings(max_examples=10)
def test_a_metric_may_lie_anywhere(shift: int) -> None:
    """A metric moved up or down by a constant is judged alike: its zero means nothing."""
    values = [float((place * 37) % 11) for place in range(300)]
    values[250] = 40.0
    one = judge(values, settings=METRIC)
    other = judge([value + shift for value in values], settings=METRIC)

    assert [each.alert for each in one] == [each.alert for each in other]
    assert one[250].alert


def test_a_metric_is_told_of_when_it_falls() -> None:
    """Less than ever is unusual of a metric, and never of money."""
    values = [50.0 + (place * 7) % 5 for place in range(300)]
    values[280] = 1.0

    assert judge(values, settings=METRIC)[280].kind == "drop"
    assert judge(values, settings=METRIC)[280].alert
    assert not any(each.alert for each in judge(values))


@pytest.mark.parametrize(
    ("month", "day"), [(3, 29), (10, 25)], ids=["the clock goes forward", "the clock goes back"]
)
def test_office_hours_stay_office_hours_when_the_clock_changes(month: int, day: int) -> None:
    """Work from 8 to 18 in Berlin is usual in the week before and after; in hours of UTC it begins an hour earlier or later."""
    berlin = ZoneInfo("Europe/Berlin")
    change_us = int(datetime(2026, month, day, tzinfo=UTC).timestamp()) * 1_000_000
    first_us = change_us - 21 * 24 * HOUR_US
    hours = [
        datetime.fromtimestamp((first_us + place * HOUR_US) / 1e6, UTC).astimezone(berlin)
        for place in range(28 * 24)
    ]
    values = [10.0 if 8 <= hour.hour < 18 else 0.0 for hour in hours]
    after = slice(21 * 24 + 3, None)

    in_berlin = judge(values, zone="Europe/Berlin", start_us=first_us)
    in_utc = judge(values, zone="UTC", start_us=first_us)

    assert not any(each.alert for each in in_berlin)
    assert max(each.surprise for each in in_berlin[after]) < max(each.surprise for each in in_utc[after])


def test_a_gap_that_was_filled_with_zeros_is_no_anomaly() -> None:
    """Three days without a call, then work again: the first hours are no news."""
    said = judge([*working_hours(14), *[0.0] * 72, *working_hours(7)])

    assert not any(each.alert for each in said)


def test_alerts_are_few_on_noise() -> None:
    """Four weeks of heavy-tailed noise without a pattern: at most one alert a week, never two within six hours."""
    seed, values = 12345, list[float]()
    for _ in range(28 * 24):
        seed = (1103515245 * seed + 12345) % 2**31
        values.append((1e-4 + seed / 2**31) ** -0.5)
    told = [each.start_us for each in judge(values) if each.alert]

    assert len(told) <= 4
    assert all(later - before >= 6 * HOUR_US for before, later in pairwise(told))
