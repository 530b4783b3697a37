"""Spending that comes into the books late is told like any other: after an outage, a kill, or a process that tells nobody."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faults.kit import EVAL, file_gone
from notify.kit import DAY_US, LENIENT, NOWHERE, Time, call, look, policy, rows
from notify.receiver import until
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.clock import utc_us
from spendgraph.ledger import Ledger
from spendgraph.ledger.alerts import recent_windows

TWO_CALLS = "per: tenant, limit_usd: '0.015', thresholds: [{at: 100%, do: notify}]"
A_DAY = f"period: day, {TWO_CALLS}"
TOLD = [("threshold", "tenant=acme")]

LEAVING = """
import os, signal, sys, time
from pathlib import Path
import spendgraph.ledger.thread
from faults.kit import EVAL, file_gone
from notify.kit import LENIENT, policy
from scripted import ScriptedModel
from spendgraph import Meter
path, budget, how = Path(sys.argv[1]), *sys.argv[2:]
spendgraph.ledger.thread._RETRY_S = 60  # it is killed first
meter = Meter(path, policy=policy(budget, more=LENIENT))
def calls():
    for _ in range(2): ScriptedModel().invoke("hi", meter.config(EVAL))
if how == "spool":
    ScriptedModel().invoke("hi", meter.config(EVAL))
    with file_gone(path): ScriptedModel().invoke("hi", meter.config(EVAL))
elif how == "journal":
    meter.ledger.flush()
    ScriptedModel().invoke("hi", meter.config(EVAL))
    ScriptedModel(before_answer=meter.ledger._writer._lock.acquire).invoke("hi", meter.config(EVAL))
else:
    calls()
    meter.ledger.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    (tmp_path / "ledger").mkdir()
    return tmp_path / "ledger" / "ledger.db"


def leave(path: Path, how: str, budget: str = TWO_CALLS) -> None:
    """Have a process that tells nobody spend two calls' worth and be killed, one of them not in the books yet."""
    command = [sys.executable, "-c", LEAVING, str(path), budget, how]
    killed = subprocess.run(command, cwd=Path(__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL


def told(path: Path) -> list[tuple[str, str]]:
    """Kind and scope of each alert."""
    return [(kind, scope) for kind, scope in rows(path, "kind, scope")]


def test_what_was_let_out_in_an_outage_is_told_once_it_is_booked(path: Path) -> None:
    """It was put aside, and crossed the threshold when the ledger was back; no call follows."""
    given = policy(TWO_CALLS, more=LENIENT, growth=NOWHERE)
    with Meter(path, policy=given) as meter:
        ScriptedModel().invoke("hi", meter.config(EVAL))
        look(meter)
        assert told(path) == []
        with file_gone(path):
            ScriptedModel().invoke("hi", meter.config(EVAL))
        until(meter.flush)
        look(meter)
        look(meter)
        assert told(path) == TOLD
    with Meter(path, policy=given) as meter:
        look(meter)
    assert told(path) == TOLD


@pytest.mark.parametrize("how", ["spool", "journal"])
def test_what_a_killed_process_left_beside_the_ledger_is_told_by_who_folds_it_in(
    path: Path, how: str
) -> None:
    """It is in the books before anybody watches them; no call follows."""
    leave(path, how)
    given = policy(TWO_CALLS, more=LENIENT, growth=NOWHERE)
    for _ in range(2):
        with Meter(path, policy=given) as meter:
            look(meter)
            assert [window["spent_calls"] for window in meter.ledger.windows()] == [2]
    assert told(path) == TOLD


def test_what_was_left_of_yesterday_is_told_too(path: Path) -> None:
    """Its window is over: the alert is about that one."""
    leave(path, "spool", A_DAY)
    with Meter(path, policy=policy(A_DAY, growth=NOWHERE), clock=Time(utc_us() + DAY_US)) as meter:
        look(meter)
    assert told(path) == TOLD


@pytest.mark.parametrize("how", ["spool", "committed"])
def test_what_came_into_the_books_unwatched_is_told_by_the_next_who_watches(path: Path, how: str) -> None:
    """A command folded it in, or a process without anybody to tell was killed after its commit; no call follows."""
    leave(path, how)
    Ledger.open(path).close()
    with Meter(path, policy=policy(TWO_CALLS, growth=NOWHERE)):
        until(lambda: told(path) == TOLD)


def test_windows_that_are_over_are_not_looked_at_anew(path: Path) -> None:
    """A limit that was lowered since is none of theirs."""
    time = Time()
    with Meter(path, policy=policy(A_DAY.replace("0.015", "1"), growth=NOWHERE), clock=time) as meter:
        call(meter, 3)
    time.us += DAY_US
    looked: list[frozenset[int]] = []
    with Meter(path, policy=policy(A_DAY, growth=NOWHERE), clock=time) as meter:
        until(lambda: all(question.wait(0) for question in meter.ledger.behind._asked))
        looked.extend(meter.notifier._touched)
        look(meter)
    assert (told(path), looked) == ([], [])


def test_the_past_is_read_of_the_latest_steps_alone(path: Path) -> None:
    """However long the history is, a start costs the same."""
    with Meter(path, policy=policy(TWO_CALLS.replace("0.015", "1"), growth=NOWHERE)) as meter:
        call(meter, 3)
        ScriptedModel().invoke("hi", meter.config(EVAL.replace(tenant="globex")))
        meter.flush()
        with meter.ledger._reading() as connection:
            assert [each.scope for each in recent_windows(connection, 1)] == ["tenant=globex"]
            assert {each.scope for each in recent_windows(connection, 9)} == {"tenant=acme", "tenant=globex"}
