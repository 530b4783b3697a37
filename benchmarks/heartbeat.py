"""How long an event loop stands still while another process holds the ledger's write lock.

    python benchmarks/heartbeat.py [--seconds N]

Fifty tasks call a model that answers at once, three times a second each, under a meter, while another process holds
the write lock for 20 ms at a time with 5 ms between. A heartbeat that should beat every millisecond notes its gaps; beside it the same
without a meter, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from instant import CONTEXT, InstantModel
from spendgraph import Meter

TASKS = 50
BLOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
print("ready", flush=True)
while True:
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(0.02)
    connection.execute("ROLLBACK")
    time.sleep(0.005)
"""


async def beat(gaps: list[float], until: float) -> None:
    """Note how late each beat is, in milliseconds."""
    while time.perf_counter() < until:
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        gaps.append((time.perf_counter() - begun - 0.001) * 1000)


async def work(until: float, meter: Meter | None) -> int:
    """Call the model until the time is over; how often it was called."""
    model, calls = InstantModel(), 0
    config = None if meter is None else meter.config(CONTEXT)
    while time.perf_counter() < until:
        await model.ainvoke("hello", config)
        await asyncio.sleep(random.uniform(0.1, 0.5))
        calls += 1
    return calls


async def measure(seconds: float, meter: Meter | None) -> tuple[list[float], int]:
    """The heartbeat's gaps and the calls made."""
    gaps: list[float] = []
    until = time.perf_counter() + seconds
    results = await asyncio.gather(beat(gaps, until), *(work(until, meter) for _ in range(TASKS)))
    return sorted(gaps), sum(result for result in results if result)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each way runs")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with Meter(path) as meter:
            blocker = subprocess.Popen([sys.executable, "-c", BLOCKER, str(path)], stdout=subprocess.PIPE)
            assert blocker.stdout is not None
            blocker.stdout.readline()
            try:
                for name, each in (("no meter", None), ("spendgraph", meter)):
                    gaps, calls = asyncio.run(measure(seconds, each))
                    p50, p99 = gaps[len(gaps) // 2], gaps[len(gaps) * 99 // 100]
                    print(
                        f"{name:11} heartbeat gaps: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
                        f"longest {gaps[-1]:.1f} ms; {calls} calls by {TASKS} tasks"
                    )
            finally:
                blocker.kill()
                blocker.communicate()
            meter.flush()
            print(
                f"booked: {sum(1 for _ in meter.ledger.steps())} steps; verify: {meter.ledger.verify() or 'sound'}"
            )


if __name__ == "__main__":
    main()
