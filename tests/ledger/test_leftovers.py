"""What dead processes left beside a ledger: folded in once, as soon as it can be, and nothing of it thrown away."""

# A few tests look inside on purpose.
# pyright: reportPrivateUsage=false
from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, rows, step, step_ids, task
from ledger.test_holds import ask, want
from ledger.test_processes import run
from spendgraph.errors import LedgerBusy, LedgerUnavailable
from spendgraph.ledger import Hold, Ledger, Shortfall

if TYPE_CHECKING:
    from pathlib import Path

KILLED = {
    "journal": """
ledger._writer._lock.acquire()  # nobody commits meanwhile
ledger.book(HeldStep(tuple(step('left', cost_nanousd=3)), *ledger.reserve(ask('left', 3, want(3)))))
""",
    "spool": """
os.rename(PATH, PATH + '.away')
try: ledger.post(UnheldStep(tuple(step('left', cost_nanousd=3)), (tuple(want(3))[:4],)))
except Exception as error: print(error)
os.rename(PATH + '.away', PATH)
""",
}


def leave(path: Path, code: str) -> None:
    """Have a process run code with an open ledger, and be killed."""
    opening = (
        f"import os, signal\nfrom ledger.test_holds import ask, want\nPATH = {str(path)!r}\n"
        "ledger = Ledger.open(PATH); ledger.post(ACME, task())\n"
    )
    run(f"{opening}{code}\nos.kill(os.getpid(), signal.SIGKILL)", returncode=-signal.SIGKILL)


@pytest.mark.parametrize("kind", ["journal", "spool"])
def test_what_was_left_is_folded_in_when_the_lock_is_given_back(path: Path, kind: str) -> None:
    """Opening does not wait for it; the ledger thread goes on trying, although nobody asks for anything."""
    leave(path, KILLED[kind])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger = Ledger.open(path)
        assert step_ids(path) == set()
        other.execute("COMMIT")
    deadline = time.monotonic() + 5
    while not step_ids(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert step_ids(path) == {"left"}
    assert list(path.parent.glob("*.spool-*")) == []
    assert ledger.verify() == []
    ledger.close()


@pytest.mark.parametrize("kind", ["journal", "spool"])
def test_no_room_is_taken_before_what_was_left_is_counted(path: Path, kind: str) -> None:
    """The limit is spent by a dead process: while that cannot be counted there is an error, and then a no."""
    leave(path, KILLED[kind])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger = Ledger.open(path)
        with pytest.raises(LedgerBusy):
            ledger._writer.drain(timeout=0.1)
        assert ledger._writer.owes_overrun
        other.execute("COMMIT")
    assert isinstance(ledger.reserve(ask("next", 1, want(3))), Shortfall)
    assert rows(path, "SELECT spent_nanousd, held_nanousd FROM windows") == [(3, 0)]
    ledger.close()


def test_a_lock_at_the_opening_keeps_nobody_out_for_longer(path: Path) -> None:
    """Once what was left is counted, room is given as ever."""
    leave(path, KILLED["journal"].replace("cost_nanousd=3", "cost_nanousd=1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger = Ledger.open(path)
        other.execute("COMMIT")
    assert isinstance(ledger.reserve(ask("next", 2, want(3))), Hold)
    ledger.post(ACME, task())
    assert step_ids(path) == {"left"}
    ledger.close()


def test_refused_rows_of_two_outages_are_both_kept(path: Path) -> None:
    """The second file of one process has the name that the first had before it was renamed."""
    away = path.with_name("away")
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        for outage in ("first", "second"):
            path.rename(away)
            with pytest.raises(LedgerUnavailable):
                ledger.post(step(outage, kind="nonsense"))
            away.rename(path)
            assert ledger.flush()
        kept = sorted(path.parent.glob("*.unreadable"))
        assert [problem.check for problem in ledger.verify()] == ["spools", "spools"]
    assert len(kept) == 2
    assert {file.stat().st_mode & 0o777 for file in kept} == {0o600}
    text = [file.read_text() for file in kept]
    assert all(sum(f'"{outage}"' in each for each in text) == 1 for outage in ("first", "second"))
