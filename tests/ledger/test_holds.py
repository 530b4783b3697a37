"""Room in budgets is taken whole or not at all, and every counter is the sum of what it counts."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, START_US, change, rows, step, task
from ledger.test_processes import run, start
from spendgraph.clock import utc_us
from spendgraph.ledger import (
    Ask,
    Blocked,
    BudgetRow,
    HeldStep,
    Hold,
    HoldRelease,
    Ledger,
    Shortfall,
    StepRow,
    Want,
)
from spendgraph.ledger.holds import LEASE_US, UNHEARD

if TYPE_CHECKING:
    from pathlib import Path

CENT = 10_000_000
"""A cent in nano-USD."""


def want(limit: int | None = 3 * CENT, **changes: Any) -> Want:
    """The window of one budget of three cents, for ever."""
    return Want("cap", "tenant=acme", 0, None, None, "nanousd", limit)._replace(**changes)


def ask(step_id: str, nanousd: int = CENT, *wants: Want, tokens: int = 10) -> Ask:
    """A call that wants room for a cent."""
    row = step(
        step_id, cost_nanousd=nanousd, cost_basis="upper_bound", status="cancelled", usage_note=UNHEARD
    )
    return Ask(wants or (want(),), nanousd, tokens, row, (ACME,))


def held(hold: Hold | Shortfall | Blocked, row: StepRow) -> HeldStep:
    """The step that takes the place of its hold."""
    assert isinstance(hold, Hold)
    return HeldStep(tuple(row), hold.windows, hold.nanousd, hold.tokens)


def window(ledger: Ledger, budget: str = "cap") -> tuple[int, int]:
    """What is spent and held in the only window of a budget, in nano-USD."""
    ledger.flush()
    with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage] - exact, where the view rounds
        query = "SELECT spent_nanousd, held_nanousd FROM windows WHERE budget = ?"
        ((spent, held_now),) = connection.execute(query, (budget,)).fetchall()
    return spent, held_now


@pytest.fixture
def books(ledger: Ledger) -> Ledger:
    """A ledger with a task."""
    ledger.post(ACME, task())
    return ledger


def test_what_is_held_becomes_what_was_spent(books: Ledger) -> None:
    """The actual amount takes the hold's place."""
    hold = books.reserve(ask("s1"))
    assert window(books) == (0, CENT)
    books.book(held(hold, step("s1", cost_nanousd=4_000_000)))
    assert window(books) == (4_000_000, 0)
    assert books.verify() == []


def test_a_commit_delivered_twice_is_spent_once(books: Ledger) -> None:
    """Spent once, held zero."""
    record = held(books.reserve(ask("s1")), step("s1", cost_nanousd=CENT))
    books.book(record)
    books.book(record)
    assert window(books) == (CENT, 0)
    assert books.verify() == []


def test_remaining_two_cents_and_an_estimate_of_five_is_a_shortfall(books: Ledger) -> None:
    """Nothing is held, in no window: not even in the ones that have room."""
    books.book(held(books.reserve(ask("s1")), step("s1", cost_nanousd=CENT)))
    roomy = want(None, budget="wide")
    found = books.reserve(ask("s2", 5 * CENT, roomy, want()))
    assert isinstance(found, Shortfall)
    assert (found.spent, found.held, found.asked, found.want.limit) == (CENT, 0, 5 * CENT, 3 * CENT)
    assert window(books) == (CENT, 0)
    assert window(books, "wide") == (0, 0)


def test_an_actual_beyond_its_hold_is_spent_recorded_and_closes_the_window(books: Ledger) -> None:
    """Reserved 0.10, actual 0.15, cap 0.10: spent is 0.15, the overrun of 0.05 is a decision, the next is refused."""
    books.register([BudgetRow("cap", "", "", "", "nanousd", 10 * CENT, "total", "UTC", "{}")])
    hold = books.reserve(ask("s1", 10 * CENT, want(10 * CENT)))
    books.book(held(hold, step("s1", cost_nanousd=15 * CENT)))
    assert window(books) == (15 * CENT, 0)
    assert isinstance(books.reserve(ask("s2", 1, want(10 * CENT))), Shortfall)
    with books._reading() as connection:  # pyright: ignore[reportPrivateUsage]
        query = (
            "SELECT outcome, json_extract(detail, '$.overrun_nanousd') FROM decisions WHERE kind = 'budget'"
        )
        assert [tuple(row) for row in connection.execute(query)] == [("overrun", 5 * CENT)]


def test_a_limit_of_zero_lets_nothing_paid_in(books: Ledger) -> None:
    """It does not mean that there is no budget."""
    assert isinstance(books.reserve(ask("s1", 1, want(0))), Shortfall)


def test_what_was_not_sent_is_given_back(books: Ledger) -> None:
    """Once, however often it is said."""
    books.reserve(ask("s1"))
    books.book(HoldRelease("s1"))
    books.book(HoldRelease("s1"))
    assert window(books) == (0, 0)
    assert books.verify() == []


def test_a_rolling_budget_counts_the_windows_before(books: Ledger) -> None:
    """Each sub-window has its own counter; the limit holds for their sum."""
    for n, start_us in enumerate((0, 100, 200)):
        part = want(3 * CENT, start_us=start_us, end_us=start_us + 100, since_us=0)
        assert isinstance(books.reserve(ask(f"s{n}", CENT, part)), Hold)
    last = want(3 * CENT, start_us=300, end_us=400, since_us=0)
    assert isinstance(books.reserve(ask("s4", 1, last)), Shortfall)
    assert isinstance(books.reserve(ask("s5", CENT, last._replace(since_us=100))), Hold)


def test_calls_and_tokens_have_counters_too(books: Ledger) -> None:
    """A limit counts in its own unit."""
    calls = want(1, budget="calls", unit="calls")
    tokens = want(15, budget="tokens", unit="tokens")
    assert isinstance(books.reserve(ask("s1", CENT, calls, tokens)), Hold)
    assert isinstance(books.reserve(ask("s2", CENT, calls)), Shortfall)
    assert isinstance(books.reserve(ask("s3", CENT, tokens)), Shortfall)
    assert isinstance(books.reserve(ask("s4", CENT, tokens, tokens=5)), Hold)


def test_a_cache_hit_spends_nothing(books: Ledger) -> None:
    """What was held for it comes back whole, tokens and call included."""
    hold = books.reserve(ask("s1"))
    books.book(held(hold, step("s1", cost_nanousd=0, status="cache_hit")))
    assert window(books) == (0, 0)
    assert books.verify() == []


def test_every_want_for_the_last_room_is_answered_and_only_one_gets_it(books: Ledger) -> None:
    """Twenty threads, room for three."""
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(books.reserve, [ask(f"s{n}") for n in range(20)]))
    assert sum(isinstance(each, Hold) for each in found) == 3
    assert window(books) == (0, 3 * CENT)


def test_the_hold_of_a_killed_process_is_booked_when_its_lease_is_over(path: Path) -> None:
    """At its full amount, as an upper bound: the call may have been paid for. It is not released."""
    out, _ = run(
        "import os, signal\nfrom ledger.test_holds import ask\n"
        f"ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\n"
        "ledger.reserve(ask('s1')); print('held', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        returncode=-signal.SIGKILL,
    )
    assert out == "held\n"
    with Ledger.open(path) as ledger:
        assert window(ledger) == (0, CENT)
        assert isinstance(ledger.reserve(ask("s2", 3 * CENT)), Shortfall)
    change(path, f"UPDATE holds SET lease_until_us = lease_until_us - {LEASE_US + 1}")
    with Ledger.open(path) as ledger:
        assert window(ledger) == (CENT, 0)
        assert ledger.verify() == []
    assert rows(path, "SELECT step_id, cost_basis, cost_nanousd FROM steps") == [("s1", "upper_bound", CENT)]


def test_a_late_end_corrects_what_the_lease_had_booked(books: Ledger, path: Path) -> None:
    """The difference is a correction, and the cap still holds."""
    hold = books.reserve(ask("s1"))
    change(path, "UPDATE holds SET lease_until_us = 0")
    assert isinstance(books.reserve(ask("s2", 3 * CENT)), Shortfall)  # a no counts everything first
    assert window(books) == (CENT, 0)
    late = held(hold, step("s1", cost_nanousd=2_500_000, recorded_us=utc_us()))
    books.book(late)
    books.book(late)
    assert window(books) == (2_500_000, 0)
    assert rows(path, "SELECT entry, cost_nanousd FROM steps ORDER BY seq") == [
        ("charge", CENT),
        ("correction", 2_500_000 - CENT),
    ]
    assert books.verify() == []


def test_leases_are_renewed_while_the_process_lives(books: Ledger, path: Path) -> None:
    """A hold of this process does not run out, however long its call takes."""
    from spendgraph.ledger import leases

    books.reserve(ask("s1"))
    change(path, "UPDATE holds SET lease_until_us = 0")
    leases.keep(books._writer)  # pyright: ignore[reportPrivateUsage] - what the ledger thread does every 30 s
    assert window(books) == (0, CENT)
    ((lease,),) = rows(path, "SELECT lease_until_us FROM holds")
    assert lease > utc_us() + LEASE_US // 2


@pytest.mark.parametrize("processes", [1, 4])
def test_twenty_wants_of_three_quarters_of_a_cent_from_several_processes(path: Path, processes: int) -> None:
    """Cap $0.03: four are admitted, sixteen refused, whoever asks."""
    Ledger.open(path).close()
    code = (
        "from ledger.test_holds import ask\nfrom spendgraph.ledger import Hold\nimport os\n"
        f"ledger = Ledger.open({str(path)!r})\n"
        f"found = [ledger.reserve(ask(f'{{os.getpid()}}-{{n}}', 7_500_000)) for n in range({20 // processes})]\n"
        "print(sum(isinstance(each, Hold) for each in found))\n"
    )
    running = [start(code) for _ in range(processes)]
    admitted = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(admitted) == 4
    with Ledger.open(path) as ledger:
        assert window(ledger) == (0, 30_000_000)


_ACTS = st.lists(
    st.tuples(st.sampled_from(["reserve", "book", "release", "expire", "again"]), st.integers(0, 2 * CENT)),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(acts=_ACTS)
def test_whatever_happens_the_cap_holds_and_the_counters_are_sums(acts: list[tuple[str, int]]) -> None:
    """In strict use (no actual beyond its hold) spent and held never pass the cap, and every hold can be settled."""
    with Ledger.open(":memory:") as ledger:
        ledger.post(ACME, task())
        open_holds: list[tuple[str, Hold]] = []
        booked: list[HeldStep] = []
        for n, (act, amount) in enumerate(acts):
            if act == "reserve":
                found = ledger.reserve(ask(f"s{n}", amount))
                if isinstance(found, Hold):
                    open_holds.append((f"s{n}", found))
            elif act == "expire":
                ledger._writer.transact(lambda execute: execute("UPDATE holds SET lease_until_us = 0"))  # pyright: ignore[reportPrivateUsage]
            elif act == "again" and booked:
                ledger.book(booked[amount % len(booked)])
            elif open_holds and act == "release":
                ledger.book(HoldRelease(open_holds.pop()[0]))
            elif open_holds and act == "book":
                step_id, hold = open_holds.pop(0)
                cost = min(amount, hold.nanousd)
                booked.append(held(hold, step(step_id, cost_nanousd=cost, started_us=START_US)))
                ledger.book(booked[-1])
            if ledger.windows() or act == "reserve":
                with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
                    query = "SELECT spent_nanousd + held_nanousd FROM windows"
                    assert all(total <= 3 * CENT for (total,) in connection.execute(query))
        for step_id, hold in open_holds:
            ledger.book(held(hold, step(step_id, cost_nanousd=0)))
        assert ledger.verify() == []
        with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            assert connection.execute("SELECT count(*) FROM holds").fetchone()[0] == 0


def test_a_window_that_somebody_removed_is_opened_again(books: Ledger, path: Path) -> None:
    """Ids are remembered, and not believed."""
    hold = books.reserve(ask("s1"))
    books.book(held(hold, step("s1", cost_nanousd=CENT)))
    books.flush()
    change(path, "DELETE FROM step_windows")
    change(path, "DELETE FROM windows")
    assert isinstance(books.reserve(ask("s2")), Hold)
    assert window(books) == (0, CENT)


def test_many_steps_booked_together_are_each_booked_once(books: Ledger, path: Path) -> None:
    """Of two kinds of windows, some dearer than their hold, some delivered twice: every counter is its sum."""
    wide = want(None, budget="wide")
    records: list[HeldStep] = []
    for n in range(37):
        wants = (want(None),) if n % 3 else (want(None), wide)
        cost = 2 * CENT if n % 10 == 0 else CENT // 2
        records.append(held(books.reserve(ask(f"s{n}", CENT, *wants)), step(f"s{n}", cost_nanousd=cost)))
    with books._writer._lock:  # pyright: ignore[reportPrivateUsage] - so that one commit has them all
        for record in (*records, *records[:5]):
            books.book(record)
    books.flush()
    total = sum(record.step[StepRow._fields.index("cost_nanousd")] for record in records)
    assert window(books) == (total, 0)
    assert rows(path, "SELECT count(*) FROM steps") == [(37,)]
    assert books.verify() == []


def test_windows_that_are_asked_for_again_are_known_and_full_to_the_last_unit(books: Ledger) -> None:
    """The second time one statement asks and takes; the limit, in each window's own unit, is met exactly."""
    wants = (want(), want(2, budget="calls", unit="calls"), want(30, budget="tokens", unit="tokens"))
    assert isinstance(books.reserve(ask("s1", CENT, *wants)), Hold)
    assert isinstance(books.reserve(ask("s2", 2 * CENT, *wants, tokens=20)), Hold)
    assert window(books) == (0, 3 * CENT)
    for nanousd, changed in ((1, wants[:1]), (0, wants[1:2]), (0, wants[2:])):
        found = books.reserve(ask("s3", nanousd, *changed, tokens=1))
        assert isinstance(found, Shortfall)
        assert found.want == changed[0]
    assert window(books) == (0, 3 * CENT)


def test_a_known_window_that_was_pruned_is_opened_anew(books: Ledger) -> None:
    """What the others were given by the statement that missed it is taken back."""
    wants = (want(), want(budget="other"))
    assert isinstance(books.reserve(ask("s1", CENT, *wants)), Hold)
    books.book(HoldRelease("s1"))
    books.flush()
    books.transact(lambda execute: execute("DELETE FROM windows WHERE budget = 'other'"))
    hold = books.reserve(ask("s2", CENT, *wants))
    assert isinstance(hold, Hold)
    assert window(books) == (0, CENT)
    assert window(books, "other") == (0, CENT)
    books.book(held(hold, step("s2", cost_nanousd=CENT)))
    assert books.verify() == []


def test_a_known_window_past_a_threshold_wants_a_note(books: Ledger) -> None:
    """The statement that asks and takes does not pass one."""
    noted = want(notes=(CENT,))
    books.book(held(books.reserve(ask("s1", CENT - 1, noted)), step("s1", cost_nanousd=CENT - 1)))
    assert isinstance(books.reserve(ask("s2", 1, noted)), Hold)
    books.book(HoldRelease("s2"))
    books.book(held(books.reserve(ask("s3", 1, noted)), step("s3", cost_nanousd=1)))
    found = books.reserve(ask("s4", 1, noted))
    assert isinstance(found, Shortfall)
    assert found.threshold == CENT
