"""What happens is told of once, has a beginning, an end and a total, and does not become usual by going on."""

from __future__ import annotations

from itertools import pairwise

from detecting.kit import HOUR_US, MONDAY_US, hourly, judge, working_hours
from spendgraph_anomaly.detectors import Judgement, incidents

WEEKS = working_hours(14)
NIGHT = [0.0] * 24


def test_an_off_hours_loop_is_one_incident() -> None:
    """Two weeks of working hours, then $12 an hour from 1 to 4 at night: one incident of off-hours with its total."""
    night = [0.0, 12.0, 12.0, 12.0, *[0.0] * 4, *WEEKS[8:24]]
    found = incidents(judge([*WEEKS, *night, *WEEKS[:24]]))

    assert [(each.kind, each.alerts) for each in found] == [("off-hours", 1)]
    assert found[0].start_us == MONDAY_US + (14 * 24 + 1) * HOUR_US
    assert found[0].end_us is not None
    assert 35.0 < found[0].excess < 37.0


def test_nobody_is_told_twice_within_six_hours() -> None:
    """A loop that grows every hour is news every hour; it is told of every six at most."""
    growing = [5.0 * 1.5**hour for hour in range(20)]
    said = judge([*WEEKS, *growing])
    told = [place for place, each in enumerate(said) if each.alert]

    assert len(told) >= 2
    assert min(later - before for before, later in pairwise(told)) >= 6


def test_what_stays_high_is_told_of_once() -> None:
    """A loop of $4 an hour for two days raises one alert, for nothing about it is news later."""
    said = judge([*[0.1] * 400, *[4.0] * 48])
    told = [(place, each.severity) for place, each in enumerate(said) if each.alert]

    assert told == [(400, "low")]
    assert all(each.ongoing for each in said[400:])


def test_an_incident_does_not_become_its_own_measure() -> None:
    """After two days of a loop each night, the expected night is still nothing, and its dollars are all excess."""
    night = [0.0, 12.0, 12.0, 12.0, *[0.0] * 4, *WEEKS[8:24]]
    said = judge([*WEEKS, *night * 3])
    at = {hour: said[14 * 24 + day * 24 + hour] for day in range(3) for hour in (1, 2, 3)}

    assert max(each.expected for each in at.values()) < 0.5


def test_a_shift_that_stays_for_a_week_becomes_usual() -> None:
    """Spending that is three times as high for good is one incident, which ends after seven days."""
    found = incidents(judge([*[1.0] * 24 * 14, *[30.0] * 24 * 21]))

    assert len(found) == 1
    assert found[0].end_us is not None
    assert found[0].end_us - found[0].start_us == 7 * 24 * HOUR_US


def test_an_incident_that_goes_on_has_no_end() -> None:
    """The last bin belongs to it."""
    found = incidents(judge([*[1.0] * 400, 50.0]))

    assert [each.end_us for each in found] == [None]


def test_alerts_and_incidents_of_real_tenants_agree(tenants: dict[str, list[float]]) -> None:
    """Every alert lies in exactly one incident, every incident has one, and none is told of twice within six hours."""
    for tens in tenants.values():
        said = judge(hourly(tens))
        found = incidents(said)
        told = [each.start_us for each in said if each.alert]

        assert sum(each.alerts for each in found) == len(told)
        assert all(each.alerts >= 1 for each in found)
        assert all(inside(each.start_us, said) for each in found)
        assert all(later - before >= 6 * HOUR_US for before, later in pairwise(told))


def inside(start_us: int, said: list[Judgement]) -> bool:
    """Whether an alert was raised at this very bin."""
    return any(each.alert and each.start_us == start_us for each in said)
