"""A process that is killed between the reservation and the answer."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from budgets.fanout import CALL_NANOUSD
from spendgraph.ledger import Ledger
from spendgraph.ledger.holds import LEASE_US

AGENT = """
import os, signal, sys
from budgets.fanout import ACME, capped
from scripted import ScriptedModel
from spendgraph import Meter
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
with Meter(sys.argv[1], policy=capped()) as meter:
    ScriptedModel(before_answer=kill).invoke("hi", meter.config(ACME))
"""


def test_what_was_held_stays_held_and_is_booked_in_full_when_the_lease_is_over(tmp_path: Path) -> None:
    """The call may have been paid for. The books are sound throughout: the step has its task and its payer."""
    path = tmp_path / "ledger.db"
    killed = subprocess.run([sys.executable, "-c", AGENT, path], cwd=Path(__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        (window,) = ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (0, CALL_NANOUSD)
        assert ledger.verify() == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE holds SET lease_until_us = lease_until_us - ?", (LEASE_US + 1,))
    with Ledger.open(path) as ledger:
        (window,) = ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (CALL_NANOUSD, 0)
        (step,) = ledger.steps()
        assert (step["tenant"], step["cost_basis"], step["status"]) == ("acme", "upper_bound", "cancelled")
        assert ledger.verify() == []
