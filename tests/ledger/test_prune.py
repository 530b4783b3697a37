"""Pruned steps are gone; sums, budgets and the check of the books are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.rows import START_US, rows, step, step_ids, task
from ledger.test_processes import start
from ledger.test_rollup import CONTEXTS, CORRECTIONS, STEPS, TASKS, correct
from spendgraph.clock import from_us
from spendgraph.ledger import HeldStep, Ledger, TaskEnd
from spendgraph.ledger.prune import KEPT_US
from spendgraph.ledger.rollup_sql import QUARTER_US

if TYPE_CHECKING:
    from pathlib import Path

    from spendgraph.ledger import StepRow

NOW_US = START_US + 400 * 86_400_000_000
BEFORE_US = START_US - START_US % QUARTER_US + 2 * QUARTER_US
OLD_US, NEW_US = START_US, BEFORE_US + QUARTER_US

_WINDOWS = "SELECT window_id, budget, scope, spent_nanousd, spent_tokens, spent_calls FROM windows ORDER BY window_id"


def opened(path: Path) -> Ledger:
    """A ledger in which the steps of these tests are more than a year old."""
    ledger = Ledger.open(path, clock=lambda: NOW_US)
    ledger.post(*CONTEXTS, *(task(task_id) for task_id in TASKS))
    return ledger


def window(ledger: Ledger, scope: str = "") -> int:
    """A window that is counted in."""

    def act(execute: Any) -> int:
        key = ("cap", scope, START_US)
        execute("INSERT INTO windows (budget, scope, start_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key)
        found = execute("SELECT window_id FROM windows WHERE budget = ? AND scope = ? AND start_us = ?", key)
        return int(found.fetchone()[0])

    return ledger.transact(act)


def held(row: StepRow, *windows: int) -> HeldStep:
    """A step that is charged to windows."""
    return HeldStep(tuple(row), windows, row.cost_nanousd, 0)


def old(step_id: str, **columns: Any) -> StepRow:
    """A step to prune."""
    return step(step_id, started_us=OLD_US, ended_us=OLD_US + 5, **columns)


def new(step_id: str, **columns: Any) -> StepRow:
    """A step to keep."""
    return step(step_id, started_us=NEW_US, ended_us=NEW_US + 5, **columns)


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pruning_changes_no_sum(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of steps and corrections in windows, pruned in parts of any size, again and again, with late ones in between."""
    path = tmp_path_factory.mktemp("prune") / "ledger.db"
    cost = rows_booked = 0
    for _ in range(data.draw(st.integers(1, 3), label="rounds")):
        with opened(path) as ledger:
            windows = [window(ledger), window(ledger, "tenant=acme")]
            steps = data.draw(st.lists(STEPS, max_size=10), label="steps")
            for row in steps:
                ledger.post(held(row, *data.draw(st.lists(st.sampled_from(windows), unique=True))))
                cost, rows_booked = cost + row.cost_nanousd, rows_booked + 1
            for found in data.draw(st.lists(CORRECTIONS, max_size=2), label="corrections"):
                correct(ledger, steps, found)
                if steps:
                    cost, rows_booked = cost + found[1], rows_booked + 1
            if data.draw(st.booleans(), label="is rolled"):
                ledger.upkeep.roll(rows=data.draw(st.integers(1, 9)))
            counters = rows(path, _WINDOWS)
            sums = ledger.rolled(["quarter_us", "tenant", "model", "status"])
            tasks = rows(path, "SELECT * FROM task_costs ORDER BY 1")
            highest = rows(path, "SELECT max(seq) FROM steps")
            before_us = BEFORE_US + data.draw(st.integers(-20, 20), label="before") * QUARTER_US
            plan = ledger.upkeep.plan_prune(before_us)
            pruned = ledger.upkeep.prune(before_us, rows=data.draw(st.integers(1, 9)))
            assert pruned[2:] == plan[1:4]
            assert ledger.rolled(["quarter_us", "tenant", "model", "status"]) == sums
            assert rows(path, "SELECT * FROM task_costs ORDER BY 1") == tasks
            assert rows(path, _WINDOWS) == counters
            assert rows(path, "SELECT max(seq) FROM steps") == highest
            assert ledger.upkeep.plan_prune(before_us).rows == 0
            assert ledger.verify() == []
            assert ledger.upkeep.rebuild(rows=3).repaired == 0
            assert ledger.rolled(["quarter_us", "tenant", "model", "status"]) == sums
    with opened(path) as ledger:
        total = ledger.rolled(sums=("cost_nanousd", "steps", "corrections"))
        assert sum(row["cost_nanousd"] for row in total) == cost
        assert sum(row["steps"] + row["corrections"] for row in total) == rows_booked


def test_only_what_is_rolled_and_old_is_pruned(path: Path) -> None:
    """The plan says what stays and why; the journal is as closed as before."""
    with opened(path) as ledger:
        ledger.post(old("s1"), old("s2", task_id="task-2"), new("s3"), TaskEnd("task-2", "paused", None))
        ledger.correct("s1", reason="invoice", cost_nanousd=7)
        ledger.upkeep.roll()
        ledger.post(old("late"))
        plan = ledger.upkeep.plan_prune(from_us(BEFORE_US + 5))
        assert plan == (BEFORE_US, 1, 1, 5_007, OLD_US, OLD_US, 1, 1)
        told: list[tuple[int, int]] = []
        assert ledger.upkeep.prune(
            from_us(BEFORE_US + 5), lambda done, total: told.append((done, total)), rows=1
        ) == (1, BEFORE_US, 1, 1, 5_007)
        assert told == [(1, 2), (2, 2)]
        assert step_ids(path) == {"s2", "s3", "late"}
        assert ledger.verify() == []
        with pytest.raises(Exception, match="steps is append-only: delete refused"):
            ledger.transact(lambda execute: execute("DELETE FROM steps"))
    assert rows(
        path, "SELECT steps, corrections, cost_nanousd, first_seq, last_seq, ended_us FROM prunes"
    ) == [(1, 1, 5_007, 1, 4, NOW_US)]


def test_the_last_week_is_never_pruned(path: Path) -> None:
    """The end of a call may still be heard."""
    with opened(path) as ledger:
        for act in (ledger.upkeep.plan_prune, ledger.upkeep.prune):
            with pytest.raises(ValueError, match="steps of the last seven days are never pruned"):
                act(NOW_US - KEPT_US + 1)
        assert ledger.upkeep.prune(NOW_US - KEPT_US) == (
            0,
            (NOW_US - KEPT_US) // QUARTER_US * QUARTER_US,
            0,
            0,
            0,
        )
        assert rows(path, "SELECT count(*) FROM prunes") == [(0,)]


def test_windows_count_on_after_a_prune(path: Path) -> None:
    """What was spent stays spent, and `verify` knows why; a tampered counter is still found."""
    with opened(path) as ledger:
        one = window(ledger)
        ledger.post(held(old("s1"), one))
        ledger.post(held(new("s2"), one))
        ledger.upkeep.roll()
        assert ledger.upkeep.prune(BEFORE_US).steps == 1
        ledger.post(held(new("s3"), one))
        assert rows(path, "SELECT spent_nanousd, spent_tokens, spent_calls FROM windows") == [(15_000, 42, 3)]
        assert rows(path, "SELECT * FROM prune_windows") == [(1, one, 5_000, 14, 1)]
        assert ledger.verify() == []
        ledger.transact(lambda execute: execute("UPDATE prune_windows SET spent_nanousd = 4999"))
        (problem,) = ledger.verify()
        assert "says 15000 nanousd spent, its rows add up to 14999" in problem.message


def test_a_sum_of_what_was_pruned_that_is_changed_is_found(path: Path) -> None:
    """Nothing can make it anew, but the totals do not fit any more."""
    with opened(path) as ledger:
        ledger.post(old("s1"), new("s2"))
        ledger.upkeep.roll()
        ledger.upkeep.prune(BEFORE_US)
        ledger.transact(
            lambda execute: execute(
                f"UPDATE rollup_15min SET cost_nanousd = 1 WHERE quarter_us < {BEFORE_US}"
            )
        )
        (problem,) = ledger.verify()
        assert (problem.check, problem.subject[:12]) == ("rollups", "rollup_hours")
        assert ledger.upkeep.rebuild().repaired == 2  # the hour follows its quarters, and the month its hours
        (problem,) = ledger.verify()
        assert (problem.subject, problem.message) == (
            "rollup_15min",
            "adds up to 5001 nanousd, the steps and what was pruned of them to 10000",
        )


def test_processes_reserve_and_prune_at_once(path: Path) -> None:
    """Two that prune and roll up and one killed in the middle, beside one that books in the same window."""
    with opened(path) as ledger:
        one = window(ledger)
        for n in range(300):
            ledger.post(held(old(f"old {n}"), one))
        ledger.post(new("new"))
        ledger.upkeep.roll()
    pruner = (
        f"ledger = Ledger.open({str(path)!r}, clock=lambda: {NOW_US})\nprint('ready', flush=True)\n"
        f"ledger.upkeep.prune({BEFORE_US}, lambda done, total: print(done, flush=True), rows=3); ledger.upkeep.roll()"
    )
    writer = (
        f"ledger = Ledger.open({str(path)!r}, clock=lambda: {NOW_US})\n"
        f"for n in range(200): ledger.post(HeldStep(tuple(step(f'w {{n}}', started_us={NEW_US}, ended_us={NEW_US + 5})), ({one},), 5000, 0))\n"
        "ledger.close()"
    )
    pruners = [start(pruner.replace("input()", "sys.stdin.readline()")) for _ in range(3)]
    for process in pruners:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    booking = start(writer)
    assert pruners[0].stdout is not None
    pruners[0].stdout.readline()
    pruners[0].kill()
    errors = [process.communicate(timeout=60)[1] for process in (booking, *pruners)]

    assert errors == ["", "", "", ""]
    with opened(path) as ledger:
        assert ledger.verify() == []
        assert len(step_ids(path)) == 201
    assert rows(path, "SELECT spent_nanousd, spent_calls FROM windows") == [(500 * 5_000, 500)]
    assert rows(path, "SELECT sum(steps) FROM prunes") == [(300,)]
