"""Whenever somebody looks, and whoever else does: each bin is judged once, by what was booked when it was over."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from watching.conftest import Make
from watching.kit import GRACE, HOUR, MINUTE, MONDAY, World

TENANTS = ("acme", "globex", "initech")
HOURS = 40


class Spent(NamedTuple):
    """A call: when it started, of whom, and what it cost in cents."""

    minute: int
    tenant: str
    cents: int


spending = st.lists(
    st.builds(Spent, st.integers(0, HOURS * 60 - 1), st.sampled_from(TENANTS), st.integers(1, 20_000)),
    min_size=1,
    max_size=40,
)
looking = st.lists(st.integers(1, HOURS * 60), max_size=6, unique=True)


def run(calls: list[Spent], minutes: list[int], late: list[Spent]) -> tuple[Any, Any, int]:
    """States, incidents, and what was noted as late, of a world that was looked at then; late calls come a minute after their hour was scored."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "ledger.db")
        events: list[tuple[int, int, Any]] = [(call.minute, 0, call) for call in calls]
        events += [((call.minute // 60 + 1) * 60 + 7, 2, call) for call in late]
        events += [(minute, 1, None) for minute in minutes]
        # What comes late has to come after somebody has looked at its hour.
        events += [((call.minute // 60 + 1) * 60 + 6, 1, None) for call in late]
        noted = 0
        for minute, kind, call in sorted(events, key=lambda each: each[:2]):
            world.now_us = max(world.now_us, MONDAY + minute * MINUTE)
            if kind == 1:
                world.begin_anew()
                noted += world.look().changed
            else:
                world.spend(call.cents / 100, MONDAY + call.minute * MINUTE, call.tenant)
        for tenant in sorted({call.tenant for call in calls}):  # a silent series is left where it stands
            world.spend(1, MONDAY + (HOURS + 7) * HOUR, tenant)
        world.now_us = MONDAY + (HOURS + 8) * HOUR + GRACE
        noted += world.look().changed
        found = (world.states(), [row for row in world.incidents() if row[2] is not None], noted)
        assert world.ledger.verify() == []
        world.close()
        return found


@settings(max_examples=6)
@given(calls=spending, minutes=looking)
def test_when_it_is_looked_at_changes_no_judgement(calls: list[Spent], minutes: list[int]) -> None:
    """States to the byte and incidents to the nano-dollar are those of one look at the end."""
    assert run(calls, minutes, []) == run(calls, [], [])


@settings(max_examples=6)
@given(
    calls=spending,
    late=st.lists(
        st.builds(Spent, st.integers(0, HOURS * 60 - 1), st.sampled_from(TENANTS), st.integers(1, 20_000)),
        max_size=4,
    ),
)
def test_what_comes_late_changes_no_judgement(calls: list[Spent], late: list[Spent]) -> None:
    """It is noted instead, once for each hour of a tenant and each look."""
    first = min(call.minute // 60 for call in calls)
    late = [call for call in late if call.minute // 60 >= first]
    looks = [(call.minute // 60 + 1) * 60 + 6 for call in late]
    states, incidents, noted = run(calls, [], late)
    assert (states, incidents, 0) == run(calls, looks, [])
    assert noted == len({(call.minute // 60, call.tenant) for call in late})


def test_who_is_overtaken_leaves_the_bins_to_the_other(make: Make) -> None:
    """Another watch scores while this one does: nothing is lost, and the next look goes on."""
    world = make()
    other = World(world.path)
    world.usual(30)
    world.now_us += GRACE
    other.now_us = world.now_us
    (watch,) = world.watches

    def meanwhile(done: int, total: int) -> None:
        assert (done, total) == (1, 1)
        other.look()

    look = watch.look(world.now_us, meanwhile)
    other.close()
    assert look.overtaken.startswith("another watch is at work on 'tenants'")
    assert (look.news, world.look().overtaken, len(world.states())) == ([], "", 1)
    assert world.ledger.verify() == []
