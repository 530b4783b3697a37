"""Eight processes on one hot budget: steps a second, the worst wait, who starves, and whether an update is lost.

    python benchmarks/processes.py [--processes N] [--seconds S] [--rounds N] [--json]

Every process reserves and books without a pause, on one window of one ledger: nothing but the ledger is measured. Raw sqlite3
(raw.py) does so in two transactions, waiting for the others in one of two ways: by trying again after a random pause, as spendgraph
does, or by SQLite's own `busy_timeout`. Spendgraph writes each step down in its journal and books many at once, and the
time it takes until the last of them is in the ledger is counted. The ways are run in turn, in random order; of each
the rounds' medians are shown, of waits the worst.

A wait is how long a reservation took. A process starves that made less than a quarter of the mean. Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from instant import CONTEXT
from raw import COST, RawReservations, make_ledger
from spendgraph.ledger import Ask, HeldStep, Hold, Ledger, StepRow, Want

OURS = "spendgraph"
RETRY = "raw, random retry"
TIMEOUT = "raw, busy_timeout"
WINDOW = "hot"
LIMIT_NANOUSD = 10**15
STARVED = 0.25


class Result(NamedTuple):
    """What one round of one way came to; waits are in milliseconds."""

    steps_per_second: float
    worst_wait: float
    p99_wait: float
    least_share: float
    lost: int


def spend(way: str, path: Path, seconds: float) -> tuple[int, list[float]]:
    """Reserve and book until the time is over; how many steps, and how long each reservation took."""
    waits: list[float] = []
    me = os.getpid()
    if way == OURS:
        want = Want(WINDOW, "", 0, None, None, "nanousd", LIMIT_NANOUSD)
        with Ledger.open(path) as ledger:
            _go()
            until = time.perf_counter() + seconds
            while (begun := time.perf_counter()) < until:
                step_id = f"{me}-{len(waits)}"
                row = StepRow(step_id, "raw", "model", CONTEXT.context_id, 1, 2, 3, cost_nanousd=COST)
                hold = ledger.reserve(Ask((want,), COST, 0, row))
                waits.append(time.perf_counter() - begun)
                assert isinstance(hold, Hold)
                ledger.book(HeldStep(tuple(row), hold.windows, hold.nanousd, hold.tokens))
        return len(waits), waits
    raw = RawReservations(path, [WINDOW], busy_timeout_ms=60_000 if way == TIMEOUT else 0)
    _go()
    until = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < until:
        step_id = f"{me}-{len(waits)}"
        raw.reserve(step_id)
        waits.append(time.perf_counter() - begun)
        raw.book(step_id)
    return len(waits), waits


def _go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def race(way: str, folder: Path, processes: int, seconds: float) -> Result:
    """One round of one way on a new ledger."""
    path = folder / f"{way}-{random.getrandbits(48):x}.db"
    make_ledger(path, [WINDOW])
    command = [sys.executable, __file__, "--worker", way, "--ledger", str(path), "--seconds", str(seconds)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    begun = time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said: list[dict[str, Any]] = []
    took = 0.0
    for process in running:
        assert process.stdout is not None
        said.append(json.loads(process.stdout.readline()))
        took = max(took, time.perf_counter() - begun)  # the end of the program is not counted
    for process in running:
        process.communicate()
    counts = [each["steps"] for each in said]
    total = sum(counts)
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT spent_nanousd, spent_calls, held_nanousd, held_calls FROM windows WHERE budget = ?"
        window = connection.execute(query, (WINDOW,)).fetchone()
        (rows,) = connection.execute("SELECT count(*) FROM steps WHERE task_id = 'raw'").fetchone()
    lost = sum(
        abs(found - expected)
        for found, expected in zip((*window, rows), (total * COST, total, 0, 0, total), strict=True)
    )
    return Result(
        total / took,
        max(each["worst"] for each in said) * 1000,
        max(each["p99"] for each in said) * 1000,
        min(counts) * processes / total,
        lost,
    )


def main() -> None:
    """Measure and print, or be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each round lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way runs")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--ledger", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        steps, waits = spend(options.worker, Path(options.ledger), options.seconds)
        waits.sort()
        print(
            json.dumps({"steps": steps, "worst": waits[-1], "p99": waits[len(waits) * 99 // 100]}), flush=True
        )
        return
    ways = [OURS, RETRY, TIMEOUT]
    results: dict[str, list[Result]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            random.shuffle(ways)
            for way in ways:
                results[way].append(race(way, Path(folder), options.processes, options.seconds))
    if options.json:
        print(json.dumps({way: [each._asdict() for each in rounds] for way, rounds in results.items()}))
        return
    reference = statistics.median(each.steps_per_second for each in results[RETRY])
    print(f"{options.processes} processes, one window, {options.rounds} rounds of {options.seconds:g} s")
    for way in (OURS, RETRY, TIMEOUT):
        rounds = results[way]
        rates = [each.steps_per_second for each in rounds]
        starved = min(each.least_share for each in rounds)
        print(
            f"  {way:18} {statistics.median(rates):6.0f} steps/s ({min(rates):.0f} to {max(rates):.0f}), "
            f"{statistics.median(rates) / reference:4.2f} x {RETRY}; "
            f"wait p99 {max(each.p99_wait for each in rounds):.1f} ms, worst {max(each.worst_wait for each in rounds):.0f} ms; "
            f"least share {starved:.2f}{' STARVED' if starved < STARVED else ''}; lost {sum(each.lost for each in rounds)}"
        )


if __name__ == "__main__":
    main()
