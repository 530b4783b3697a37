"""Envelopes: a task's calls draw from what it has set aside, nobody else does, and every counter stays a sum."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, change, rows, step, task
from ledger.test_holds import CENT, ask, want, window
from spendgraph.ledger import (
    Ask,
    Envelope,
    EnvelopeRelease,
    HeldStep,
    Hold,
    HoldRelease,
    Ledger,
    Opening,
    Shortfall,
    StepRow,
    Want,
)
from spendgraph.ledger.holds import LEASE_US


def take(
    ledger: Ledger, nanousd: int, *wants: Want, gate: str = "gate", task_id: str = "task-1", n: str = "e1"
) -> Envelope | Shortfall:
    """Take an envelope, of the window of `want()` unless others are named."""
    asked = wants or (want(),)
    row = StepRow(n, task_id, "other", ACME.context_id, 0, 0, 0)
    found = ledger.reserve(Ask(asked, nanousd, 0, row, opens=Opening(n, task_id, gate)))
    if isinstance(found, Shortfall):
        return found
    assert isinstance(found, Hold)
    return Envelope(n, found.windows, tuple(each[:3] for each in asked))


def taken(ledger: Ledger, nanousd: int, *wants: Want, **more: Any) -> Envelope:
    """An envelope that fits."""
    found = take(ledger, nanousd, *wants, **more)
    assert isinstance(found, Envelope)
    return found


def drawing(envelope: Envelope, step_id: str, nanousd: int = CENT, *wants: Want) -> Ask:
    """A call that draws from an envelope first."""
    return ask(step_id, nanousd, *wants)._replace(envelopes=(envelope,))


def booked(hold: object, step_id: str, cost: int) -> HeldStep:
    """The step that takes the place of its hold."""
    assert isinstance(hold, Hold)
    row = step(step_id, cost_nanousd=cost)
    return HeldStep(tuple(row), hold.windows, hold.nanousd, hold.tokens, hold.draws, hold.envelopes)


def left(ledger: Ledger) -> list[int]:
    """What is left in each envelope."""
    ledger.flush()
    with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
        return [row[0] for row in connection.execute("SELECT held_nanousd FROM envelopes ORDER BY 1")]


@pytest.fixture
def books(ledger: Ledger) -> Ledger:
    """A ledger with a task."""
    ledger.post(ACME, task())
    return ledger


def test_a_call_draws_from_its_tasks_envelope_and_what_it_did_not_need_goes_back_there(books: Ledger) -> None:
    """Of three cents two are set aside; the call holds one of them and costs a quarter."""
    envelope = taken(books, 2 * CENT)
    assert window(books) == (0, 2 * CENT)
    hold = books.reserve(drawing(envelope, "s1"))
    assert (window(books), left(books)) == ((0, 2 * CENT), [CENT])
    books.book(booked(hold, "s1", CENT // 4))
    assert (window(books), left(books)) == ((CENT // 4, 2 * CENT - CENT // 4), [2 * CENT - CENT // 4])
    assert books.verify() == []


def test_others_cannot_take_what_is_set_aside_and_the_task_can(books: Ledger) -> None:
    """One cent is free for others; the task has two."""
    envelope = taken(books, 2 * CENT)
    assert isinstance(books.reserve(ask("o1", 2 * CENT)), Shortfall)
    assert isinstance(books.reserve(ask("o2", CENT)), Hold)
    assert isinstance(books.reserve(ask("o3", 1)), Shortfall)
    assert isinstance(books.reserve(drawing(envelope, "s1", 2 * CENT)), Hold)
    refused = books.reserve(drawing(envelope, "s2", 1))
    assert isinstance(refused, Shortfall)
    assert (window(books), left(books)) == ((0, 3 * CENT), [0])


def test_what_the_envelope_does_not_cover_is_asked_of_the_windows(books: Ledger) -> None:
    """A call of two cents beside an envelope of one takes one more; what is unneeded goes to the envelope first."""
    envelope = taken(books, CENT)
    hold = books.reserve(drawing(envelope, "s1", 2 * CENT))
    assert (window(books), left(books)) == ((0, 2 * CENT), [0])
    books.book(booked(hold, "s1", CENT // 2))
    assert (window(books), left(books)) == ((CENT // 2, CENT), [CENT])
    assert isinstance(books.reserve(drawing(envelope, "s2", 4 * CENT)), Shortfall)
    assert left(books) == [CENT]
    assert books.verify() == []


def test_what_a_call_costs_beyond_its_hold_comes_out_of_the_envelope(books: Ledger) -> None:
    """So the room of others is not touched while the task has some of its own."""
    envelope = taken(books, 2 * CENT)
    hold = books.reserve(drawing(envelope, "s1", CENT))
    books.book(booked(hold, "s1", CENT + CENT // 2))
    assert (window(books), left(books)) == ((CENT + CENT // 2, CENT // 2), [CENT // 2])
    hold = books.reserve(drawing(envelope, "s2", CENT // 2))
    books.book(booked(hold, "s2", 2 * CENT))
    assert (window(books), left(books)) == ((3 * CENT + CENT // 2, 0), [0])
    assert books.verify() == []


def test_the_rest_goes_back_once_and_a_call_under_way_keeps_what_it_holds(books: Ledger) -> None:
    """The task ends while its call is out; what that did not need goes back to the windows."""
    envelope = taken(books, 2 * CENT)
    hold = books.reserve(drawing(envelope, "s1"))
    books.book(EnvelopeRelease("e1"))
    books.book(EnvelopeRelease("e1"))
    assert (window(books), left(books)) == ((0, CENT), [])
    books.book(booked(hold, "s1", CENT // 2))
    assert window(books) == (CENT // 2, 0)
    assert isinstance(books.reserve(drawing(envelope, "s2", CENT)), Hold)  # like any other call
    assert books.verify() == []


def test_a_call_that_was_not_sent_gives_back_to_the_envelope(books: Ledger) -> None:
    """Once, however often it is said."""
    envelope = taken(books, 2 * CENT)
    hold = books.reserve(drawing(envelope, "s1", 3 * CENT))
    assert isinstance(hold, Hold)
    for _ in range(2):
        books.book(HoldRelease("s1", hold.draws, hold.envelopes))
    assert (window(books), left(books)) == ((0, 2 * CENT), [2 * CENT])
    assert books.verify() == []


def test_a_second_envelope_of_one_gate_takes_the_place_of_the_first(books: Ledger) -> None:
    """Even if both would not fit; another gate's stands beside it."""
    first = taken(books, 2 * CENT)
    hold = books.reserve(drawing(first, "s1"))
    second = taken(books, 2 * CENT, n="e2")
    assert (window(books), left(books)) == ((0, 3 * CENT), [2 * CENT])
    books.book(booked(hold, "s1", 0))
    assert (window(books), left(books)) == ((0, 2 * CENT), [2 * CENT])
    assert isinstance(take(books, 2 * CENT, gate="other", n="e3"), Shortfall)
    assert isinstance(take(books, CENT, gate="other", n="e4"), Envelope)
    assert isinstance(books.reserve(drawing(second, "s2", 2 * CENT)), Hold)
    assert books.verify() == []


def test_a_call_that_not_all_of_the_envelopes_budgets_count_does_not_draw(books: Ledger) -> None:
    """What it would give back might be taken already there."""
    wide = want(None, budget="wide")
    envelope = taken(books, CENT, want(), wide)
    assert isinstance(books.reserve(drawing(envelope, "s1", CENT, want())), Hold)
    assert (window(books), window(books, "wide"), left(books)) == ((0, 2 * CENT), (0, CENT), [CENT])


def test_a_window_that_the_envelope_does_not_have_is_asked_for_the_whole_amount(books: Ledger) -> None:
    """Here a cap of half a cent that was opened inside the task."""
    envelope = taken(books, CENT)
    cap = want(CENT // 2, budget="meter.cap", scope="cap=t")
    assert isinstance(books.reserve(drawing(envelope, "s1", CENT, want(), cap)), Shortfall)
    assert left(books) == [CENT]
    assert isinstance(books.reserve(drawing(envelope, "s2", CENT // 2, want(), cap)), Hold)
    assert (window(books), window(books, "meter.cap")) == ((0, CENT), (0, CENT // 2))


def test_in_the_next_part_of_a_rolling_period_the_envelope_still_counts(books: Ledger) -> None:
    """The sum over the parts stays the same when a call moves money from an old part to the current one."""
    old = want(3 * CENT, start_us=0, end_us=100, since_us=-4700)
    envelope = taken(books, 3 * CENT, old)
    now = want(3 * CENT, start_us=100, end_us=200, since_us=-4600)
    hold = books.reserve(drawing(envelope, "s1", 2 * CENT, now))
    assert isinstance(books.reserve(ask("o1", 1, now)), Shortfall)
    books.book(booked(hold, "s1", CENT))
    assert left(books) == [2 * CENT]
    assert isinstance(books.reserve(ask("o2", 1, now)), Shortfall)
    assert books.verify() == []


def test_in_the_next_calendar_window_a_call_asks_for_itself_and_no_more_than_that(books: Ledger) -> None:
    """A new day has its own room; the month, which the envelope holds, is not asked twice. What is unneeded does not go back."""
    month = want(3 * CENT, budget="month")
    first, second = (want(CENT, budget="day", start_us=n, end_us=n + 100) for n in (0, 100))
    envelope = taken(books, 0 + CENT, month, first)
    assert isinstance(books.reserve(ask("o1", 2 * CENT, month)), Hold)
    hold = books.reserve(drawing(envelope, "s1", CENT, month, second))
    assert left(books) == [0]
    books.book(booked(hold, "s1", CENT // 2))
    assert (left(books), window(books, "month")) == ([0], (CENT // 2, 2 * CENT))
    assert books.verify() == []


def test_the_envelope_of_a_killed_process_is_given_back_and_its_calls_are_booked(tmp_path: Path) -> None:
    """An envelope is no call: nothing was spent by it. The call that drew from it may have been paid for."""
    path = tmp_path / "ledger.db"
    code = f"""
import os, signal
from ledger.test_envelopes import *
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())
envelope = taken(ledger, 2 * CENT)
assert isinstance(ledger.reserve(drawing(envelope, "s1", CENT // 2)), Hold)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        assert (window(ledger), left(ledger)) == ((0, 2 * CENT), [CENT + CENT // 2])
        assert isinstance(ledger.reserve(ask("o1", 2 * CENT)), Shortfall)
        assert ledger.verify() == []
    for table in ("holds", "envelopes"):
        change(path, f"UPDATE {table} SET lease_until_us = lease_until_us - {LEASE_US + 1}")
    with Ledger.open(path) as ledger:
        assert (window(ledger), left(ledger)) == ((CENT // 2, 0), [])
        assert ledger.verify() == []
    assert rows(path, "SELECT step_id, cost_nanousd FROM steps") == [("s1", CENT // 2)]


def test_a_process_that_lives_renews_its_envelopes_and_a_no_counts_those_of_dead_ones(
    books: Ledger, path: Path
) -> None:
    """Before a call is refused, what nobody keeps any more is given back."""
    from spendgraph.ledger import leases

    taken(books, 3 * CENT)
    change(path, "UPDATE envelopes SET lease_until_us = 0")
    leases.keep(books._writer)  # pyright: ignore[reportPrivateUsage] - what the ledger thread does every 30 s
    assert isinstance(books.reserve(ask("o1", CENT)), Shortfall)
    change(path, "UPDATE envelopes SET lease_until_us = 0")
    assert isinstance(books.reserve(ask("o2", CENT)), Hold)
    assert (window(books), left(books)) == ((0, CENT), [])


def test_verify_finds_an_envelope_that_does_not_add_up(books: Ledger, path: Path) -> None:
    """Its money is part of what its windows hold."""
    taken(books, CENT)
    change(path, "UPDATE envelopes SET held_nanousd = held_nanousd + 1")
    messages = [problem.message for problem in books.verify()]
    assert len(messages) == 2
    assert "rows add up to 10000001" in messages[0]
    assert messages[1] == "has 10000001 nanousd left of 10000000"


def test_what_a_grant_gave_an_envelope_goes_back_to_the_grant(books: Ledger, path: Path) -> None:
    """A cent beyond the limit was granted; the envelope of four cents draws it, and the half that is left returns."""
    books.register([])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO grants (grant_id, budget, scope, window_start_us, task_id, unit, amount, granted_by, why, granted_us)"
            f" VALUES ('g', 'cap', 'tenant=acme', 0, 'task-1', 'nanousd', {CENT}, 'lead', 'why', 0)"
        )
    found = take(books, 5 * CENT)
    assert isinstance(found, Shortfall)
    assert found.missing == CENT
    envelope = taken(books, 4 * CENT)
    assert rows(path, "SELECT used FROM grants") == [(CENT,)]
    hold = books.reserve(drawing(envelope, "s1", 3 * CENT + CENT // 2))
    books.book(booked(hold, "s1", 3 * CENT + CENT // 2))
    books.post(EnvelopeRelease("e1"))
    assert rows(path, "SELECT used FROM grants") == [(CENT // 2,)]
    assert window(books) == (3 * CENT + CENT // 2, 0)
    assert books.verify() == []


def run_out(execute: Any) -> None:
    """Every lease is over."""
    for table in ("holds", "envelopes"):
        execute(f"UPDATE {table} SET lease_until_us = 0")


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "draw", "other", "book", "release", "end", "expire", "again"]),
        st.integers(0, 2 * CENT),
        st.sampled_from(["cap", "both"]),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(acts=_ACTS)
def test_whatever_happens_the_caps_hold_and_the_counters_are_sums(acts: list[tuple[str, int, str]]) -> None:
    """With costs within holds no cap is passed, an envelope never has more than was taken, and in the end all is given back."""
    second = want(2 * CENT, budget="second")
    with Ledger.open(":memory:") as ledger:
        ledger.post(ACME, task())
        envelopes: list[Envelope] = []
        out: list[tuple[str, Hold]] = []
        done: list[HeldStep] = []
        for n, (act, amount, which) in enumerate(acts):
            wants = (want(), second) if which == "both" else (want(),)
            if act == "take":
                found = take(ledger, amount, *wants, gate=f"gate-{amount % 2}", n=f"e{n}")
                if isinstance(found, Envelope):
                    envelopes.append(found)
            elif act in {"draw", "other"}:
                asked = ask(f"s{n}", amount, *wants)
                if act == "draw":
                    asked = asked._replace(envelopes=tuple(envelopes))
                hold = ledger.reserve(asked)
                if isinstance(hold, Hold):
                    out.append((f"s{n}", hold))
            elif act == "end" and envelopes:
                ledger.book(EnvelopeRelease(envelopes[amount % len(envelopes)].envelope_id))
            elif act == "expire":
                ledger._writer.transact(run_out)  # pyright: ignore[reportPrivateUsage]
            elif act == "again" and done:
                ledger.book(done[amount % len(done)])
            elif out and act == "release":
                step_id, hold = out.pop()
                ledger.book(HoldRelease(step_id, hold.draws, hold.envelopes))
            elif out and act == "book":
                step_id, hold = out.pop(amount % len(out))
                done.append(booked(hold, step_id, min(amount, hold.nanousd)))
                ledger.book(done[-1])
            ledger.flush()
            with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
                query = "SELECT budget, spent_nanousd + held_nanousd FROM windows"
                for budget, total in connection.execute(query):
                    assert total <= (3 if budget == "cap" else 2) * CENT
            assert ledger.verify() == []
        for step_id, hold in out:
            ledger.book(booked(hold, step_id, 0))
        for envelope in envelopes:
            ledger.book(EnvelopeRelease(envelope.envelope_id))
        assert ledger.verify() == []
        with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            query = "SELECT coalesce(sum(held_nanousd), 0) FROM windows"
            assert connection.execute(query).fetchone()[0] == 0
