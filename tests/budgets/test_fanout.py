"""Twenty branches at once, room for four: four calls go out, sixteen do not, and the cap is spent to the cent.

A race is not seen at once: `make races` repeats each of these 200 times, or as often as `SPENDGRAPH_RACES` says.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from budgets.fanout import ACME, BRANCHES, CALL_NANOUSD, CAP_NANOUSD, capped, fan_out
from budgets.racer import run
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.ledger import Ledger

RACES = int(os.environ.get("SPENDGRAPH_RACES", "10"))
ADMITTED = CAP_NANOUSD // CALL_NANOUSD

pytestmark = pytest.mark.timeout(120 + 5 * RACES)


def check(ledger: Ledger) -> None:
    """Four steps of three quarters of a cent, three cents spent, nothing held, the books sound."""
    (window,) = ledger.windows()
    assert (window["spent_nanousd"], window["held_nanousd"]) == (CAP_NANOUSD, 0)
    assert [step["cost_nanousd"] for step in ledger.steps()] == [CALL_NANOUSD] * ADMITTED
    assert ledger.verify() == []


@pytest.mark.parametrize("reserve", ["expected", "strict"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_four_of_twenty_branches_are_admitted(tmp_path: Path, way: str, reserve: str) -> None:
    """Whatever the threads or tasks do."""
    for n in range(RACES):
        model = ScriptedModel()
        with Meter(tmp_path / f"{n}.db", policy=capped(reserve=reserve)) as meter:
            said = run(way, fan_out(model), meter.config(ACME))
            assert Counter(said) == {"ok": ADMITTED, "refused": BRANCHES - ADMITTED}
            assert model.requests == ADMITTED
            check(meter.ledger)


@contextmanager
def racers(way: str, processes: int) -> Generator[list[subprocess.Popen[str]]]:
    """Processes that share the twenty branches."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "budgets.racer", way, str(BRANCHES // processes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        for _ in range(processes)
    ]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to a process."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    """A line of a process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_four_of_twenty_branches_are_admitted_over_four_processes(tmp_path: Path, way: str) -> None:
    """Five branches in each, let go at once on one ledger."""
    with racers(way, 4) as running:
        for n in range(RACES):
            path = tmp_path / f"{n}.db"
            for process in running:
                tell(process, str(path))
            assert [heard(process) for process in running] == ["ready"] * 4
            for process in running:
                tell(process, "go")
            said = [[int(each) for each in heard(process).split()] for process in running]
            assert [sum(each) for each in zip(*said, strict=True)] == [
                ADMITTED,
                BRANCHES - ADMITTED,
                ADMITTED,
            ]
            with Ledger.open(path) as ledger:
                check(ledger)
