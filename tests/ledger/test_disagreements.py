"""The quick check of the rollups: they add up to each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.rows import ACME, START_US, change, step, task
from spendgraph.ledger import Ledger


@pytest.mark.parametrize(
    ("table", "nanousd"), [("rollup_months", 10_001), ("rollup_tasks", 10_001), ("rollup_hours", 10_002)]
)
def test_rollups_that_contradict_each_other_are_named(tmp_path: Path, table: str, nanousd: int) -> None:
    """With what each adds up to; without steps and after each rollup they agree."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        assert ledger.upkeep.disagreements() == ()
        ledger.post(ACME, task(), step(), step(started_us=START_US + 10**11))
        ledger.upkeep.roll()
        ledger.post(step())
        assert ledger.upkeep.disagreements() == ()
    change(path, f"UPDATE {table} SET cost_nanousd = cost_nanousd + 1")
    with Ledger.open(path) as ledger:
        (said,) = ledger.upkeep.disagreements()
    assert said == (
        f"{table} adds up to (2, 0, {nanousd}), rollup_15min to (2, 0, 10000) (steps, corrections, nanousd)"
    )
