"""When an incident really was, and what was to be expected while it went on."""

from __future__ import annotations

import numpy as np
import pytest

from spendgraph_anomaly.review.bounds import richest, stretched

DAY = 4
WEEK = 7 * DAY


def week_after_week(weeks: int, **extra: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Ten in every bin; more in the bins that are named `at_<bin>`, in 'extra'."""
    found = np.full(weeks * WEEK, 10, dtype=np.int64)
    for name, cost in extra.items():
        found[int(name.removeprefix("at_"))] += cost
    return found


def test_an_incident_begins_where_what_raised_it_began() -> None:
    """The alarm came two bins late and ended ten bins after it."""
    observed = week_after_week(3, at_60=500, at_61=700, at_62=600)
    usual, found = stretched(observed, np.full(84, 10), [(62, 73)], 0, 0, DAY)
    assert found == [(60, 63)]
    assert usual.tolist() == [10] * 84


def test_what_was_to_be_expected_is_what_it_was_before() -> None:
    """The detector learns from the incident itself, and expects 300 in the end: the excess is measured by the week before it."""
    observed = week_after_week(3, **{f"at_{at}": 290 for at in range(60, 76)})
    learning = np.concatenate([np.full(60, 10), np.linspace(10, 300, 24).astype(np.int64)])
    usual, found = stretched(observed, learning, [(60, 76)], 0, 0, DAY)
    assert found == [(60, 76)]
    assert usual[60:76].tolist() == [10] * 16


def test_two_long_incidents_with_a_weekend_between_them_are_one() -> None:
    """Five dear days, two usual ones, five dear ones, of which nearly all is told; the second has nothing left."""
    dear = {f"at_{at}": 90 for at in [*range(60, 80), *range(88, 108)]}
    _, found = stretched(week_after_week(4, **dear), np.full(112, 10), [(60, 80), (88, 108)], 0, 0, DAY)
    assert found[0] == (60, 107)
    assert found[1][0] == found[1][1]


def test_two_short_incidents_stay_two() -> None:
    """Two loops of an hour on two days."""
    observed = week_after_week(4, at_60=900, at_68=800)
    _, found = stretched(observed, np.full(112, 10), [(60, 64), (68, 72)], 0, 0, DAY)
    assert found == [(60, 61), (68, 69)]


def test_of_what_began_before_the_period_only_what_is_in_it_counts() -> None:
    """Half of the dear bins are told; of an incident that was over, nothing."""
    observed = week_after_week(3, **{f"at_{at}": 90 for at in range(60, 70)})
    _, found = stretched(observed, np.full(84, 10), [(60, 70)], 0, 65, DAY)
    assert found == [(65, 70)]
    _, gone = stretched(observed, np.full(84, 10), [(60, 70)], 0, 75, DAY)
    assert gone[0][0] == gone[0][1]


@pytest.mark.parametrize("excess", [[0, 0, 0], [-5, -1, -7], []], ids=["as expected", "less", "no bins"])
def test_where_nothing_was_too_much_there_is_no_incident(excess: list[int]) -> None:
    """A cut that fell below what was expected while it was an alarm's."""
    assert richest(np.array(excess, dtype=np.int64), 0, len(excess)) == (0, 0)
