"""The ledger thread under load: what is deferred is written in time, leases are renewed, questions do not wait for rows."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from ledger.rows import change, rows, step, step_ids
from ledger.test_holds import ask, held, want
from spendgraph.clock import utc_us
from spendgraph.errors import LedgerBusy
from spendgraph.ledger import Hold, leases
from spendgraph.ledger.holds import LEASE_US
from spendgraph.ledger.thread import LATE_WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from spendgraph.ledger import Ledger


def test_what_is_booked_is_committed_in_time_however_many_reservations_come(
    ledger: Ledger, path: Path
) -> None:
    """The pause that rows wait for is not begun anew by every question to the thread."""

    async def main() -> int:
        hold = ledger.reserve(ask("first", 10, want(None)))
        ledger.book(held(hold, step("first", cost_nanousd=1)))
        until = time.monotonic() + 5
        asked = 0
        while "first" not in step_ids(path) and time.monotonic() < until:
            asked += 1
            assert isinstance(ledger.reserve(ask(f"s{asked}", 10, want(None)), loop_wait_s=5), Hold)
        return asked

    asyncio.run(main())
    assert "first" in step_ids(path)


def test_a_reservation_on_a_loop_does_not_wait_for_what_is_booked(ledger: Ledger, path: Path) -> None:
    """Steps that cost no more than was held are not written first: that is a transaction more at every call."""

    async def main() -> None:
        hold = ledger.reserve(ask("first", 10, want(None)), loop_wait_s=5)
        with ledger._writer._lock:  # pyright: ignore[reportPrivateUsage] - so that nobody commits meanwhile
            ledger.book(held(hold, step("first", cost_nanousd=1)))
        ledger.reserve(ask("second", 10, want(None)), loop_wait_s=5)

    ledger.reserve(ask("before", 10, want(None)))  # the first hold of a process has the thread look
    ledger.flush()
    time.sleep(0.1)
    begun = time.monotonic()
    asyncio.run(main())
    holds = rows(path, "SELECT hold_id FROM holds ORDER BY hold_id")
    if time.monotonic() - begun < 0.04:  # before the deferred commit was due
        assert holds == [("before",), ("first",), ("second",)]
    ledger.flush()
    assert rows(path, "SELECT hold_id FROM holds ORDER BY hold_id") == [("before",), ("second",)]


def test_a_loop_that_has_waited_in_vain_does_not_wait_as_long_again(ledger: Ledger, path: Path) -> None:
    """Fifty calls behind a lock that stays hold the loop up for one full wait and for moments; an answer ends that.

    What they asked for and gave up is not done afterwards: the next call does not wait behind it.
    """

    async def waited(step_id: str) -> str:
        try:
            ledger.reserve(ask(step_id, 10, want(None)), loop_wait_s=0.2)
        except LedgerBusy:
            return "busy"
        return "answered"

    async def main() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert [await waited(f"locked {n}") for n in range(50)] == ["busy"] * 50
            assert patience() == LATE_WAIT_S
            other.execute("ROLLBACK")
        ledger.flush()
        assert await waited("free") == "answered"

    def patience() -> float:
        return ledger._writer.thread._patience(0.2)  # pyright: ignore[reportPrivateUsage] - how long a loop waits now

    ledger.reserve(ask("before", 10, want(None)))
    ledger.flush()
    assert patience() == 0.2
    asyncio.run(main())
    assert patience() == 0.2
    assert rows(path, "SELECT hold_id FROM holds ORDER BY hold_id") == [("before",), ("free",)]


def test_leases_are_renewed_in_a_process_that_is_never_idle(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that are booked all the time do not keep the thread from renewing the lease of a long call."""
    monkeypatch.setattr(leases, "KEEP_S", 0.2)
    ledger.reserve(ask("long", 10, want(None)))
    change(path, "UPDATE holds SET lease_until_us = 1")
    until = time.monotonic() + 1
    n = 0
    while time.monotonic() < until:
        n += 1
        hold = ledger.reserve(ask(f"s{n}", 10, want(None)))
        ledger.book(held(hold, step(f"s{n}", cost_nanousd=1)))
        time.sleep(0.005)
    ((lease,),) = rows(path, "SELECT lease_until_us FROM holds WHERE hold_id = 'long'")
    assert lease > utc_us() + LEASE_US // 2
