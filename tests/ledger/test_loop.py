"""On an event loop nothing blocks: rows are queued, and the ledger thread writes them."""

# A few tests look inside on purpose.
# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from blockbuster import BlockBuster

from ledger.rows import ACME, PYTHON, START_US, rows, step, step_ids, task
from spendgraph.errors import LedgerBusy, LedgerUnavailable
from spendgraph.ledger import Ledger, TaskEnd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio


@pytest.fixture
def guard() -> Iterator[None]:
    """Blocking calls in an event loop's thread raise."""
    guard = BlockBuster()
    guard.activate()
    yield
    guard.deactivate()


@pytest.fixture
def blocker(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection's write lock."""
    Ledger.open(path).close()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


async def test_nothing_the_ledger_does_on_a_loop_blocks(path: Path, guard: None) -> None:
    """Opening, posting, asking, flushing and closing pass a guard against blocking calls."""
    ledger = Ledger.open(path)
    ledger.post(ACME, task(thread_id="42", graph="g"), step("s1", checkpoint_ns="n:1"))
    ledger.ready()
    paused = ledger.unfinished_task("g", "42")
    ledger.defer(TaskEnd("task-1", "finished", START_US + 9))
    assert ledger.flush()
    assert await ledger.aflush()
    ledger.close()

    assert paused is not None
    assert paused.context == ACME


async def test_posted_rows_are_written_after_aflush(ledger: Ledger, path: Path) -> None:
    """`aflush` returns when everything posted before it is in the file."""
    for number in range(100):
        ledger.post(step(f"s{number}"))

    assert await ledger.aflush()
    assert len(step_ids(path)) == 100


async def test_question_behind_a_lock_is_busy_within_its_deadline(
    path: Path, blocker: sqlite3.Connection
) -> None:
    """Queued rows cannot be written, so nobody can say what is unfinished: refused after 25 ms."""
    ledger = Ledger.open(path)
    ledger.post(ACME, task(thread_id="42", graph="g"))
    started = time.perf_counter()
    with pytest.raises(LedgerBusy, match="did not answer within 25 ms"):
        ledger.unfinished_task("g", "42")
    waited = time.perf_counter() - started
    blocker.execute("COMMIT")
    await ledger.aflush()

    assert waited < 0.2
    assert ledger.unfinished_task("g", "42") is not None
    ledger.close()


async def test_failed_write_refuses_the_next_start_until_it_succeeds(ledger: Ledger, path: Path) -> None:
    """The row stays queued; `ready` says why nothing may start, and lets on once the write succeeds."""
    moved = path.with_name("elsewhere.db")
    ledger._writer.close(for_good=False)
    path.rename(moved)
    ledger.post(step("s1"))
    assert not await ledger.aflush()
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):
        ledger.ready()
    moved.rename(path)

    assert await ledger.aflush()
    ledger.ready()
    assert step_ids(path) == {"s1"}


async def test_rows_the_ledger_refuses_do_not_block_a_loops_rows(ledger: Ledger, path: Path) -> None:
    """Good rows behind a bad one are written; the bad one is kept in a file."""
    ledger.post(step("bad", kind="magic"))
    ledger.post(step("good"))

    assert await ledger.aflush()
    assert step_ids(path) == {"good"}
    assert len(list(path.parent.glob("*.rejected-*.jsonl"))) == 1


async def test_rows_of_loops_and_threads_keep_their_order(ledger: Ledger, path: Path) -> None:
    """A context posted on a loop is written before a thread's step that names it."""
    stranger = ACME._replace(context_id="late")
    ledger.post(stranger)
    await asyncio.to_thread(ledger.post, step("s1", context_id="late"))

    assert rows(path, "SELECT context_id FROM steps") == [("late",)]


async def test_heartbeat_stays_small_while_another_process_holds_the_lock(ledger: Ledger, path: Path) -> None:
    """50 tasks post behind a writer that holds the lock for 20 ms at a time: they do not wait for it one after another.

    That would be a second; how long the gaps are is what the benchmark of the heartbeat says.
    """
    script = (
        "import sqlite3, sys, time\n"
        f"c = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=30)\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 20\n"
        "while time.monotonic() < end:\n"
        "    c.execute('BEGIN IMMEDIATE'); time.sleep(0.02); c.execute('COMMIT'); time.sleep(0.0005)\n"
    )
    other = await asyncio.create_subprocess_exec(PYTHON, "-c", script, stdout=subprocess.PIPE)
    assert other.stdout is not None
    await other.stdout.readline()
    gaps: list[float] = []
    posted = [f"{name}-{number}" for name in range(50) for number in range(10)]

    async def heartbeat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async def work(name: int) -> None:
        for number in range(10):
            ledger.ready()
            ledger.post(step(f"{name}-{number}"))
            await asyncio.sleep(0.02)

    beating = asyncio.create_task(heartbeat())
    await asyncio.gather(*(work(name) for name in range(50)))
    beating.cancel()
    assert await ledger.aflush()
    other.kill()
    await other.wait()

    gaps.sort()
    assert step_ids(path) == set(posted)
    assert gaps[int(len(gaps) * 0.99)] < 0.25, f"load average {os.getloadavg()}"
