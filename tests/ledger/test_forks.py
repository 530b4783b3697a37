"""Forks while the ledger is read: SQLite's locks do not live through one, so no connection may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.rows import rows, step_ids
from ledger.test_processes import run
from spendgraph.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fork_in_the_middle_of_reading_steps_loses_no_row(path: Path) -> None:
    """The iteration goes on in both; the connections that are opened and closed afterwards keep their locks."""
    code = f"""
import os
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task(), *[step(f's{{n}}') for n in range(5)])
reading = ledger.steps(); next(reading)
child = os.fork()
who = 'parent' if child else 'child'
for n in range(4):
    with Ledger.open({str(path)!r}) as again:
        for m in range(40):
            again.post(step(f'{{who}} {{n}} {{m}}'))
    if child and n == 1:
        print([next(reading)['step_id'] for _ in range(4)]); ledger.close()
if not child:
    os._exit([next(reading)['step_id'] for _ in range(4)] != ['s1', 's2', 's3', 's4'])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(code) == ("['s1', 's2', 's3', 's4']\n0\n", "")
    assert len(step_ids(path)) == 5 + 2 * 4 * 40
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_workers_forked_while_a_thread_reads_lose_no_row(path: Path) -> None:
    """Reports in a thread, workers from `multiprocessing`: every worker ends well, and every row is there."""
    code = f"""
import multiprocessing, threading, time
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())
for k in range(20): ledger.post(*[step(f'{{k}} {{n}}') for n in range(100)])
done, failures = threading.Event(), []
def report():
    while not done.is_set():
        try: ledger.spend(['feature', 'model'])
        except Exception as error: failures.append(error)
        time.sleep(0.001)
def work(name):
    with Ledger.open({str(path)!r}) as own:
        for n in range(200): own.post(step(f'worker {{name}} {{n}}'))
thread = threading.Thread(target=report); thread.start()
workers = [multiprocessing.get_context('fork').Process(target=work, args=(n,)) for n in range(3)]
for worker in workers: worker.start(); time.sleep(0.05)
done.set(); thread.join(); ledger.close()
for worker in workers: worker.join()
print([worker.exitcode for worker in workers], failures)
"""
    assert run(code) == ("[0, 0, 0] []\n", "")
    assert len(step_ids(path)) == 2000 + 3 * 200
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_a_long_question_is_ended_by_a_fork_and_may_be_asked_again(path: Path) -> None:
    """It is interrupted in the parent with an error that says so, and the fork does not wait for its end."""
    code = f"""
import os, threading, time
from spendgraph.errors import LedgerUnavailable
FOREVER = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n'
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())
def read():
    try:
        with ledger._reading() as connection: connection.execute(FOREVER)
    except LedgerUnavailable as error: print(error)
thread = threading.Thread(target=read); thread.start(); time.sleep(0.2)
begun = time.monotonic(); child = os.fork()
if not child:
    ledger.post(step('child')); os._exit(0)
thread.join(); print(time.monotonic() - begun < 3, os.waitpid(child, 0)[1], len(list(ledger.steps())))
"""
    out, err = run(code)
    assert out == f"the ledger {path} was being read while this process forked; read it again\nTrue 0 1\n"
    assert err == ""


def test_a_fork_by_the_thread_that_reads_ends_its_question_in_both(path: Path) -> None:
    """With rows of a statement still to come: neither process goes on with that connection."""
    code = f"""
import os
from spendgraph.errors import LedgerUnavailable
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task(), step('s1'), step('s2'))
try:
    with ledger._reading() as connection:
        found = connection.execute('SELECT * FROM steps'); found.fetchone()
        child = os.fork()
        found.fetchone()
except LedgerUnavailable as error: said = str(error)
for n in range(100):
    with Ledger.open({str(path)!r}) as again: again.post(step(f'{{bool(child)}} {{n}}'))
if not child:
    os._exit('while this process forked' not in said)
print(said, os.waitpid(child, 0)[1])
"""
    assert run(code) == (f"the ledger {path} was being read while this process forked; read it again 0\n", "")
    assert len(step_ids(path)) == 202


@pytest.mark.parametrize("way", ["a process", "a pool", "a process of a process"])
def test_a_worker_that_ends_drains_the_ledger_it_inherited(path: Path, way: str) -> None:
    """It has opened nothing itself; what it booked is in the table, and what it held is given back."""
    body = {
        "a process": "run(work, 'w')",
        "a pool": (
            "pool = ProcessPoolExecutor(1, mp_context=fork); pool.submit(work, 'w').result(); pool.shutdown()"
        ),
        "a process of a process": "run(run, work, 'w')",
    }[way]
    code = f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from ledger.test_holds import ask, want
fork = multiprocessing.get_context('fork')
ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())
def work(name):
    ledger._writer._lock.acquire()  # the ledger thread does not commit it meanwhile
    ledger.book(HeldStep(tuple(step(name, cost_nanousd=1)), *ledger.reserve(ask(name, 3, want(3)))))
def run(act, *arguments):
    process = fork.Process(target=act, args=arguments); process.start(); process.join(); print(process.exitcode)
{body}
"""
    # The parent lives on, and neither looks nor writes.
    out, err = run(f"{code}\nimport os; os._exit(0)")
    assert (out.replace("0\n", ""), err) == ("", "")
    assert rows(path, "SELECT step_id FROM steps") == [("w",)]
    assert rows(path, "SELECT spent_nanousd, held_nanousd FROM windows") == [(1, 0)]
    # What is left are the two halves of the parent's journal, which was cut short.
    assert len(list(path.parent.glob("*.journal-*"))) == 2
