"""The watch as processes: killed at any moment, two at once; nothing is lost, and nothing is told twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ledger.rows import rows
from notify.receiver import Receiver
from spendgraph.clock import utc_us
from spendgraph.ledger import Ledger
from watching.kit import GRACE, HOUR, MINUTE, World

MAIN = "import sys; from spendgraph.cli import main; sys.exit(main(sys.argv[1:]))"

# Looks again and again, each time in a process of its own that dies in the place of one write more; says how each has ended.
DYING = """
import os, signal, sys
import spendgraph_anomaly.watching, statsmodels.tsa.seasonal
from spendgraph.ledger import Ledger
from spendgraph.cli import main
whole, ended = Ledger.transact, None
def transact(self, work, **wait):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, work, **wait)
Ledger.transact = transact
for left in range(1, 40):
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr
        sys.exit(main(sys.argv[1:]))
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(ended, flush=True)
    if ended == 0:
        break
"""
TENANTS = [f"tenant-{number}" for number in range(36)]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Four days of 36 tenants that ended an hour ago, the last of which looped then; nobody has looked yet."""
    path = tmp_path / "ledger.db"
    now_us = utc_us()
    world = World(path, now_us=now_us - now_us % HOUR - 4 * 24 * HOUR)
    world.usual(4 * 24 - 1, TENANTS, usd=1)
    for minute in range(50):
        world.spend(4, world.now_us + minute * MINUTE, TENANTS[-1])
    world.ledger.upkeep.roll()
    world.close()
    return path


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Growth is told, wherever it is."""
    path = tmp_path / "policy.yaml"
    path.write_text(
        "watch: {cuts: [{name: tenants, per: tenant, owner: growth}]}\nnotify: {growth: '${GROWTH}'}\n"
    )
    return path


def command(ledger: Path, policy: Path, *more: str, code: str = MAIN) -> list[str]:
    """The command line of a watch."""
    return [
        sys.executable,
        "-c",
        code,
        "watch",
        "--ledger",
        str(ledger),
        "--policy",
        str(policy),
        *more,
    ]


def environment(receiver: Receiver) -> dict[str, str]:
    """That of a process that can tell growth."""
    return {**os.environ, "GROWTH": receiver.url}


def looked(path: Path) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """States, and incidents but for when they were found."""
    states = rows(path, "SELECT scope, through_us, state, open FROM watched_series ORDER BY scope")
    return states, rows(
        path,
        "SELECT incident_id, end_us, excess_nanousd, kind, told_severity FROM incidents ORDER BY incident_id",
    )


def uninterrupted(ledger: Path, folder: Path) -> Path:
    """A copy of a ledger in which a look was never interrupted."""
    copy = folder / "uninterrupted.db"
    shutil.copy(ledger, copy)
    world = World(copy, now_us=utc_us())
    world.look()
    world.close()
    return copy


def close_to_the_hour() -> bool:
    """Whether the next look may find an hour more to score than the last one."""
    into_us = utc_us() % HOUR
    return GRACE - 2 * MINUTE < into_us < GRACE or into_us > HOUR - 2 * MINUTE


@pytest.fixture(autouse=True)
def away_from_the_hour() -> None:
    """No hour begins to be over while a test runs."""
    while close_to_the_hour():
        time.sleep(1)


def test_killed_before_any_write_nothing_is_lost_and_nothing_told_twice(
    ledger: Path, policy: Path, tmp_path: Path
) -> None:
    """The first write of a look, the second of the next, and so on, in the same ledger: in the end it is as if nobody had been killed."""
    expected = uninterrupted(ledger, tmp_path)
    with Receiver() as receiver:
        done = subprocess.run(
            command(ledger, policy, "--once", code=DYING),
            env=environment(receiver),
            capture_output=True,
            check=True,
            text=True,
        )
    *killed, last = map(int, done.stdout.split())
    assert set(killed) == {-signal.SIGKILL}, done.stderr
    assert last == 0
    assert len(killed) >= 4
    assert looked(ledger) == looked(expected)
    raised = rows(ledger, "SELECT kind, scope, window_start_us, attempts FROM alerts")
    told = rows(ledger, "SELECT scope, start_us FROM incidents WHERE told_us IS NOT NULL")
    assert [("anomaly", scope, start_us, 1) for scope, start_us in told] == raised
    assert "tenant=tenant-35" in {scope for scope, _ in told}
    assert len(receiver.got) == len(raised)
    with Ledger.open_readonly(ledger) as reader:
        assert reader.verify() == []


def test_two_watches_at_once_score_once_and_tell_once(ledger: Path, policy: Path, tmp_path: Path) -> None:
    """Started together on a ledger in which there is much to score."""
    expected = uninterrupted(ledger, tmp_path)
    with Receiver() as receiver:
        running = [
            subprocess.Popen(
                command(ledger, policy, "--every", "1s"), env=environment(receiver), stdout=subprocess.DEVNULL
            )
            for _ in range(2)
        ]
        try:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline and not rows(
                ledger, "SELECT 1 FROM incidents WHERE told_us > 0"
            ):
                time.sleep(0.2)
            time.sleep(3)
            assert [each.poll() for each in running] == [None, None]
        finally:
            for each in running:
                each.kill()
                each.wait()
        titles = list(receiver.titles)
    assert looked(ledger) == looked(expected)
    assert len(titles) == len(set(titles)) == len(rows(ledger, "SELECT 1 FROM alerts"))


def test_a_watch_that_is_killed_and_begun_anew_goes_on(ledger: Path, policy: Path, tmp_path: Path) -> None:
    """Killed again and again while it runs for ever; what it tells in the end is what it would have told."""
    expected = uninterrupted(ledger, tmp_path)
    with Receiver() as receiver:
        for seconds in (1.5, 2.0, 2.5):
            running = subprocess.Popen(
                command(ledger, policy, "--every", "1s"), env=environment(receiver), stdout=subprocess.DEVNULL
            )
            time.sleep(seconds)
            running.send_signal(signal.SIGKILL)
            running.wait()
        last = subprocess.run(
            command(ledger, policy, "--once", "--json"),
            env=environment(receiver),
            check=True,
            capture_output=True,
            text=True,
        )
    assert json.loads(last.stdout)["cuts"][0]["overtaken"] == ""
    assert looked(ledger) == looked(expected)
