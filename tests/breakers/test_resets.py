"""What a person forgives by closing a breaker: what was spent up to then, once, and nothing else."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakers.kit import ACME, CALL_NANOUSD, MINUTE, SECOND, Clock, call, meter
from breakers.test_states import VELOCITY, tripped
from scripted import ScriptedModel
from spendgraph import BreakerOpen, Meter

DAY = "name: velocity, per: tenant, limit_usd: '0.03', period: day"
"""As `VELOCITY`, four calls fit."""


def reset(metered: Meter) -> None:
    """Somebody closes it."""
    metered.ledger.switchboard.reset("velocity", "tenant=acme", by="ann", why="a launch")


def calls_that_fit(metered: Meter) -> int:
    """How many calls go out before it trips."""
    for count in range(20):
        try:
            call(metered)
        except BreakerOpen:
            return count
    raise AssertionError("it never trips")


def test_what_was_forgiven_ages_out_of_the_minute_with_what_was_spent(tmp_path: Path) -> None:
    """Four calls forgiven at 50 seconds are no room for four more once they are older than a minute."""
    clock = Clock()
    with tripped(tmp_path, clock) as metered:
        clock.pass_(50 * SECOND)
        reset(metered)
        clock.pass_(12 * SECOND)
        assert calls_that_fit(metered) == 4
        assert metered.ledger.verify() == []


def test_what_was_forgiven_ages_out_part_by_part(tmp_path: Path) -> None:
    """Two of the forgiven calls are older than a minute, two are not: four fit, beside the two that still count."""
    clock = Clock()
    with meter(tmp_path, VELOCITY, clock) as metered:
        for _ in range(2):
            call(metered)
        clock.pass_(30 * SECOND)
        assert calls_that_fit(metered) == 2
        reset(metered)
        clock.pass_(32 * SECOND)
        assert calls_that_fit(metered) == 4


@pytest.mark.parametrize("breaker", [VELOCITY, DAY])
def test_what_was_held_when_it_was_closed_counts_when_it_is_spent(tmp_path: Path, breaker: str) -> None:
    """A call under way is not forgiven: with it three more fit."""
    clock = Clock()
    with tripped(tmp_path, clock, breaker) as metered:
        reset(metered)
        metered.ledger.switchboard.trip("velocity", "tenant=acme", by="ann", why="stop", open_for_us=1)
        clock.pass_(SECOND)
        ScriptedModel(before_answer=lambda: reset(metered)).invoke("hi", metered.config(ACME))
        assert calls_that_fit(metered) == 3
        assert metered.ledger.verify() == []


@pytest.mark.parametrize("breaker", [VELOCITY, DAY])
def test_a_forgiven_call_that_turns_out_cheaper_leaves_no_credit(tmp_path: Path, breaker: str) -> None:
    """What was never spent cannot be spent again: four fit, as after any reset."""
    clock = Clock()
    with tripped(tmp_path, clock, breaker) as metered:
        reset(metered)
        for step in list(metered.ledger.steps(entry="charge")):
            metered.ledger.correct(step["step_id"], reason="refunded", cost_nanousd=-CALL_NANOUSD)
        assert calls_that_fit(metered) == 4
        assert metered.ledger.verify() == []


@pytest.mark.parametrize("breaker", [VELOCITY, DAY])
def test_a_forgiven_call_that_turns_out_dearer_counts_with_the_difference(
    tmp_path: Path, breaker: str
) -> None:
    """It is known after the reset: two calls' worth more of it, and two fit."""
    clock = Clock()
    with tripped(tmp_path, clock, breaker) as metered:
        reset(metered)
        step = next(metered.ledger.steps())
        metered.ledger.correct(step["step_id"], reason="dearer", cost_nanousd=2 * CALL_NANOUSD)
        assert calls_that_fit(metered) == 2
        assert metered.ledger.verify() == []


def test_a_call_after_the_reset_that_turns_out_cheaper_gives_its_own_room_back(tmp_path: Path) -> None:
    """What was forgiven before stays forgiven."""
    clock = Clock()
    with tripped(tmp_path, clock, DAY) as metered:
        reset(metered)
        before = {step["step_id"] for step in metered.ledger.steps()}
        call(metered)
        (after,) = (step["step_id"] for step in metered.ledger.steps() if step["step_id"] not in before)
        metered.ledger.correct(after, reason="refunded", cost_nanousd=-CALL_NANOUSD)
        assert calls_that_fit(metered) == 4


def test_a_breaker_that_counts_something_else_now_has_forgiven_nothing(tmp_path: Path) -> None:
    """What a day's counter forgave is no room within a minute, nor the other way round."""
    clock = Clock()
    tripped(tmp_path, clock, DAY).close()
    clock.pass_(2 * MINUTE)
    with meter(tmp_path, VELOCITY, clock) as metered:
        reset(metered)
        assert calls_that_fit(metered) == 4
        assert metered.ledger.verify() == []


def test_verify_finds_what_nobody_forgave(tmp_path: Path) -> None:
    """What is forgiven is added up again from the steps up to the reset."""
    with tripped(tmp_path, Clock(), DAY) as metered:
        reset(metered)
        assert metered.ledger.verify() == []
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
            connection.execute("UPDATE forgiven SET spent_nanousd = spent_nanousd + 1")
        (problem,) = metered.ledger.verify()
    assert (problem.check, problem.message) == (
        "windows",
        "says 30000001 nanousd forgiven, its rows add up to 30000000",
    )


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.integers(0, 9)),
        st.tuples(st.just("correct"), st.integers(-9, 9)),
        st.just(("reset", 0)),
    ),
    max_size=12,
)


@given(acts=ACTS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_counts_is_what_came_after_the_last_reset(
    acts: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is spent, corrected and forgiven in whatever order: a step counts with what it costs beyond its cost then."""
    folder = tmp_path_factory.mktemp("resets")
    cost: dict[str, int] = {}
    then: dict[str, int] = {}
    with meter(folder, "name: velocity, per: tenant, limit_usd: '1', period: total", Clock()) as metered:
        for act, cents in acts:
            if act == "spend":
                with metered.task(ACME):
                    metered.record("parcel", usd=f"0.0{cents}")
                new = next(
                    step for step in metered.ledger.steps(entry="charge") if step["step_id"] not in cost
                )
                cost[new["step_id"]] = new["cost_nanousd"]
            elif act == "correct" and cost:
                step_id = min(cost)
                delta = max(cents * 10_000_000, -cost[step_id])
                metered.ledger.correct(step_id, reason="late", cost_nanousd=delta)
                cost[step_id] += delta
            elif act == "reset":
                metered.ledger.switchboard.trip("velocity", "tenant=acme", by="a", why="b", open_for_us=1)
                reset(metered)
                then = dict(cost)
        counts = sum(max(amount - then.get(step_id, 0), 0) for step_id, amount in cost.items())
        room = 1_000_000_000 - counts
        with metered.task(ACME):
            if room >= 0:
                with metered.step(
                    "model", provider="x", model="scripted", reserve=f"{room / 1e9:.9f}"
                ) as step:
                    step.response({"usage": {"input_tokens": 0, "output_tokens": 0}})
            with (
                pytest.raises(BreakerOpen),
                metered.step("model", provider="x", model="scripted", reserve=f"{(room + 1) / 1e9:.9f}"),
            ):
                pass
        assert metered.ledger.verify() == []
