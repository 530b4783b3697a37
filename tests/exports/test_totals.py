"""Over random ledgers, what is exported adds up to what the ledger holds, to the nano-dollar."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exports.kit import cells
from ledger.rows import ACME, GLOBEX, START_US, step, task
from spendgraph.ledger import Ledger, StepRow
from spendgraph_reports.exports import export_csv, export_focus, export_json, export_parquet
from spendgraph_reports.period import DAY_US, Period

DAY = START_US - START_US % DAY_US
CONTEXTS = (ACME.context_id, GLOBEX.context_id)
STATUS = st.sampled_from(["ok", "error", "cut", "cancelled", "cache_hit"])


@st.composite
def steps(draw: st.DrawFn) -> list[StepRow]:
    """Steps of five days in any order, so that some are late; half of them corrected, some days afterwards."""
    drawn: list[StepRow] = []
    for number in range(draw(st.integers(0, 25))):
        started = DAY + draw(st.integers(-2 * DAY_US, 3 * DAY_US - 1))
        values: dict[str, Any] = {
            "started_us": started,
            "kind": draw(st.sampled_from(["model", "tool", "embedding", "retriever", "rerank", "other"])),
            "provider": draw(st.sampled_from(["openai", "anthropic", ""])),
            "model": draw(st.sampled_from(["gpt-5", "claude", ""])),
            "context_id": draw(st.sampled_from(CONTEXTS)),
            "cost_basis": draw(st.sampled_from(["reported", "estimated", "upper_bound", "unpriced"])),
        }
        cost = draw(st.one_of(st.integers(0, 9), st.integers(0, 10**15)))
        drawn.append(step(f"step-{number}", **values, cost_nanousd=cost, status=draw(STATUS)))
        if draw(st.booleans()):
            correction = {"entry": "correction", "corrects_step_id": f"step-{number}", "input_tokens": -3}
            delta = draw(st.integers(-cost, 10**12))
            drawn.append(step(f"step-{number}/late", **values, **correction, cost_nanousd=delta))
    return draw(st.permutations(drawn))


def total(rows: Sequence[StepRow], since_us: int, until_us: int) -> int:
    """What the rows of a period cost."""
    return sum(row.cost_nanousd for row in rows if since_us <= row.started_us < until_us)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=steps(), first=st.integers(-2, 2), days=st.integers(1, 4))
def test_exports_add_up_to_the_ledger(rows: list[StepRow], first: int, days: int) -> None:
    """CSV, JSON, Parquet and FOCUS; over all of it and over any whole days."""
    period = Period(DAY + first * DAY_US, DAY + (first + days) * DAY_US)
    assert period.since_us is not None
    assert period.until_us is not None
    with tempfile.TemporaryDirectory() as folder:
        books = Path(folder, "ledger.db")
        with Ledger.open(books) as ledger:
            ledger.post(ACME, GLOBEX, task(), *rows)
            (spent,) = ledger.spend() or [{"cost_nanousd": 0}]
        everything, part = (
            sum(row.cost_nanousd for row in rows),
            total(rows, period.since_us, period.until_us),
        )
        assert spent["cost_nanousd"] == everything
        for write in (export_csv, export_json, export_parquet, export_focus):
            assert write(books, Path(folder, "out"), period).cost_nanousd == part
        assert export_focus(books, Path(folder, "focus.csv")).cost_nanousd == everything
        for name, column in (("focus.csv", "BilledCost"), ("steps.csv", "cost_usd")):
            export_csv(books, Path(folder, "steps.csv"))
            read = sum((Decimal(row[column]) for row in cells(Path(folder, name))), Decimal(0))
            assert read == Decimal(everything).scaleb(-9)
