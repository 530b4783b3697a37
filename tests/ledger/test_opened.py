"""Tasks as they were opened: without steps, and from their outermost one down."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.rows import ACME, GLOBEX, START_US, context_row, step, task
from spendgraph.clock import from_us
from spendgraph.ledger import Ledger, TaskEnd

DAY_US = 86_400_000_000
GOLD = context_row(feature="triage", tenant="initech", extra={"tier": "gold"})


@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_task_without_steps_is_one_in_which_nothing_was_ever_booked(
    tmp_path: Path, is_pruned: bool
) -> None:
    """Steps that are rolled up, pruned or waiting to be are steps; a task of another day is not asked for."""
    with Ledger.open(tmp_path / "ledger.db", clock=lambda: START_US + 60 * DAY_US) as ledger:
        ledger.post(
            ACME,
            GOLD,
            *(task(name) for name in ("rolled", "late")),
            task("refused", context_id=GOLD.context_id, started_us=START_US + 5),
            task("tomorrow", started_us=START_US + DAY_US),
            step("a", task_id="rolled"),
            step("b", task_id="rolled"),
            TaskEnd("refused", "refused", START_US + 9),
        )
        ledger.upkeep.roll()
        if is_pruned:
            ledger.upkeep.prune(from_us(START_US + DAY_US))
        ledger.post(step("c", task_id="late"))
        columns = ["task_id", "status", "outcome", "started_us", "tenant", "extra.tier"]
        assert ledger.tasks_without_steps(columns, since=START_US, until=START_US + DAY_US) == [
            {
                "task_id": "refused",
                "status": "refused",
                "outcome": "",
                "started_us": START_US + 5,
                "tenant": "initech",
                "extra.tier": "gold",
            }
        ]
        assert [row["task_id"] for row in ledger.tasks_without_steps(["task_id"])] == ["refused", "tomorrow"]


def test_every_child_has_the_root_it_comes_from(tmp_path: Path) -> None:
    """Over several generations; who was opened by a stranger is a root, and a circle has none."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(
            ACME,
            GLOBEX,
            task("top", context_id=GLOBEX.context_id),
            task("child", parent_task_id="top"),
            task("grandchild", parent_task_id="child"),
            task("stray", parent_task_id="elsewhere"),
            task("of stray", parent_task_id="stray"),
            task("here", parent_task_id="there"),
            task("there", parent_task_id="here"),
            task("below", parent_task_id="there"),
        )
        assert ledger.task_roots(["tenant"]) == {
            "child": {"task_id": "top", "tenant": "globex"},
            "grandchild": {"task_id": "top", "tenant": "globex"},
            "of stray": {"task_id": "stray", "tenant": "acme"},
        }


def test_a_column_that_a_task_has_not_is_named(tmp_path: Path) -> None:
    """With those it has."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for ask in (ledger.tasks_without_steps, ledger.task_roots):
            with pytest.raises(
                ValueError, match="a task has no column 'cost_nanousd'; it has task_id, context_id"
            ):
                ask(["cost_nanousd"])
