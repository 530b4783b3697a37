"""What a meter's blocks and words refuse, and how a meter is closed on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripted import ScriptedModel, scripted_policy
from spendgraph import CostContext, LedgerError, Meter

A = CostContext(feature="triage", team="support", tenant="a")


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Meter]:
    """A meter that prices the scripted models."""
    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as meter:
        yield meter


def test_a_decorated_function_that_returns_work_to_be_done_is_refused(scripted: Meter) -> None:
    """Its stream would run after the task has ended."""

    @scripted.task(A)
    def answer() -> Any:
        return ScriptedModel().stream("hi")

    with pytest.raises(TypeError, match="generator"):
        answer()


def test_an_outcome_of_an_unknown_task_is_an_error(scripted: Meter) -> None:
    """It is not dropped without a word."""
    with pytest.raises(LedgerError, match="nobody-knows"):
        scripted.outcome(success=True, task_id="nobody-knows")


def test_a_meter_may_be_closed_on_an_event_loop(tmp_path: Path) -> None:
    """`async with` closes it without blocking the loop."""

    async def run() -> None:
        async with Meter(tmp_path / "l.db", policy=scripted_policy()) as meter:
            await ScriptedModel().ainvoke("hi", meter.config(A))

    asyncio.run(run())
    with Meter(tmp_path / "l.db") as meter:
        assert [row["tenant"] for row in meter.ledger.steps()] == ["a"]
