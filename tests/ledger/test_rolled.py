"""Sums over time are those of the steps, whichever tables they are read from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, GLOBEX, START_US, context_row, step, task
from spendgraph.clock import to_us
from spendgraph.ledger import Ledger

MONTH_STARTS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(7, 12)]
QUARTERS = st.integers(-320, 320).map(lambda quarters: timedelta(minutes=15 * quarters))
CROWD = [ACME, GLOBEX, *(context_row(tenant=f"t{n}", user=f"u{n}", version="2") for n in range(12))]


@given(
    starts=st.lists(st.tuples(st.sampled_from(MONTH_STARTS), QUARTERS, st.integers(1, 10**9)), max_size=25),
    since=st.none() | st.tuples(st.sampled_from(MONTH_STARTS), QUARTERS),
    until=st.none() | st.tuples(st.sampled_from(MONTH_STARTS), QUARTERS),
    filters=st.sampled_from(
        [
            {},
            {"tenant": "t3"},
            {"user": ["u3", "u4"]},
            {"version": "2"},
            {"tenant": ["acme", "globex"], "kind": "model"},
        ]
    ),
)
@settings(max_examples=30, deadline=None)
def test_any_time_is_made_of_months_and_what_is_missing_or_too_much(
    starts: list[tuple[datetime, timedelta, int]],
    since: tuple[datetime, timedelta] | None,
    until: tuple[datetime, timedelta] | None,
    filters: dict[str, Any],
) -> None:
    """A month of Berlin or Delhi, of one tenant among many, of a user: the sums are those of the steps, with any times in the answer."""
    first, last = (None if each is None else each[0] + each[1] for each in (since, until))
    with Ledger.open(":memory:") as ledger:
        ledger.post(*CROWD, task())
        booked = [(each, timedelta(), 1) for each in MONTH_STARTS[:3] for _ in CROWD] + starts
        for number, (month, quarters, cost) in enumerate(booked):
            at = to_us(month + quarters)
            context = CROWD[number % len(CROWD)].context_id
            ledger.post(step(started_us=at, ended_us=at, cost_nanousd=cost, context_id=context))
            if number % 5 == 3:
                ledger.upkeep.roll(rows=2)
        for by in (
            [],
            ["tenant"],
            ["month"],
            ["tenant", "month"],
            ["day"],
            ["hour", "feature"],
            ["user", "day"],
        ):
            found = ledger.rolled(by, sums=("cost_nanousd", "steps"), since=first, until=last, **filters)
            spent = ledger.spend(by, since=first, until=last, **filters)
            assert found == [{name: row[name] for name in (*by, "cost_nanousd", "steps")} for row in spent]
        ledger.upkeep.roll()
        assert ledger.verify() == []


@pytest.mark.parametrize(
    ("by", "options", "message"),
    [
        (["node"], {}, "the rollups do not tell 'node' apart"),
        ([], {"sums": ("dollars",)}, "have no sum 'dollars'"),
        ([], {"since": START_US}, "expected the start of a quarter of an hour"),
        ([], {"nothing": "x"}, "do not tell 'nothing' apart"),
    ],
    ids=["name", "sum", "time", "filter"],
)
def test_what_the_rollups_do_not_know_is_refused(
    ledger: Ledger, by: list[str], options: dict[str, Any], message: str
) -> None:
    """With the names they have."""
    with pytest.raises(ValueError, match=message):
        ledger.rolled(by, **options)
