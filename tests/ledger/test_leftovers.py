"""What dead processes left beside a ledger: folded in once, as soon as it can be, and nothing of it thrown away."""

# A few tests look inside on purpose.
# pyright: reportPrivateUsage=false
from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import orjson
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
import spendgraph.ledger.thread
spendgraph.ledger.thread._RETRY_S = 60  # however slow the machine is, it is killed first
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


def journal(path: Path, *lines: bytes, name: str = "dead") -> Path:
    """The journal of a dead process with these lines, followed by zeros as a real one is."""
    found = path.with_name(f"{path.name}.journal-1-{name}.jsonl")
    found.write_bytes(b"".join(lines) + bytes(1000))
    return found


def line(*records: tuple[object, ...]) -> bytes:
    """A line of a journal."""
    return orjson.dumps([(type(record).__name__, tuple(record)) for record in records]) + b"\n"


UNREADABLE = {
    "another version's record": orjson.dumps([("StepRow", (*step("later"), "a new column"))]) + b"\n",
    "another version's kind": orjson.dumps([("Novelty", ("x",))]) + b"\n",
    "damaged": line(step("damaged")).replace(b'"model"', b'"mo\xff\x00l"'),
    "no list": b"7\n",
}


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
def test_lines_that_cannot_be_read_are_kept(path: Path, caplog: pytest.LogCaptureFixture, bad: bytes) -> None:
    """Those around it are folded in; the file stays, whole, under a name nothing folds in, and `verify` names it."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    left = journal(path, line(step("before")), bad, line(step("after")))
    written = left.read_bytes()
    for _ in range(2):
        with Ledger.open(path) as ledger:
            assert [problem.check for problem in ledger.verify()] == ["spools"]
    assert step_ids(path) == {"before", "after"}
    assert not left.exists()
    assert left.with_suffix(".unreadable").read_bytes() == written
    assert "1 lines of the journal" in caplog.text


@pytest.mark.parametrize(
    "torn", [b'[["StepRow",["to', b'[["StepRow",["to\x00\x00"]]]\n'], ids=["cut short", "with a hole"]
)
def test_only_a_torn_last_line_is_dropped(path: Path, torn: bytes) -> None:
    """It was never acknowledged."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    journal(path, line(step("s1")), torn)
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
    assert step_ids(path) == {"s1"}
    assert list(path.parent.glob("*journal*")) == []


def test_a_journal_that_was_being_emptied_holds_nothing(path: Path) -> None:
    """What is left of its last lines was committed."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    journal(path, bytes(300), line(step("s1"))[300:], line(step("s2")))
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
    assert step_ids(path) == set()


@pytest.mark.parametrize(
    "bad",
    ["kind='nonsense'", "cost_nanousd=2**63 + 1", "context_id='unknown'"],
    ids=["check", "large", "reference"],
)
def test_a_refused_row_does_not_keep_the_others_of_a_journal_out(path: Path, bad: str) -> None:
    """Killed before the commit: what is right is booked, what is not is kept for a person, and the ledger opens."""
    leave(
        path,
        "ledger._writer._lock.acquire()  # nobody commits meanwhile\n"
        f"for n in range(10): ledger.book(step(f's{{n}}'))\nledger.book(step('bad', {bad}))\nledger.book(step('s10'))",
    )
    for _ in range(2):
        with Ledger.open(path) as ledger:
            assert [problem.check for problem in ledger.verify()] == ["spools"]
    assert step_ids(path) == {f"s{n}" for n in range(11)}
    (kept,) = path.parent.glob("*.rejected-*")
    assert '"bad"' in kept.read_text()
    assert list(path.parent.glob("*journal*")) == []
