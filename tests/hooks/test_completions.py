"""Completion models are announced by another event than chat models, and booked like them."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripted import STEP_NANOUSD, ScriptedCompletion, scripted_policy
from spendgraph import CostContext, Meter

ACME = CostContext(feature="triage", team="support", tenant="acme")

WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda model, config: model.invoke("hi", config),
    "ainvoke": lambda model, config: asyncio.run(model.ainvoke("hi", config)),
    "generate": lambda model, config: model.generate(
        ["hi"], callbacks=config["callbacks"], metadata=config["metadata"]
    ),
    "batch": lambda model, config: model.batch(["hi"], config),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_completion_model_with_nothing_around_it_is_booked_once(tmp_path: Path, way: str) -> None:
    """The handler is all that attaches the meter: there is no run it could be found by."""
    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as meter:
        WAYS[way](ScriptedCompletion(), meter.config(ACME))
        (step,) = meter.ledger.steps()
        assert (step["tenant"], step["cost_nanousd"], step["status"]) == ("acme", STEP_NANOUSD, "ok")
