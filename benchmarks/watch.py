"""What a look of the anomaly watch costs: thousands of series in a real ledger, scored hour after hour.

    python benchmarks/watch.py [--series N] [--hours N] [--json]

A ledger is made in which every tenant spends something every hour, and rolled up. The watch first learns the hours there are; then one hour more is spent, and is
scored: that look is the one that counts, with the reading of the ledger and the writing of every state. The look a minute later, in which no hour has ended, is
what a watch does most of the time. Shown is CPU, user and system, of this process, one core. Beside it stands the same look in a ledger with a quarter of the
hours: what a bin costs is not to depend on how long a series is.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from spendgraph.context import CostContext
from spendgraph.ledger import ContextRow, Ledger, StepRow, TaskStart
from spendgraph_anomaly.watching import CutWatch, cuts_of
from spendgraph_reports.books import Books

HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000
BEGIN_US: Final = 1_790_553_600_000_000
"""2026-09-28T00:00Z, a Monday."""

TARGET_S: Final = 30.0
"""For 5,000 series."""

TARGET_MS: Final = 5.0
"""For a bin of a series."""


class Cost(NamedTuple):
    """What looks cost.

    Attributes:
        series: How many there are.
        hours: How many each had before.
        learning_ms: To learn from one of those, in the first look.
        look_s: A look in which an hour has ended.
        minute_s: One in which none has.
        state_bytes: What the ledger keeps of a series.
    """

    series: int
    hours: int
    learning_ms: float
    look_s: float
    minute_s: float
    state_bytes: float

    @property
    def bin_ms(self) -> float:
        """What a bin costs, with reading and writing."""
        return self.look_s / self.series * 1e3


def measure(series: int, hours: int, folder: Path) -> Cost:
    """Make a ledger and look at it."""
    path = folder / f"{series}-{hours}.db"
    chance = random.Random(series)
    (cut,) = cuts_of(None)
    now_us = BEGIN_US + hours * HOUR_US + 10 * MINUTE_US
    with Ledger.open(path, clock=lambda: now_us) as ledger, Books(path) as books:
        payers = [_payer(number) for number in range(series)]
        ledger.post(*payers)
        for hour in range(hours):
            _spend(ledger, payers, hour, chance)
        ledger.upkeep.roll()
        watch = CutWatch(cut, ledger, books)
        begun = time.process_time()
        watch.look(now_us)
        learning_s = time.process_time() - begun
        _spend(ledger, payers, hours, chance)
        now_us += HOUR_US
        ledger.upkeep.roll()
        begun = time.process_time()
        look = watch.look(now_us)
        look_s = time.process_time() - begun
        if look.scored != series:
            raise RuntimeError(f"expected {series} series to be scored, found {look.scored}")
        begun = time.process_time()
        watch.look(now_us + MINUTE_US)
        minute_s = time.process_time() - begun
        states = books.reader.watched.states(books.reader.watched.places(cut.name, cut.definition)[:100])
    mean_bytes = sum(map(len, states.values())) / len(states)
    return Cost(series, hours, learning_s / series / hours * 1e3, look_s, minute_s, mean_bytes)


def _payer(number: int) -> ContextRow:
    context = CostContext(feature="triage", team="support", tenant=f"tenant-{number}")
    return ContextRow(context.context_id, feature="triage", team="support", tenant=f"tenant-{number}")


def _spend(ledger: Ledger, payers: list[ContextRow], hour: int, chance: random.Random) -> None:
    at_us = BEGIN_US + hour * HOUR_US
    rows = [
        StepRow(
            step_id=f"{hour}-{number}",
            task_id=f"task-{hour}-{number}",
            kind="model",
            context_id=payer.context_id,
            started_us=(started := at_us + chance.randrange(HOUR_US - MINUTE_US)),
            ended_us=started + 1_000_000,
            recorded_us=started + 1_000_001,
            provider="openai",
            model="gpt-5",
            input_tokens=1_000,
            output_tokens=200,
            cost_nanousd=round(chance.lognormvariate(0, 1) * 1e9),
        )
        for number, payer in enumerate(payers)
    ]
    tasks = [TaskStart(row.task_id, None, row.context_id, "", "", row.started_us) for row in rows]
    ledger.post(*tasks, *rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a look of the anomaly watch costs.")
    parser.add_argument("--series", type=int, default=5_000)
    parser.add_argument("--hours", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        long = measure(given.series, given.hours, Path(folder))
        short = measure(given.series, max(1, given.hours // 4), Path(folder))
    if given.json:
        print(json.dumps([each._asdict() | {"bin_ms": each.bin_ms} for each in (long, short)], indent=2))
        return
    ratio = long.look_s / short.look_s
    print(f"{given.series:,} series, every tenant spends every hour; CPU of one core\n")
    print(f"{'':38}{f'{long.hours} hours':>12}{f'{short.hours} hours':>12}{'target':>12}")
    for name, values, target in (
        ("a look when an hour has ended, s", [each.look_s for each in (long, short)], f"{TARGET_S:.0f}"),
        ("the same, ms a series", [each.bin_ms for each in (long, short)], f"{TARGET_MS:.0f}"),
        ("a look a minute later, s", [each.minute_s for each in (long, short)], ""),
        (
            "learning from the past, ms a bin",
            [each.learning_ms for each in (long, short)],
            f"{TARGET_MS:.0f}",
        ),
        ("state of a series, kB", [each.state_bytes / 1e3 for each in (long, short)], "64"),
    ):
        print(f"{name:38}{values[0]:>12.3f}{values[1]:>12.3f}{target:>12}")
    print(f"\nwith four times the history a look costs {ratio:.2f} times as much")
    if long.look_s > TARGET_S * max(1, given.series / 5_000) or long.bin_ms > TARGET_MS:
        print("MISSED: the target stands beside it")


if __name__ == "__main__":
    main()
