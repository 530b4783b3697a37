"""A step of a model that says what it may cost holds its tokens too, where a budget counts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from budgets.fanout import ACME
from scripted import scripted_policy
from spendgraph import BudgetExceeded, Meter, UnboundedCall

EITHER = pytest.mark.parametrize("strict", [False, True], ids=["expected", "strict"])
CALL: dict[str, Any] = {"model": "scripted", "reserve": "0.05", "inputs": "hi", "max_output_tokens": 50}


@pytest.fixture
def meter(tmp_path: Path) -> Any:
    """A meter without budgets of its own."""
    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as made:
        yield made


def run(meter: Meter, **call: Any) -> None:
    """One step that uses 50 tokens."""
    with meter.step("model", **call) as step:
        step.usage(input_tokens=2, output_tokens=48)


@EITHER
def test_no_tokens_let_no_model_step_out(meter: Meter, strict: bool) -> None:
    """Nor one whose model nobody names."""
    with meter.cap(tokens=0, strict=strict, context=ACME):
        for model in ("scripted", ""):
            with pytest.raises(BudgetExceeded):
                run(meter, **{**CALL, "model": model})
    assert list(meter.ledger.steps()) == []


@EITHER
def test_a_step_holds_its_tokens_while_it_runs(meter: Meter, strict: bool) -> None:
    """A second one beside it has no room among a hundred; one after it has."""
    with meter.cap(tokens=110, strict=strict, context=ACME):
        with meter.step("model", **CALL) as step:
            with pytest.raises(BudgetExceeded):
                run(meter, **{**CALL, "max_output_tokens": 100})
            step.usage(input_tokens=2, output_tokens=48)
        run(meter, **CALL)
    assert meter.ledger.verify() == []


@pytest.mark.parametrize(
    ("missing", "says"), [("inputs", "an input whose tokens"), ("max_output_tokens", "max_tokens")]
)
def test_strict_wants_inputs_and_a_limit(meter: Meter, missing: str, says: str) -> None:
    """For money alone, `reserve` is enough."""
    call = {name: value for name, value in CALL.items() if name != missing}
    with meter.cap(tokens=1000, strict=True, context=ACME), pytest.raises(UnboundedCall, match=says):
        run(meter, **call)
    with meter.cap(usd=1, strict=True, context=ACME):
        run(meter, **call)


def test_a_cost_that_is_spent_asks_for_no_tokens(meter: Meter) -> None:
    """`meter.record` counts in strict token budgets, and is never refused."""
    with meter.cap(tokens=0, strict=True, context=ACME):
        meter.record("model", usd="1")
    assert len(list(meter.ledger.steps())) == 1
