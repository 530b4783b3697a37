"""What was set aside, granted or held goes back to where it came from, whatever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ledger.rows import ACME, START_US, step, task
from ledger.test_holds import CENT, ask, held, want, window
from spendgraph.clock import utc_us
from spendgraph.ledger import (
    Ask,
    BudgetRow,
    Envelope,
    EnvelopeRelease,
    HeldStep,
    Hold,
    HoldRelease,
    Ledger,
    Opening,
    Shortfall,
    TaskEnd,
)
from spendgraph.ledger.grants import Grant, give
from spendgraph.ledger.holds import NOT_SENT, book_expired

if TYPE_CHECKING:
    from pathlib import Path

LATER_US = 10**9
"""Longer than any lease."""


@pytest.fixture
def books(path: Path) -> Iterator[Ledger]:
    """A ledger with two tasks, the first of which was granted ten cents beyond a limit of nothing."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), task("task-2"))
        grant = Grant("g", "cap", "tenant=acme", 0, "task-1", "nanousd", 10 * CENT, "lead", "launch", 1)
        ledger.transact(lambda execute: give(execute, grant))
        yield ledger


def hold(ledger: Ledger, asked: Ask) -> Hold:
    """Room that has to be there."""
    found = ledger.reserve(asked)
    assert isinstance(found, Hold)
    return found


def whole(found: Hold, **columns: Any) -> HeldStep:
    """The end of a call, with everything that its hold drew from."""
    return HeldStep(tuple(step(**columns)), *found)


def used(ledger: Ledger) -> int:
    """What is used of the grant."""
    ledger.flush()
    with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
        amount: int = connection.execute("SELECT used FROM grants").fetchone()[0]
    return amount


def stranger(nanousd: int) -> Ask:
    """A call of the task that was granted nothing."""
    asked = ask("stranger", nanousd, want(0))
    return asked._replace(step=asked.step._replace(task_id="task-2"))


def set_aside(ledger: Ledger, name: str, nanousd: int, limit: int = 0) -> Envelope:
    """An envelope of the first task."""
    found = hold(ledger, ask(name, nanousd, want(limit))._replace(opens=Opening(name, "task-1", "gate")))
    return Envelope(name, found.windows, (want()[:3],))


@pytest.mark.parametrize("together", [True, False])
def test_the_last_call_and_its_envelope_in_one_batch_give_the_grant_back(
    books: Ledger, together: bool
) -> None:
    """The call's end comes first: what it did not need goes to the envelope, and with that to the grant."""
    envelope = set_aside(books, "E", 10 * CENT)
    found = hold(books, ask("s1", 8 * CENT, want(0))._replace(envelopes=(envelope,)))
    books.book(whole(found, step_id="s1", cost_nanousd=CENT))
    if not together:
        books.flush()
    books.book(TaskEnd("task-1", "finished", START_US + 10))
    books.book(EnvelopeRelease("E"))
    assert used(books) == CENT
    assert isinstance(books.reserve(stranger(7 * CENT)), Shortfall)
    assert books.verify() == []


def test_room_that_was_granted_is_no_strangers_once_it_is_free(books: Ledger) -> None:
    """A grant that was drawn on while others held the limit lets nobody else pass it afterwards."""
    limit = 10 * CENT
    other = ask("x", limit, want(limit))
    first = hold(books, other._replace(step=other.step._replace(task_id="task-2")))
    granted = hold(books, ask("s1", 5 * CENT, want(limit)))
    assert used(books) == 5 * CENT
    books.book(whole(granted, step_id="s1", cost_nanousd=5 * CENT))
    books.book(whole(first, step_id="x", task_id="task-2", cost_nanousd=CENT))
    within = stranger(4 * CENT)._replace(wants=(want(limit),))
    beyond = stranger(8 * CENT)._replace(wants=(want(limit),))
    assert isinstance(books.reserve(beyond), Shortfall)
    assert isinstance(books.reserve(within), Hold)


def test_a_late_end_gives_the_grant_back(books: Ledger) -> None:
    """The lease had run out and the call was booked in full; its end says that it cost less."""
    found = hold(books, ask("s1", 8 * CENT, want(0)))
    books.transact(lambda execute: book_expired(execute, utc_us() + LATER_US))
    assert (window(books), used(books)) == ((8 * CENT, 0), 8 * CENT)
    books.book(whole(found, step_id="s1", cost_nanousd=CENT))
    assert (window(books), used(books)) == ((CENT, 0), CENT)
    assert isinstance(books.reserve(stranger(7 * CENT)), Shortfall)
    assert books.verify() == []


def test_a_correction_gives_the_grant_back(books: Ledger) -> None:
    """Of a step that was booked at all that was held, by its own process."""
    found = hold(books, ask("s1", 8 * CENT, want(0)))
    books.book(whole(found, step_id="s1", cost_nanousd=8 * CENT))
    less = step("s1-late", cost_nanousd=-7 * CENT, entry="correction", corrects_step_id="s1")
    books.book(HeldStep(tuple(less), found.windows, 0, 0, found.draws))
    assert (window(books), used(books)) == ((CENT, 0), CENT)


def test_a_call_that_was_not_sent_is_taken_back_after_its_lease_too(books: Ledger) -> None:
    """Another process has booked it in full meanwhile."""
    found = hold(books, ask("s1", 8 * CENT, want(0)))
    books.transact(lambda execute: book_expired(execute, utc_us() + LATER_US))
    for _ in range(2):  # said twice, once
        books.book(HoldRelease("s1", found.draws, found.envelopes))
        assert (window(books), used(books)) == ((0, 0), 0)
    assert [row["usage_note"] for row in books.steps(entry="correction")] == [NOT_SENT]
    assert books.verify() == []


def test_an_envelope_whose_replacement_is_refused_is_kept(path: Path) -> None:
    """Nobody else gets its room."""
    with Ledger.open(path) as books:
        books.post(ACME, task())
        limit = 10 * CENT
        set_aside(books, "E1", 5 * CENT, limit)
        hold(books, ask("x", 5 * CENT, want(limit)))
        dearer = ask("E2", 6 * CENT, want(limit))._replace(opens=Opening("E2", "task-1", "gate"))
        assert isinstance(books.reserve(dearer), Shortfall)
        assert isinstance(books.reserve(ask("y", CENT, want(limit))), Shortfall)
        set_aside(books, "E3", 4 * CENT, limit)
        assert window(books) == (0, 9 * CENT)
        assert books.verify() == []


def test_a_correction_counts_in_the_windows_of_its_step(path: Path) -> None:
    """What is found out later counts in the budget like what was known at once."""
    with Ledger.open(path) as books:
        books.post(ACME, task())
        books.book(held(books.reserve(ask("s1")), step("s1", cost_nanousd=CENT)))
        books.correct("s1", reason="the invoice says so", cost_nanousd=5 * CENT)
        assert window(books) == (6 * CENT, 0)
        assert isinstance(books.reserve(ask("s2")), Shortfall)
        assert books.verify() == []


def test_the_hold_of_a_row_that_was_refused_is_booked_in_full(path: Path) -> None:
    """Its row is kept beside the ledger; nobody will say again what the call cost."""
    with Ledger.open(path) as books:
        books.post(ACME, task())
        found = hold(books, ask("s1"))
        books.book(whole(found, step_id="s1", kind="nonsense", cost_nanousd=CENT))
        books.flush()
        books.transact(lambda execute: book_expired(execute, utc_us()))
        assert window(books) == (CENT, 0)
        assert [row["cost_basis"] for row in books.steps()] == ["upper_bound"]


def test_a_rolling_budget_is_raised_at_any_time(books: Ledger) -> None:
    """Also when nobody has called within its latest part."""
    part = want(0, budget="rolling", start_us=START_US, end_us=START_US + 1, since_us=START_US)
    books.register([BudgetRow("rolling", "", "", "", "nanousd", 0, "rolling 24h", "UTC", "{}")])
    assert isinstance(books.reserve(ask("s1", CENT, part)), Shortfall)
    books.inbox.raise_limit("rolling", "tenant=acme", CENT, by="lead", why="launch")
    assert isinstance(books.reserve(ask("s1", CENT, part)), Hold)


def test_verify_names_grants_and_holds_that_do_not_fit(books: Ledger) -> None:
    """What is used is within what was given, and a hold counts in windows that exist."""
    hold(books, ask("s1", CENT, want(0)))
    books.transact(lambda execute: execute("UPDATE grants SET used = -1"))
    books.transact(lambda execute: execute("UPDATE holds SET windows = '[77]'"))
    said = {(problem.subject, problem.message) for problem in books.verify()}
    assert ("grant g", f"says -1 used of {10 * CENT}") in said
    assert ("hold s1", "counts in window 77, which does not exist") in said
