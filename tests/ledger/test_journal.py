"""What is booked is down on disk before it is in the tables, and survives the kill that comes between."""

# A few tests look inside on purpose.
# pyright: reportPrivateUsage=false
from __future__ import annotations

import gc
import os
import resource
import signal
import sqlite3
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, START_US, rows, step, step_ids, task
from ledger.test_processes import run, start
from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import Ledger, TaskEnd
from spendgraph.ledger import journal as journal_module

if TYPE_CHECKING:
    from pathlib import Path


def journals(path: Path) -> list[Path]:
    """The journals beside a ledger."""
    return sorted(path.parent.glob(f"{path.name}.journal-*.jsonl"))


def held(path: Path) -> bytes:
    """What the journals beside a ledger hold."""
    return b"".join(journal.read_bytes().rstrip(b"\0") for journal in journals(path))


def test_a_booked_step_is_in_the_journal_at_once_and_in_the_table_soon(path: Path) -> None:
    """It is on disk when `book` returns; the ledger's own reader sees it at once; then the journal is empty."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        ledger.book(step("s1"))
        assert b'"s1"' in held(path)
        assert {stat.S_IMODE(journal.stat().st_mode) for journal in journals(path)} == {0o600}
        assert [row["step_id"] for row in ledger.steps()] == ["s1"]
        assert held(path) == b""
    assert journals(path) == []


def test_a_booked_step_is_committed_without_anybody_asking(path: Path) -> None:
    """The ledger thread commits it some milliseconds later; another process can read it then."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        ledger.book(step("s1"))
        done = threading.Event()
        while not step_ids(path) and not done.wait(0.005):
            pass
        assert step_ids(path) == {"s1"}


@pytest.mark.parametrize("committed", ["not", "partly"])
def test_a_killed_process_leaves_its_journal_to_the_next_one(path: Path, committed: str) -> None:
    """Kill -9 after `book` returned: whoever opens the ledger next takes the steps over, each once."""
    process = start(
        f"ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\n"
        "for n in range(10**6):\n"
        "    ledger.book(step(f's{n}')); print(f's{n}', flush=True)"
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(3 if committed == "not" else 3000)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.communicate()[0].split()
    with Ledger.open(path) as ledger:
        assert set(acknowledged[:-1]) <= step_ids(path)
        assert ledger.verify() == []
        assert rows(path, "SELECT count(*) FROM steps") == [(len(step_ids(path)),)]
    assert journals(path) == []


def test_kill_in_the_middle_of_a_coroutine_loses_no_step_that_ended(path: Path) -> None:
    """On an event loop too, what is booked is down before the coroutine goes on; the thread never got to write."""
    out, _ = run(
        "import asyncio, os, signal\n"
        f"ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\n"
        "async def main():\n"
        "    ledger.book(step('booked')); ledger.post(step('posted'))\n"
        "    print('acknowledged', flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())",
        returncode=-signal.SIGKILL,
    )
    assert out == "acknowledged\n"
    with Ledger.open(path) as ledger:
        assert step_ids(path) == {"booked", "posted"}
        assert ledger.verify() == []
    assert journals(path) == []


def test_a_full_journal_is_committed_by_whoever_books_next(path: Path) -> None:
    """More than it holds, faster than the thread commits: nothing is lost, and nobody is refused."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        with ledger._writer._lock:  # the ledger thread waits outside
            for n in range(60):
                ledger.book(step(f"s{n}", usage_note="x" * 20_000))
        assert ledger.flush()
        assert len(step_ids(path)) == 60
        assert ledger.verify() == []


def test_without_room_for_a_journal_every_step_is_a_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a journal is removed again, and steps are committed as they come."""
    monkeypatch.setattr(journal_module, "_ROOM", 1 << 23)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 22, limits[1]))
    try:
        with Ledger.open(path) as ledger:
            ledger.book(ACME, task(), step("s1"))
            assert step_ids(path) == {"s1"}
            assert journals(path) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_the_journal_of_a_living_process_is_left_alone(path: Path) -> None:
    """Opening the ledger elsewhere neither reads nor removes it."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        ledger.book(step("s1"))
        run(f"Ledger.open({str(path)!r}).close()")
        assert len(journals(path)) == 2
        ledger.book(step("s2"))
    assert step_ids(path) == {"s1", "s2"}


def test_a_torn_line_was_never_acknowledged_and_is_left_out(path: Path) -> None:
    """The lines before it count."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        ledger.book(step("s1"))
        line = held(path)
    torn = line + line.replace(b'"s1"', b'"s2"')[:-20]
    path.with_name(f"{path.name}.journal-1-dead.jsonl").write_bytes(torn.replace(b'"s1"', b'"s3"'))
    with Ledger.open(path):
        assert step_ids(path) == {"s1", "s3"}


def test_a_journal_does_not_grow_while_others_go_on_booking(path: Path) -> None:
    """However busy, what is committed is emptied out."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        largest = 0
        for n in range(4000):
            ledger.book(step(f"s{n}"))
            if n % 50 == 0:
                largest = max(largest, len(held(path)))
        ledger.flush()
        size = len(held(path))
    assert len(step_ids(path)) == 4000
    assert size == 0
    assert largest < 2_000_000


def test_either_half_of_a_journal_may_hold_what_the_other_refers_to(path: Path) -> None:
    """Whichever is found first: the step goes in with its context."""
    with Ledger.open(path) as ledger:
        ledger.book(ACME, task())
        first = held(path)
        ledger.flush()
        ledger.book(step("s1"))
        second = held(path)
    path.unlink()
    for name, lines, age in (("0", second, 9), ("1", first, 1)):
        half = path.with_name(f"{path.name}.journal-1-dead{name}.jsonl")
        half.write_bytes(lines)
        os.utime(half, (1_000_000 - age, 1_000_000 - age))
    with Ledger.open(path) as ledger:
        assert step_ids(path) == {"s1"}
        assert ledger.verify() == []
    assert journals(path) == []


def test_taking_over_does_not_reopen_a_task_that_has_ended(path: Path) -> None:
    """A journal read again after its rows were committed changes nothing."""
    with Ledger.open(path) as ledger:
        ledger.book(ACME, task(), step("s1"), TaskEnd("task-1", "finished", START_US + 9))
        copy = held(path)
        ledger.flush()
        ledger.post(TaskEnd("task-1", "failed", START_US + 10))
    path.with_name(f"{path.name}.journal-1-dead.jsonl").write_bytes(copy)
    with Ledger.open(path) as ledger:
        tree = ledger.task("task-1")
    assert tree is not None
    assert (tree.row["status"], tree.steps) == ("finished", 1)
    assert journals(path) == []


def test_verify_tells_of_a_journal_nobody_has_taken_over(path: Path) -> None:
    """Who only reads cannot take it over, but says that it is there."""
    Ledger.open(path).close()
    path.with_name(f"{path.name}.journal-1-dead.jsonl").write_bytes(b"[]\n")
    with Ledger.open_readonly(path) as reader:
        assert any("killed" in problem.message for problem in reader.verify())


def test_a_step_booked_while_another_is_being_written_waits_its_turn(path: Path) -> None:
    """A finalizer that the collector runs in the middle of a transaction books without a deadlock."""

    class Dropped:
        def __init__(self, ledger: Ledger, step_id: str) -> None:
            self.ledger, self.step_id = ledger, step_id

        def __del__(self) -> None:
            self.ledger.post(step(self.step_id))

    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        with ledger._writer._lock:
            Dropped(ledger, "s1")
            gc.collect()
        ledger.book(step("s2"))
        assert ledger.flush()
    assert step_ids(path) == {"s1", "s2"}


def test_threads_book_side_by_side_and_nothing_is_lost(path: Path) -> None:
    """Eight threads, 100 steps each, while the ledger thread empties the journal."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())

        def book(name: int) -> None:
            for n in range(100):
                ledger.book(step(f"{name}-{n}"))

        threads = [threading.Thread(target=book, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.flush()
        assert len(step_ids(path)) == 800
        assert ledger.verify() == []


def test_a_forked_child_has_a_journal_of_its_own(path: Path) -> None:
    """The parent's journal stays the parent's; both book."""
    out, _ = run(
        f"import os\nledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\nledger.book(step('parent'))\n"
        "pid = os.fork()\n"
        "if not pid:\n    ledger.book(step('child')); ledger.close(); os._exit(0)\n"
        "os.waitpid(pid, 0)\nledger.book(step('after')); ledger.close(); print('done')"
    )
    assert out == "done\n"
    assert step_ids(path) == {"parent", "child", "after"}
    assert journals(path) == []


def test_a_ledger_that_broke_is_noticed_before_the_next_start(path: Path) -> None:
    """The booked step is put aside; `ready` refuses; mended, it is written, and nothing is left beside the ledger."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA legacy_alter_table = ON")
            other.execute("ALTER TABLE steps RENAME TO away")
        ledger.book(step("s1"))
        assert not ledger.flush()
        with pytest.raises(LedgerUnavailable):
            ledger.ready()
        (spool,) = path.parent.glob("ledger.db.spool-*.jsonl")
        assert '"s1"' in spool.read_text()
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA legacy_alter_table = ON")
            other.execute("ALTER TABLE away RENAME TO steps")
        other.close()
        ledger.ready()
        assert step_ids(path) == {"s1"}
        assert held(path) == b""
        assert not spool.exists()
