"""What people are told of rolling budgets: judged on the sum of the period, never on one of its 48 parts, nor on more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.fanout import ACME, CALL_NANOUSD
from notify.kit import HOUR_US, MONDAY_US, NOWHERE, Time, call, look, policy, rows
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.clock import from_us
from spendgraph.ledger.alerts import WindowSpent
from spendgraph.notify.thresholds import rolling_sums

TEN_CALLS = "per: tenant, period: rolling 48h, limit_usd: '0.075'"
"""Its parts are hours."""
EIGHTY = f"{TEN_CALLS}, thresholds: [{{at: 80%, do: notify}}]"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


def told(path: Path) -> list[tuple[str, int, int]]:
    """Kind, spending in calls, and the part, in hours, of each alert."""
    return [
        (kind, spent // CALL_NANOUSD, (start_us - MONDAY_US) // HOUR_US)
        for kind, spent, start_us in rows(path, "kind, spent, window_start_us")
    ]


def record(meter: Meter, time: Time, hour: float, calls: int) -> None:
    """Spend at an hour what so many calls cost, whatever the limit is."""
    with meter.task(ACME):
        started = from_us(MONDAY_US + int(hour * HOUR_US))
        meter.record("parcels", usd=f"{calls * CALL_NANOUSD / 1e9:.9f}", started=started)


def test_a_call_that_ends_late_is_no_overrun(path: Path) -> None:
    """It belongs to the part in which it began, where those before it still count, and those after it do not yet."""
    time = Time()
    with Meter(path, policy=policy(TEN_CALLS, growth=NOWHERE), clock=time) as meter:
        call(meter, 5)
        look(meter)
        time.us += 48 * HOUR_US  # the five still count

        def meanwhile() -> None:
            time.us += HOUR_US  # not any more
            call(meter, 5)
            look(meter)

        ScriptedModel(before_answer=meanwhile).invoke("hi", meter.config(ACME))
        look(meter)
        call(meter, 4)
        look(meter)
        assert [window["spent_calls"] for window in meter.ledger.windows()] == [5, 1, 9]
    assert told(path) == []


def test_spending_over_many_parts_is_an_overrun_together(path: Path) -> None:
    """Each part is far below the limit. It is told once, and again in no other part."""
    time = Time()
    with Meter(path, policy=policy(TEN_CALLS, growth=NOWHERE), clock=time) as meter:
        for hour in range(14):
            time.us = MONDAY_US + hour * HOUR_US
            record(meter, time, hour, 1)
            look(meter)
    assert told(path) == [("overrun", 11, 10)]


def test_a_part_alone_is_not_the_sum(path: Path) -> None:
    """What is recorded for an earlier part counts with what came after it: that is the sum which reaches the threshold."""
    time = Time()
    with Meter(path, policy=policy(EIGHTY, growth=NOWHERE), clock=time) as meter:
        time.us += 5 * HOUR_US
        call(meter, 5)
        look(meter)
        record(meter, time, 1, 3)
        look(meter)
    assert told(path) == [("threshold", 8, 5)]


def test_what_is_booked_late_for_a_time_of_which_people_heard_is_not_told_again(path: Path) -> None:
    """It was up, has fallen since, and is not up now."""
    time = Time()
    with Meter(path, policy=policy(EIGHTY, growth=NOWHERE), clock=time) as meter:
        time.us += 10 * HOUR_US
        call(meter, 8)
        look(meter)
        assert told(path) == [("threshold", 8, 10)]
        time.us += 60 * HOUR_US
        call(meter)
        look(meter)
        record(meter, time, 9.5, 1)
        look(meter)
    assert told(path) == [("threshold", 8, 10)]


def test_what_is_booked_late_for_a_time_that_is_over_is_told_of_that_time(path: Path) -> None:
    """As of any window that is over."""
    time = Time()
    with Meter(path, policy=policy(EIGHTY, growth=NOWHERE), clock=time) as meter:
        time.us += 100 * HOUR_US
        call(meter)
        look(meter)
        record(meter, time, 10, 9)
        look(meter)
    assert told(path) == [("threshold", 9, 10)]


@given(spent=st.dictionaries(st.integers(0, 120), st.integers(0, 9), max_size=20))
def test_the_sum_of_a_part_is_that_of_the_period_up_to_it(spent: dict[int, int]) -> None:
    """The part itself and the 48 before it, whichever of them there are."""
    parts = [WindowSpent(hour, "b", "", hour, hour + 1, cents, 0, 0) for hour, cents in sorted(spent.items())]
    assert rolling_sums(parts, "nanousd", 48) == [
        sum(cents for other, cents in spent.items() if hour - 48 <= other <= hour) for hour in sorted(spent)
    ]
