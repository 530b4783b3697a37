"""A hold grows in its windows by what there is, and goes back whole, whoever knew of it."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, START_US, change, rows, step, task
from ledger.test_holds import CENT, ask, held, want, window
from spendgraph.clock import utc_us
from spendgraph.ledger import Hold, HoldRelease, Ledger, Shortfall, StepRow
from spendgraph.ledger.grants import Grant, give, put_back
from spendgraph.ledger.growth import Wish, extend, shrink
from spendgraph.ledger.holds import LEASE_US, UNHEARD

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def books(ledger: Ledger) -> Ledger:
    """A ledger with a task."""
    ledger.post(ACME, task())
    return ledger


def wish(step_id: str, hold: object, nanousd: int, *, least: int = 1, **changes: Any) -> Wish:
    """More room for a call."""
    assert isinstance(hold, Hold)

    def unheard(held_nanousd: int, held_tokens: int) -> StepRow:
        return step(step_id, cost_nanousd=held_nanousd, status="cancelled", usage_note=UNHEARD)

    return Wish(step_id, "task-1", (want(),), hold, nanousd, 0, least, 0, unheard)._replace(**changes)


def grown(ledger: Ledger, more: Wish) -> Hold | Shortfall:
    """What there is for a wish."""
    return extend(ledger, more, utc_us(), loop_wait_s=1)


def give_room(ledger: Ledger, grant_id: str, amount: int) -> None:
    """Room beyond the limit for everybody."""
    grant = Grant(grant_id, "cap", "tenant=acme", 0, "", "nanousd", amount, "lead", "test", utc_us())
    ledger.transact(lambda execute: give(execute, grant))


def used(ledger: Ledger) -> list[int]:
    """What is used of every grant."""
    with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
        return [row[0] for row in connection.execute("SELECT used FROM grants ORDER BY grant_id")]


def test_a_hold_grows_by_what_is_wished_for_and_is_settled_whole(books: Ledger, path: Path) -> None:
    """Its windows, its row, the row to book for it and its lease grow with it."""
    hold = books.reserve(ask("s1"))
    change(path, "UPDATE holds SET lease_until_us = 0")
    more = grown(books, wish("s1", hold, CENT))
    assert isinstance(more, Hold)
    assert (more.nanousd, window(books)) == (2 * CENT, (0, 2 * CENT))
    ((amount, booked, lease),) = rows(path, "SELECT held_nanousd, step, lease_until_us FROM holds")
    assert (amount, str(2 * CENT) in booked, lease > utc_us() + LEASE_US // 2) == (2 * CENT, True, True)
    assert books.verify() == []
    books.book(held(more, step("s1", cost_nanousd=CENT // 2)))
    assert window(books) == (CENT // 2, 0)
    assert books.verify() == []


def test_a_hold_grows_by_what_there_is_if_that_is_enough(books: Ledger) -> None:
    """The rest of the limit; then nothing."""
    hold = books.reserve(ask("s1"))
    books.reserve(ask("s2"))
    more = grown(books, wish("s1", hold, 5 * CENT))
    assert isinstance(more, Hold)
    assert more.nanousd == 2 * CENT
    found = grown(books, wish("s1", more, 5 * CENT))
    assert isinstance(found, Shortfall)
    assert (found.spent, found.held, found.asked) == (0, 3 * CENT, 1)
    assert window(books) == (0, 3 * CENT)
    assert books.verify() == []


def test_a_no_counts_everything_first(books: Ledger, path: Path) -> None:
    """Calls of a killed process, and what this one has not committed yet."""
    hold = books.reserve(ask("s1"))
    other = books.reserve(ask("s2", 2 * CENT))
    with books._writer._lock:  # pyright: ignore[reportPrivateUsage] - it waits for its commit
        books.book(held(other, step("s2", cost_nanousd=CENT)))
        books._writer.thread.stop()  # pyright: ignore[reportPrivateUsage]
    assert isinstance(grown(books, wish("s1", hold, CENT)), Hold)
    assert books.verify() == []


def test_booking_gives_back_a_growth_that_its_process_never_heard_of(books: Ledger) -> None:
    """One by one and many together."""
    for count in (1, 8):
        holds = [books.reserve(ask(f"{count}-{n}", CENT // 10)) for n in range(count)]
        for n, hold in enumerate(holds):
            grown(books, wish(f"{count}-{n}", hold, CENT // 100))
        with books._writer._lock:  # pyright: ignore[reportPrivateUsage] - so that one commit has them all
            for n, hold in enumerate(holds):
                books.book(held(hold, step(f"{count}-{n}", cost_nanousd=0)))
        assert window(books) == (0, 0)
    assert books.verify() == []


def test_a_growth_that_came_too_late_is_taken_back(books: Ledger) -> None:
    """Before the call ends, and after; what grants gave with it, too."""
    give_room(books, "g", 3 * CENT)
    hold = books.reserve(ask("s1", 3 * CENT))
    for is_booked in (False, True):
        more = wish("s1", hold, CENT)
        late = grown(books, more)
        assert isinstance(late, Hold)
        assert (late.draws, used(books)) == ((("g", CENT),), [CENT])
        if is_booked:
            books.book(held(hold, step("s1", cost_nanousd=CENT)))
            books.flush()
        books.transact(partial(shrink, wish=more, grown=late))
        assert window(books) == ((CENT, 0) if is_booked else (0, 3 * CENT))
        assert used(books) == [0]
    assert books.verify() == []


def test_a_growth_draws_on_grants_and_gives_back_what_was_not_needed(books: Ledger) -> None:
    """Of two grants for one budget the last drawn first, and never more than was left over."""
    give_room(books, "a", CENT)
    give_room(books, "b", CENT)
    hold = books.reserve(ask("s1", 3 * CENT + CENT // 2))
    more = grown(books, wish("s1", hold, 9 * CENT))
    assert isinstance(more, Hold)
    assert (more.nanousd, dict(more.draws), used(books)) == (5 * CENT, {"a": CENT, "b": CENT}, [CENT, CENT])
    assert isinstance(grown(books, wish("s1", more, CENT)), Shortfall)
    books.book(held(more, step("s1", cost_nanousd=4 * CENT + CENT // 2))._replace(draws=more.draws))
    assert window(books) == (4 * CENT + CENT // 2, 0)
    assert used(books) == [CENT, CENT // 2]
    assert books.verify() == []


def test_what_was_not_needed_goes_back_to_each_budget_that_gave_it(books: Ledger) -> None:
    """A call that drew in two windows leaves room in both."""
    for budget in ("cap", "other"):
        grant = Grant(budget, budget, "tenant=acme", 0, "", "nanousd", CENT, "lead", "test", utc_us())
        books.transact(partial(give, grant=grant))
    books.transact(lambda execute: execute("UPDATE grants SET used = amount"))
    books.transact(
        lambda execute: put_back(
            execute, [("cap", CENT), ("other", CENT)], {"nanousd": 4, "tokens": 0, "calls": 0}
        )
    )
    assert used(books) == [CENT - 4, CENT - 4]


def test_a_call_whose_hold_is_gone_goes_on_where_there_is_room(books: Ledger, path: Path) -> None:
    """Its lease had run out, and it was booked; its end corrects that. Nothing more is held for it."""
    hold = books.reserve(ask("s1"))
    change(path, "UPDATE holds SET lease_until_us = 0")
    assert isinstance(books.reserve(ask("s2", 3 * CENT)), Shortfall)  # which books what has expired
    assert window(books) == (CENT, 0)
    assert isinstance(grown(books, wish("s1", hold, CENT)), Hold)
    assert window(books) == (CENT, 0)
    assert isinstance(grown(books, wish("s1", hold, 3 * CENT, least=3 * CENT)), Shortfall)
    books.book(held(hold, step("s1", cost_nanousd=2 * CENT, recorded_us=utc_us())))
    assert window(books) == (2 * CENT, 0)
    assert books.verify() == []


def test_a_rolling_budget_counts_the_windows_before(books: Ledger) -> None:
    """A hold grows in its own window, by what the whole period leaves."""
    older = want(3 * CENT, start_us=0, end_us=100, since_us=0)
    newer = want(3 * CENT, start_us=100, end_us=200, since_us=0)
    books.reserve(ask("s1", CENT, older))
    hold = books.reserve(ask("s2", CENT, newer))
    more = grown(books, wish("s2", hold, 5 * CENT, wants=(newer,)))
    assert isinstance(more, Hold)
    assert more.nanousd == 2 * CENT


def test_leases_are_renewed_in_a_process_that_is_never_silent(
    books: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of minutes is not booked as lost because others are busy."""
    monkeypatch.setattr("spendgraph.ledger.leases.KEEP_S", 0.3)
    books.reserve(ask("s1"))
    change(path, "UPDATE holds SET lease_until_us = 1")
    until = time.monotonic() + 5
    while rows(path, "SELECT lease_until_us FROM holds") == [(1,)] and time.monotonic() < until:
        books.defer(task())  # the ledger thread hears of something all the time
        time.sleep(0.01)
    ((lease,),) = rows(path, "SELECT lease_until_us FROM holds")
    assert lease > utc_us() + LEASE_US // 2


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "grow", "unheard", "book", "release", "expire", "take back"]),
        st.integers(0, 2 * CENT),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(acts=_ACTS)
def test_however_holds_grow_the_cap_holds_and_the_counters_are_sums(acts: list[tuple[str, int]]) -> None:
    """Spent and held never pass the cap, and every hold goes back whole."""
    with Ledger.open(":memory:") as ledger:
        ledger.post(ACME, task())
        open_holds: list[tuple[str, Hold]] = []
        for n, (act, amount) in enumerate(acts):
            if act == "reserve":
                found = ledger.reserve(ask(f"s{n}", amount))
                if isinstance(found, Hold):
                    open_holds.append((f"s{n}", found))
            elif act == "expire":
                ledger.transact(lambda execute: execute("UPDATE holds SET lease_until_us = 0"))
            elif not open_holds:
                continue
            elif act in {"grow", "unheard", "take back"}:
                step_id, hold = open_holds[amount % len(open_holds)]
                more = wish(step_id, hold, amount)
                found = grown(ledger, more)
                if isinstance(found, Hold) and act == "take back":
                    ledger.transact(partial(shrink, wish=more, grown=found))
                elif isinstance(found, Hold) and act == "grow":
                    open_holds[amount % len(open_holds)] = step_id, found
            elif act == "release":
                ledger.book(HoldRelease(open_holds.pop()[0]))
            else:
                step_id, hold = open_holds.pop(0)
                cost = min(amount, hold.nanousd)
                ledger.book(held(hold, step(step_id, cost_nanousd=cost, started_us=START_US)))
            ledger.flush()
            assert ledger.verify() == []
            assert all(row["held_nanousd"] >= 0 for row in ledger.windows())
        for step_id, hold in open_holds:
            ledger.book(held(hold, step(step_id, cost_nanousd=0)))
        assert ledger.verify() == []
        with ledger._reading() as connection:  # pyright: ignore[reportPrivateUsage]
            assert connection.execute("SELECT count(*) FROM holds").fetchone()[0] == 0
            if any(act == "expire" for act, _ in acts):
                return  # then calls whose hold is gone may have gone on
            query = "SELECT spent_nanousd + held_nanousd FROM windows"
            assert all(total <= 3 * CENT for (total,) in connection.execute(query))


def test_twenty_threads_grow_into_the_last_room(books: Ledger) -> None:
    """Together they get what there is, to the nano-dollar."""
    holds = [books.reserve(ask(f"s{n}", CENT // 20)) for n in range(20)]
    found: list[Hold | Shortfall] = []

    def more(n: int) -> None:
        hold = holds[n]
        while isinstance(hold, Hold):
            found.append(hold)
            hold = grown(books, wish(f"s{n}", hold, CENT // 20))

    threads = [threading.Thread(target=more, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert window(books) == (0, 3 * CENT)
    assert books.verify() == []
