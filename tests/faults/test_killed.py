"""Processes that are killed: what was let out without the ledger is not lost, and is booked once."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from budgets.fanout import CALL_NANOUSD
from faults.kit import BOTH_WAYS, FAULTS, files_beside
from spendgraph.ledger import Ledger
from spendgraph.ledger.holds import LEASE_US

AGENT = """
import os, signal, sys
from budgets.test_traps import WAYS
from faults.kit import EVAL, lenient
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.hooks import outage
from spendgraph.ledger import keeping, writer
from spendgraph.ledger.journal import Journal
path, way, calls, journalled = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "journal"
writer.BUSY_DEADLINE_S, outage.WAIT_S = 0.2, 0
writer.Writer.transact.__kwdefaults__ = keeping.reserve.__kwdefaults__ = {"timeout": 0.2}
writer.Writer.drain.__kwdefaults__ = {"timeout": 0.2, "mine": None}
if not journalled:
    Journal.prepare = lambda self: (_ for _ in ()).throw(OSError("no room for a journal"))
meter = Meter(path, policy=lenient(cap="100"))
print("ready", flush=True)
sys.stdin.readline()
model = ScriptedModel()
for n in range(calls):
    WAYS[way](model, meter.config(EVAL))
print("done", flush=True)
if way == "invoke" or journalled:
    os.kill(os.getpid(), signal.SIGKILL)
import time
time.sleep(1)  # without a journal a loop's rows are written down by the ledger thread, right after
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("fault", "calls", "how"),
    [
        ("locked", 900, "journal"),  # more than a journal holds
        ("locked", 3, "spool"),  # there was no room for a journal
        ("folder gone", 3, "spool"),  # to the temporary directory
        ("file gone", 3, "journal"),
    ],
)
@BOTH_WAYS
def test_a_kill_in_an_outage_loses_no_step_that_had_ended(
    path: Path, fault: str, calls: int, how: str, way: str
) -> None:
    """Each is booked once by whoever opens the ledger next, in its window, also when a spool is found twice."""
    Ledger.open(path).close()
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, str(path), way, str(calls), how],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TMPDIR": str(path.parent.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert agent.stdin is not None
    assert agent.stdout is not None
    assert agent.stdout.readline() == "ready\n"
    with FAULTS[fault](path):
        agent.stdin.write("go\n")
        agent.stdin.flush()
        assert agent.stdout.readline() == "done\n"
        agent.communicate()
    assert agent.returncode == -signal.SIGKILL
    left = {
        spool: spool.with_name(f"copy-{spool.name.replace('spool', 'kept')}")
        for folder in (path.parent, path.parent.parent)
        for spool in folder.glob("*.spool-*.jsonl")
    }
    assert left or how == "journal"
    for spool, copy in left.items():
        shutil.copy(spool, copy)
    for _ in range(2):
        with Ledger.open(path) as ledger:
            (window,) = ledger.windows()
            assert (window["spent_nanousd"], window["held_nanousd"]) == (calls * CALL_NANOUSD, 0)
            assert len(list(ledger.steps())) == calls
            assert ledger.verify() == []
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT count(*) FROM decisions WHERE kind = 'ledger' AND outcome = 'allowed'"
            assert connection.execute(query).fetchone() == (calls,)
        assert files_beside(path) == []
        for spool, copy in left.items():
            shutil.copy(
                copy, spool
            )  # as if the process that folded it in had been killed before it was removed


HOLDER = """
import os, signal, sys
from budgets.test_traps import WAYS
from faults.kit import PRODUCTION, lenient
from scripted import ScriptedModel
from spendgraph import Meter
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
with Meter(sys.argv[1], policy=lenient()) as meter:
    if sys.argv[3] == "before":
        WAYS[sys.argv[2]](ScriptedModel(before_answer=kill), meter.config(PRODUCTION))
    WAYS[sys.argv[2]](ScriptedModel(), meter.config(PRODUCTION))
    kill()
"""


@BOTH_WAYS
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_between_the_reservation_and_its_booking_leaves_no_room_for_ever(
    path: Path, when: str, way: str
) -> None:
    """Before the answer: held until the lease is over, then spent in full. After it: the journal has the step."""
    killed = subprocess.run(
        [sys.executable, "-c", HOLDER, path, way, when], cwd=Path(__file__).parents[1], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        (window,) = ledger.windows()
        there = (0, CALL_NANOUSD) if when == "before" else (CALL_NANOUSD, 0)
        assert (window["spent_nanousd"], window["held_nanousd"]) == there
        assert ledger.verify() == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE holds SET lease_until_us = lease_until_us - ?", (LEASE_US + 1,))
    with Ledger.open(path) as ledger:
        (window,) = ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (CALL_NANOUSD, 0)
        (step,) = ledger.steps()
        assert step["cost_basis"] == ("upper_bound" if when == "before" else "reported")
        assert ledger.verify() == []
