"""What the gate takes for granted of what follows: finished tasks, else calls, else next to nothing."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from budgets.fanout import ACME
from budgets.gated import CALL, State, gated, policy, run
from scripted import ScriptedModel
from spendgraph import (
    BudgetExceeded,
    BudgetGate,
    Meter,
)
from spendgraph.budgets import ahead

START_STATE: State = {"said": []}
YES = {"decisions": [{"type": "approve"}]}
NO = {"decisions": [{"type": "reject", "message": "too dear"}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def meter(path: Path) -> Iterator[Meter]:
    """A meter with a cap of four calls."""
    with Meter(path, policy=policy()) as opened:
        yield opened


def test_what_finished_tasks_have_cost_is_what_follows(path: Path) -> None:
    """Nineteen tasks of two calls and one of four: the p95 is two calls; there is room for one. Nineteen are too few."""
    with Meter(path, policy=policy("1")) as meter:
        for _ in range(19):
            with meter.task(ACME):
                ScriptedModel().invoke("hi")
                ScriptedModel().invoke("hi")
        assert ahead.LookAhead(meter.ledger, _nothing()).cost("triage") == 1
        with meter.task(ACME), meter.task(user="inner"):
            for _ in range(4):
                ScriptedModel().invoke("hi")
        assert ahead.LookAhead(meter.ledger, _nothing()).cost("triage") == 2 * CALL
        assert ahead.LookAhead(meter.ledger, _nothing()).cost("search") == 1
        assert sorted(meter.ledger.finished_task_costs("triage"))[-2:] == [2 * CALL, 4 * CALL]
    with Meter(path, policy=policy("0.33")) as meter:  # of which 42 calls, 0.315, are spent
        model = ScriptedModel()
        with pytest.raises(BudgetExceeded, match=r"what follows may need \$0\.015"):
            gated(BudgetGate(meter), model).compile().invoke(START_STATE, meter.config(ACME))
        assert model.requests == 1


def _nothing() -> Any:
    from spendgraph.pricing import CostHistory

    return CostHistory()


def test_before_that_the_dearest_kind_of_call_is_and_nothing_known_asks_a_full_budget_only(
    meter: Meter,
) -> None:
    """Twenty calls of a feature say what one costs."""
    history = _nothing()
    look = ahead.LookAhead(meter.ledger, history)
    assert look.cost("triage") == 1
    for _ in range(20):
        history.add("triage", "small", 3)
        history.add("triage", "large", 5)
        history.add("search", "large", 70)
    assert look.cost("triage") == 5


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_the_ledger_is_asked_what_tasks_cost_once_in_five_minutes(meter: Meter, way: str) -> None:
    """Two runs, one look."""
    looked: list[str] = []
    costs = meter.ledger.finished_task_costs

    def counted(feature: str) -> list[int]:
        looked.append(feature)
        return costs(feature)

    meter.ledger.finished_task_costs = counted  # type: ignore[method-assign]
    graph = gated(BudgetGate(meter), ScriptedModel()).compile()
    for _ in range(2):
        run(graph, way, START_STATE, meter.config(ACME))
    assert looked == ["triage"]
