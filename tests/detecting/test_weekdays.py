"""Weekdays and weekends: what is usual on a Monday is not on a Sunday."""

from __future__ import annotations

from datetime import date

import pytest

from detecting.kit import DAY_US, MONDAY_US, judge
from spendgraph_anomaly.detectors import Settings

WEEK = [100.0, 100.0, 100.0, 100.0, 100.0, 20.0, 20.0]
A_DAY = 86_400


def test_mondays_hundred_is_no_anomaly_after_eight_weeks() -> None:
    """Eight weeks of weekday 100 and weekend 20, then a Monday of 100: nobody is told."""
    said = judge([*WEEK * 8, 100.0], A_DAY)

    assert not any(each.alert for each in said)
    assert (said[-1].expected, said[-1].excess, said[-1].surprise) == (100.0, 0.0, 0.0)


def test_sundays_hundred_is_one() -> None:
    """Eight weeks and six days, then a Sunday of 100: 80 dollars above the 20 of a Sunday."""
    said = judge([*WEEK * 8, *WEEK[:6], 100.0], A_DAY)

    assert [place for place, each in enumerate(said) if each.alert] == [62]
    assert (said[-1].expected, said[-1].excess, said[-1].kind) == (20.0, 80.0, "shift")


def test_under_two_seasons_it_abstains_and_says_so() -> None:
    """For two weeks no weekday has a usual; the first Saturday, Sunday and Monday are no news."""
    said = judge(WEEK * 3, A_DAY)

    assert {each.abstained for each in said[:14]} == {
        "fewer than two weeks were seen: no weekday has a usual yet"
    }
    assert {each.abstained for each in said[14:]} == {""}
    assert not any(each.alert for each in said)


def test_a_sunday_of_the_third_week_is_judged() -> None:
    """Two weeks are two seasons: a Sunday of 100 in the third is told of."""
    said = judge([*WEEK * 2, *WEEK[:6], 100.0], A_DAY)

    assert said[-1].alert


@pytest.mark.parametrize(
    ("holidays", "alert"), [(frozenset({date(2026, 3, 4)}), True), (frozenset[date](), False)]
)
def test_a_holiday_is_a_sunday(holidays: frozenset[date], alert: bool) -> None:
    """A Wednesday of 100 is usual; were it a holiday, it would be 80 too much."""
    said = judge([*WEEK * 8, 100.0, 100.0, 100.0], A_DAY, settings=Settings(holidays=holidays))

    assert said[-1].start_us == MONDAY_US + 58 * DAY_US
    assert said[-1].alert is alert


def test_hours_know_weekends_as_well() -> None:
    """Hours of 100/24 on weekdays and 20/24 at weekends: Monday mornings are quiet news, a Sunday like a Monday is told of by its evening."""
    hours = [day / 24 for day in WEEK for _ in range(24)]
    usual = judge(hours * 5)
    said = judge([*hours * 4, *hours[: 6 * 24], *[100 / 24] * 24])

    assert not any(each.alert for each in usual)
    assert any(each.alert for each in said[-24:])
