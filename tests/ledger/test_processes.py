"""Many processes, forks, kills and ends: every acknowledged step is in the ledger, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, PYTHON, change, rows, step, step_ids, task
from spendgraph.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

HERE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - a search path is text

PRELUDE = (
    f"import sys; sys.path.insert(0, {HERE!r})\nfrom ledger.rows import *\nfrom spendgraph.ledger import *\n"
)


def start(code: str) -> subprocess.Popen[str]:
    """A process that runs code with this package's rows at hand."""
    return subprocess.Popen(
        [PYTHON, "-c", PRELUDE + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(code: str, *, returncode: int = 0) -> tuple[str, str]:
    """What a process prints to its two outputs; it must end as expected."""
    process = start(code)
    out, err = process.communicate(timeout=60)
    assert process.returncode == returncode, err
    return out, err


@pytest.mark.parametrize("way", ["thread", "loop"])
def test_killed_process_loses_no_acknowledged_step(path: Path, way: str) -> None:
    """Kill -9 in the middle of writing: the file is sound, and every acknowledged step is in it."""
    body = {
        "thread": "for n in range(10**6):\n    ledger.post(step(f's{n}')); print(f's{n}', flush=True)",
        "loop": (
            "import asyncio\nasync def main():\n  for n in range(10**6):\n    ledger.post(step(f's{n}'))\n"
            "    await ledger.aflush(); print(f's{n}', flush=True)\nasyncio.run(main())"
        ),
    }[way]
    process = start(f"ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\n{body}")
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.communicate()[0].split()

    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
    # The last line may be cut in the middle by the kill.
    assert set(acknowledged[:-1]) <= step_ids(path)
    assert len(acknowledged) >= 200


def test_processes_write_every_step_once(path: Path) -> None:
    """Four processes posting 100 steps each, 50 of them the same in all, make 250 rows."""
    code = (
        f"ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\n"
        "for n in range(100):\n"
        "    ledger.post(step(f'same {n}' if n < 50 else f'{PID} {n}'))\n"
        "ledger.close()"
    )
    running = [start(f"PID = 'p{number}'\n{code}") for number in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in running]

    assert errors == ["", "", "", ""]
    assert len(step_ids(path)) == 250
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_fork_leaves_parent_and_child_with_connections_of_their_own(path: Path) -> None:
    """Both go on writing after a fork, from a thread and from a loop; no row is lost or doubled."""
    code = f"""
import asyncio, os
ledger = Ledger.open({str(path)!r})
ledger.post(ACME, task(), step('before'))

async def on_loop(name):
    ledger.post(step(name))
    await ledger.aflush()

asyncio.run(on_loop('loop before'))
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        ledger.post(step(f'child {{number}}'))
        asyncio.run(on_loop(f'loop child {{number}}'))
        ledger.close()
        os._exit(0)
    children.append(child)
    ledger.post(step(f'parent {{number}}'))
    asyncio.run(on_loop(f'loop parent {{number}}'))
print([os.waitpid(child, 0)[1] for child in children])
ledger.close()
"""
    assert run(code) == ("[0, 0, 0]\n", "")
    expected = {"before", "loop before"}
    for number in range(3):
        for name in ("child", "loop child", "parent", "loop parent"):
            expected.add(f"{name} {number}")
    assert step_ids(path) == expected
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_queued_rows_of_the_parent_are_the_parents_to_write(path: Path) -> None:
    """A step queued at a fork is written by the parent; the child can still name the queued context."""
    code = f"""
import os, sqlite3
ledger = Ledger.open({str(path)!r})
blocker = sqlite3.connect({str(path)!r}, isolation_level=None)
blocker.execute('BEGIN IMMEDIATE')
ledger.defer(ACME, task(), step('queued'))
child = os.fork()
if child == 0:
    print(sorted(type(row).__name__ for group in ledger._writer.queued for row in group), flush=True)
    os._exit(0)
os.waitpid(child, 0)
blocker.execute('COMMIT'); blocker.close()
ledger.close()
"""
    assert run(code) == ("['ContextRow']\n", "")
    assert step_ids(path) == {"queued"}


def test_multiprocessing_worker_writes_what_its_loop_has_queued(path: Path) -> None:
    """A worker ends without the interpreter's exit functions; its rows are written all the same."""
    code = f"""
import asyncio, multiprocessing
def work():
    ledger = Ledger.open({str(path)!r})
    async def main():
        ledger.post(ACME, task(), step('worker'))
    asyncio.run(main())
worker = multiprocessing.get_context('fork').Process(target=work)
worker.start(); worker.join(); print(worker.exitcode)
"""
    assert run(code) == ("0\n", "")
    assert step_ids(path) == {"worker"}


def test_queue_is_drained_at_exit(path: Path) -> None:
    """A process that ends right after its loop leaves no row behind, and closes the WAL."""
    code = f"""
import asyncio
ledger = Ledger.open({str(path)!r})
async def main():
    ledger.post(ACME, task(), *[step(f's{{n}}') for n in range(100)])
asyncio.run(main())
"""
    assert run(code) == ("", "")
    assert len(step_ids(path)) == 100
    assert not path.with_name("ledger.db-wal").exists()


def test_rows_that_cannot_be_written_at_exit_are_spooled_and_folded_in_once(path: Path) -> None:
    """The process says so, keeps them in a private file, and the next opening books them, once."""
    code = f"""
import asyncio, sqlite3
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())
type(ledger._writer).drain.__kwdefaults__['timeout'] = 0.2
blocker = sqlite3.connect({str(path)!r}, isolation_level=None)
blocker.execute('BEGIN IMMEDIATE')
async def main():
    for n in range(600):
        ledger.post(step(f's{{n}}', cost_nanousd=1))
asyncio.run(main())
"""
    _, error = run(code)
    (spool,) = path.parent.glob("ledger.db.spool-*.jsonl")
    text = spool.read_text()
    mode = spool.stat().st_mode & 0o777
    for _ in range(2):
        with Ledger.open(path) as ledger:
            assert ledger.verify() == []
        spool.write_text(text)  # as if the file had not been removed after the rows were booked

    assert "rows could not be written: the ledger" in error
    assert "another process holds the write lock" in error
    assert "kept in" in error
    assert mode == 0o600
    assert rows(path, "SELECT count(*), sum(cost_nanousd) FROM steps") == [(600, 600)]


def test_spool_of_an_older_state_does_not_undo_a_later_one(path: Path) -> None:
    """A spool that was folded in before is only removed: a task that ended since stays ended."""
    head = json.dumps({"spool": "a", "ledger": "x", "reason": "y"})
    line = json.dumps([{"type": "TaskStart", "row": task()._asdict()}])
    spool = path.with_name("ledger.db.spool-1.jsonl")
    with Ledger.open(path) as ledger:
        ledger.post(ACME)
    for _ in range(2):
        spool.write_text(f"{head}\n{line}\n")
        Ledger.open(path).close()
        change(path, "UPDATE tasks SET status = 'finished', resumable = 0, ended_us = started_us")

    assert rows(path, "SELECT status FROM tasks") == [("finished",)]
    assert not spool.exists()


def test_unreadable_lines_of_a_spool_are_kept_for_a_person(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A cut or forged line is left out, the others are booked, and the file stays under another name."""
    head = json.dumps({"spool": "a", "ledger": "x", "reason": "y"})
    good = json.dumps([{"type": "StepRow", "row": step("good")._asdict()}])
    forged = json.dumps([{"type": "StepRow", "row": {"step_id": "x", "drop": "table"}}])
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    path.with_name("ledger.db.spool-1.jsonl").write_text(f"{head}\n{good}\n{forged}\n{good[:40]}")
    path.with_name("ledger.db.spool-2.jsonl").write_text("not a spool")
    with Ledger.open(path) as ledger:
        found = ledger.verify()

    assert step_ids(path) == {"good"}
    assert [problem.check for problem in found] == ["spools", "spools"]
    assert "2 lines of the spool" in caplog.text
    assert "is not a spool" in caplog.text
