"""A call that costs more than was held for it closes its window for the very next call, whoever makes it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budgets.fanout import ACME
from scripted import PRICES, STEP_NANOUSD, ScriptedModel
from spendgraph import BudgetExceeded, Meter
from spendgraph.clock import utc_us
from spendgraph.policy import parse_policy

HELD_NANOUSD = 2 * 1_000 + 3 * 1_000 + 2_000
"""For `hi` and an answer of one token; the answer then costs 20,000."""
LIMIT = STEP_NANOUSD + HELD_NANOUSD
"""Room for one answer and for one more hold, not for two answers."""


def metered(tmp_path: Path, limit: str) -> Meter:
    """A meter with one budget, in `expected` mode."""
    return Meter(tmp_path / "ledger.db", policy=parse_policy(f"{PRICES}\nbudgets: [{{name: b, {limit}}}]"))


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("limit", [f"limit_usd: '{LIMIT / 1e9:.9f}'", "limit_tokens: 21"])
def test_the_next_call_counts_what_the_last_one_cost(tmp_path: Path, limit: str, asynchronous: bool) -> None:
    """Not what was held for it, however soon the next one comes: two fit by their holds and more would, had nobody counted."""
    model = ScriptedModel()
    with metered(tmp_path, limit) as meter:
        config = meter.config(ACME)

        async def aone_after_the_other() -> None:
            for _ in range(9):
                await model.bind(max_tokens=1).ainvoke("hi", config)

        def one_after_the_other() -> None:
            for _ in range(9):
                model.bind(max_tokens=1).invoke("hi", config)

        with pytest.raises(BudgetExceeded):
            asyncio.run(aone_after_the_other()) if asynchronous else one_after_the_other()
        assert model.requests == 2
        (window,) = meter.ledger.windows()
        assert window["held_nanousd"] == 0
        assert window["spent_nanousd"] == 2 * STEP_NANOUSD
        assert meter.ledger.verify() == []


def test_another_process_sees_an_overrun_when_the_call_returns(tmp_path: Path) -> None:
    """It is committed by then, not written down to be committed soon."""
    with metered(tmp_path, "limit_usd: 1") as meter:
        ScriptedModel().bind(max_tokens=1).invoke("hi", meter.config(ACME))
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            counters = other.execute("SELECT spent_nanousd, held_nanousd FROM windows").fetchall()
    assert counters == [(STEP_NANOUSD, 0)]


def test_a_late_end_dearer_than_its_hold_is_an_overrun_as_well(tmp_path: Path) -> None:
    """The correction is compared with nothing held, for what was held went with the charge."""
    with metered(tmp_path, "limit_usd: '0.000003'") as meter:  # one token in and one out
        recorder = meter.recorder
        step = recorder.open(
            "s1",
            recorder.here(),
            "model",
            "m",
            provider="x",
            model="scripted",
            inputs="hi",
            max_output_tokens=1,
        )
        recorder.settle([step])
        recorder.close(step, cost_nanousd=3_500)
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            query = (
                "SELECT json_extract(detail, '$.overrun_nanousd') FROM decisions WHERE outcome = 'overrun'"
            )
            overruns = other.execute(query).fetchall()
            counters = other.execute("SELECT spent_nanousd, held_nanousd FROM windows").fetchall()
        assert counters == [(3_500, 0)]
        assert overruns == [(500,)]
        assert meter.ledger.verify() == []


def overruns(tmp_path: Path) -> list[int]:
    """By how much budgets were overrun, as it was decided."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        query = (
            "SELECT detail ->> 'overrun_nanousd' FROM decisions WHERE outcome = 'overrun' ORDER BY decided_us"
        )
        return [amount for (amount,) in connection.execute(query)]


def test_a_rolling_budget_is_overrun_by_its_sum(tmp_path: Path) -> None:
    """Two calls an hour apart are two of its windows, each far below the limit."""
    now_us = [utc_us()]
    policy = parse_policy(
        f"{PRICES}\nbudgets: [{{name: b, period: rolling 24h, limit_usd: '{LIMIT / 1e9:.9f}'}}]"
    )
    with Meter(tmp_path / "ledger.db", policy=policy, clock=lambda: now_us[0]) as meter:
        for _ in range(2):
            ScriptedModel().bind(max_tokens=1).invoke("hi", meter.config(ACME))
            now_us[0] += 3_600_000_000
        assert len(list(meter.ledger.windows())) == 2
    assert overruns(tmp_path) == [2 * STEP_NANOUSD - LIMIT]


def test_an_overrun_is_measured_by_the_limit_that_counts(tmp_path: Path) -> None:
    """Beyond the limit before it was raised is not beyond the limit."""
    metered(tmp_path, f"limit_usd: '{HELD_NANOUSD / 1e9:.9f}'").close()
    with metered(tmp_path, "limit_usd: 1") as meter:
        ScriptedModel().bind(max_tokens=1).invoke("hi", meter.config(ACME))
    assert overruns(tmp_path) == []
