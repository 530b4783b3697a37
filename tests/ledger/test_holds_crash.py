"""Processes that are killed while they reserve and book: the cap holds, and no counter is lost."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from ledger.rows import ACME, change, rows, task
from ledger.test_processes import start
from spendgraph.ledger import Ledger
from spendgraph.ledger.holds import LEASE_US

CAP = 3_000_000_000

WORKER = """
import os, random
from ledger.test_holds import ask, held, want
from ledger.rows import step
from spendgraph.ledger import Hold, HoldRelease
random.seed({seed})
ledger = Ledger.open({path!r})
print('ready', flush=True)
waiting = []
for n in range(10**6):
    found = ledger.reserve(ask(f'{{os.getpid()}}-{{n}}', random.randrange(1, 10_000_000), want({cap})))
    if not isinstance(found, Hold):
        print('full', flush=True)
        continue
    waiting.append((f'{{os.getpid()}}-{{n}}', found))
    if len(waiting) > 3:
        step_id, hold = waiting.pop(random.randrange(len(waiting)))
        if random.random() < 0.1:
            ledger.book(HoldRelease(step_id))
        else:
            ledger.book(held(hold, step(step_id, cost_nanousd=random.randrange(hold.nanousd + 1))))
            print(step_id, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_processes_killed_at_any_moment_leave_sums_that_are_right(path: Path, seed: int) -> None:
    """Three at once on one budget, each killed in the middle; what they had booked is there, what they held is booked."""
    chance = random.Random(seed)
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    acknowledged: set[str] = set()
    for _ in range(2):
        workers = [
            start(WORKER.format(path=str(path), cap=CAP, seed=chance.randrange(1000))) for _ in range(3)
        ]
        for worker in workers:
            assert worker.stdout is not None
            for _ in range(chance.randrange(2, 60)):
                acknowledged.add(worker.stdout.readline().strip())
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            assert worker.stdout is not None
            acknowledged.update(worker.stdout.read().split("\n")[:-1])  # the last line may be torn
            worker.communicate()
    acknowledged -= {"ready", "full", ""}
    change(path, f"UPDATE holds SET lease_until_us = lease_until_us - {LEASE_US + 1}")
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
        assert acknowledged <= {row["step_id"] for row in ledger.steps()}
        ((spent, held_now),) = rows(path, "SELECT spent_nanousd, held_nanousd FROM windows")
        assert held_now == 0
        assert 0 < spent <= CAP
