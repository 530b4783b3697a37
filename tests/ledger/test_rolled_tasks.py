"""What is said of tasks is what their steps say: rolled up or not, pruned or not, booked late or corrected."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, GLOBEX, START_US, context_row, rows, step, task
from ledger.test_processes import start
from ledger.test_prune import BEFORE_US, NOW_US
from ledger.test_rollup import CONTEXTS, CORRECTIONS, STEPS, correct, steps_in, summed
from spendgraph.clock import to_us
from spendgraph.ledger import Ledger, TaskEnd, TaskOutcome
from spendgraph.ledger.ranks import quantiles
from spendgraph.ledger.rollup_sql import QUARTER_US, TASK_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

GOLD = context_row(feature="triage", tenant="initech", extra={"tier": "gold"})
TASKS = [
    task("task-1"),
    task("task-2", parent_task_id="task-1", context_id=GLOBEX.context_id),
    task("task-3", context_id=GOLD.context_id, graph="triage"),
]
"""Of three payers, one opened by another; nobody has announced `task-4`, of which there are steps too."""

TENANTS = {"task-1": "acme", "task-2": "globex", "task-3": "initech"}
DAY_US = 86_400_000_000
AUGUST = datetime(2026, 8, 31, 23, 50, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)


def at(moment: datetime, **columns: Any) -> Any:
    """A step that started then."""
    return step(started_us=to_us(moment), ended_us=to_us(moment) + 5, **columns)


def expected(steps: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each task with the sums of its steps and its tenant, by plain addition."""
    payer = {row.context_id: row.tenant for row in CONTEXTS}
    tenants = {row["task_id"]: payer[row["context_id"]] for row in reversed(steps)} | TENANTS
    return {
        task_id: {
            "task_id": task_id,
            "tenant": tenants[task_id],
            **dict(zip(TASK_COLUMNS, sums, strict=True)),
        }
        for task_id, sums in summed(steps)[1].items()
    }


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tasks_are_the_sums_of_their_steps(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Late steps, corrections, child tasks; rolled up and pruned in parts of any size at any time, restarts in between."""
    path = tmp_path_factory.mktemp("tasks") / "ledger.db"
    ever: dict[int, dict[str, Any]] = {}
    for _ in range(data.draw(st.integers(1, 3), label="rounds")):
        with Ledger.open(path, clock=lambda: NOW_US) as ledger:
            ledger.post(*CONTEXTS, GOLD, *TASKS)
            booked = data.draw(st.lists(STEPS, max_size=12), label="steps")
            if booked:
                ledger.post(*booked)
            for found in data.draw(st.lists(CORRECTIONS, max_size=2), label="corrections"):
                correct(ledger, booked, found)
            ever |= {row["seq"]: row for row in steps_in(path)}
            if data.draw(st.booleans(), label="is rolled"):
                ledger.upkeep.roll(rows=data.draw(st.integers(1, 9), label="rows"))
            if data.draw(st.booleans(), label="is pruned"):
                before_us = BEFORE_US + data.draw(st.integers(-10, 10), label="before") * QUARTER_US
                ledger.upkeep.prune(before_us, rows=4)
            since, until = (
                START_US + data.draw(st.integers(-200, 200), label="minutes") * 60_000_000 for _ in range(2)
            )
            _compare(ledger, list(ever.values()), since, until)
            _compare(ledger, list(ever.values()), None, None)


def _compare(ledger: Ledger, steps: list[dict[str, Any]], since: int | None, until: int | None) -> None:
    known = [
        row
        for row in expected(steps).values()
        if (since is None or row["first_started_us"] >= since)
        and (until is None or row["first_started_us"] < until)
    ]
    known.sort(key=lambda row: (row["first_started_us"], row["task_id"]))
    columns = ["task_id", "tenant", *TASK_COLUMNS]
    assert list(ledger.tasks_rolled(columns, since=since, until=until)) == known
    known.sort(key=lambda row: (-row["cost_nanousd"], row["task_id"]))
    dearest = ledger.dearest_tasks(2, since=since, until=until)
    assert [{name: row[name] for name in columns} for row in dearest] == known[:2]
    for by in ([], ["tenant"]):
        costs = ledger.task_costs(by, since=since, until=until, quantiles=(0.25, 0.95))
        for row in costs:
            of_group = [each["cost_nanousd"] for each in known if not by or each["tenant"] == row["tenant"]]
            assert (row["tasks"], row["cost_nanousd"]) == (len(of_group), sum(of_group))
            assert abs(Fraction(sum(of_group), len(of_group)) - row["mean_nanousd"]) <= Fraction(1, 2)
            assert row["largest_nanousd"] == max(of_group)
            for name, share in (("p25_nanousd", Fraction(1, 4)), ("p95_nanousd", Fraction(95, 100))):
                reached = [
                    cost
                    for cost in of_group
                    if sum(each <= cost for each in of_group) >= share * len(of_group)
                ]
                assert row[name] == min(reached)
        assert sum(row["tasks"] for row in costs) == len(known)
        assert [row["cost_nanousd"] for row in costs] == sorted(
            (row["cost_nanousd"] for row in costs), reverse=True
        )


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [
        (1, 0.95, 1),
        (20, 0.95, 19),
        (21, 0.95, 20),
        (100, 0.07, 7),
        (4, 0.5, 2),
        (5, 0.5, 3),
        (7, 0, 1),
        (7, 1, 7),
    ],
)
def test_a_quantile_is_the_cost_of_one_task(count: int, share: float, rank: int) -> None:
    """The one at rank `ceil(q * n)`: of 100 tasks, the 7th is the quantile 0.07, though floats would say the 8th."""
    assert quantiles(range(count, 0, -1), [share]) == [rank]


@given(
    numbers=st.lists(st.integers(-5, 10**9), min_size=1, max_size=50),
    repeated=st.sampled_from([1, 200]),
    shares=st.lists(st.decimals(0, 1, places=3).map(float), min_size=1, max_size=3),
)
def test_quantiles_are_those_of_all_numbers_sorted(
    numbers: list[int], repeated: int, shares: list[float]
) -> None:
    """However many there are, and however uneven: with many, what is far below is not sorted."""
    many = [number + n * 7 % 11 for n in range(repeated) for number in numbers]
    ordered = sorted(many)
    for share, found in zip(shares, quantiles(many, shares), strict=True):
        reached = sum(number <= found for number in many)
        assert reached >= Fraction(str(share)) * len(many)
        assert ordered.index(found) < Fraction(str(share)) * len(many) or found == ordered[0]


def test_a_sample_of_nothing_but_large_numbers_misleads_nobody() -> None:
    """Every tenth number, which is what is sampled, is a million: the median is among the others."""
    numbers = [1_000_000 if n % 10 == 0 else n for n in range(10_000)]
    assert quantiles(numbers, [0.5, 0.95]) == [5_555, 1_000_000]


def test_a_task_stays_its_first_steps_payers_when_that_step_is_pruned(path: Path) -> None:
    """Nobody has announced it: what is left of it, rolled up or not, is another payer's."""
    with Ledger.open(path, clock=lambda: NOW_US) as ledger:
        ledger.post(ACME, GLOBEX, step(task_id="nobody's"), step(task_id="task-1"))
        ledger.upkeep.roll()
        assert ledger.upkeep.prune(START_US + DAY_US).steps == 1
        later = at(OCTOBER, task_id="nobody's", context_id=GLOBEX.context_id)
        ledger.post(later)
        for _ in range(2):
            assert [row["tenant"] for row in ledger.dearest_tasks(1)] == ["acme"]
            assert ledger.task_costs(["tenant"], tenant="globex") == []
            ledger.upkeep.roll()


def test_costs_are_cut_by_what_tasks_have(ledger: Ledger) -> None:
    """By tags, graph, status, outcome and time; child tasks are tasks of their own and can be left out."""
    ledger.post(
        GOLD,
        *TASKS,
        task("task-5", context_id=GOLD.context_id, graph="triage"),
        TaskEnd("task-5", "finished", 9),
    )
    ledger.post(
        at(SEPTEMBER, cost_nanousd=100),
        at(OCTOBER, cost_nanousd=1),
        at(SEPTEMBER, task_id="task-2", cost_nanousd=30),
    )
    ledger.upkeep.roll()
    ledger.post(at(OCTOBER, task_id="task-3", cost_nanousd=7), at(OCTOBER, task_id="task-5", cost_nanousd=8))
    ledger.post(TaskOutcome("task-5", "success", 2_000), at(OCTOBER, task_id="nobody's", cost_nanousd=2))

    def costs(*by: str, **options: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in ledger.task_costs(by, quantiles=(0.999,), **options)]

    assert costs() == [(5, 148, 30, 101, 101)]
    assert costs("month", "extra.tier") == [
        ("2026-09", "", 2, 131, 66, 101, 101),
        ("2026-10", "gold", 2, 15, 8, 8, 8),
        ("2026-10", "", 1, 2, 2, 2, 2),
    ]
    assert costs("graph", "status", "outcome", tenant="initech") == [
        ("triage", "finished", "success", 1, 8, 8, 8, 8),
        ("triage", "running", "", 1, 7, 7, 7, 7),
    ]
    assert costs("tenant", parent_task_id=None, since=SEPTEMBER, until=OCTOBER) == [
        ("acme", 1, 101, 101, 101, 101)
    ]
    assert costs("team", tenant=["globex", "acme"], parent_task_id="task-1") == [
        ("growth", 1, 30, 30, 30, 30)
    ]
    assert costs(outcome="failure") == []
    (row,) = ledger.task_costs(quantiles=(0.999,))
    assert list(row) == ["tasks", "cost_nanousd", "mean_nanousd", "p99.9_nanousd", "largest_nanousd"]


def test_the_dearest_task_is_shown_whole(ledger: Ledger) -> None:
    """With its sums, its row and its tags; of a tie the lower id comes first."""
    ledger.post(task("task-0"), step(task_id="task-0", cost_nanousd=9), TaskOutcome("task-1", "success", 5))
    ledger.post(at(SEPTEMBER, cost_nanousd=4), at(OCTOBER, cost_nanousd=5, kind="tool", input_tokens=77))
    first, second = ledger.dearest_tasks(5)
    assert (first["task_id"], second["task_id"]) == ("task-0", "task-1")
    assert second == {
        "task_id": "task-1",
        "context_id": ACME.context_id,
        "first_started_us": to_us(SEPTEMBER),
        "last_ended_us": to_us(OCTOBER) + 5,
        "steps": 2,
        "corrections": 0,
        "model_steps": 1,
        "tool_steps": 1,
        "failed_steps": 0,
        "unpriced_steps": 0,
        "cost_nanousd": 9,
        "model_nanousd": 4,
        "tool_nanousd": 5,
        "replay_nanousd": 0,
        "failed_nanousd": 0,
        "unattributed_nanousd": 0,
        "not_reported_nanousd": 0,
        "saved_nanousd": 0,
        "input_tokens": 87,
        "output_tokens": 8,
        "cache_read_tokens": 0,
        "largest_input_tokens": 77,
        "dearest_nanousd": 5,
        "pruned_steps": 0,
        "parent_task_id": None,
        "thread_id": "",
        "graph": "",
        "status": "running",
        "outcome": "success",
        "value_nanousd": 5,
        **{name: value for name, value in ACME._asdict().items() if name != "context_id"},
    }
    ledger.upkeep.roll()
    assert ledger.dearest_tasks(1) == [first]
    assert ledger.dearest_tasks(1, tenant="acme", outcome="success") == [second]


def test_a_late_step_moves_a_task_to_the_period_of_its_start(ledger: Ledger) -> None:
    """A step that was booked last and started first: the task is August's, before and after a rollup."""
    ledger.post(at(SEPTEMBER))
    ledger.upkeep.roll()
    assert [row["month"] for row in ledger.task_costs(["month"])] == ["2026-09"]
    ledger.post(at(AUGUST))
    for _ in range(2):
        assert ledger.task_costs(since=SEPTEMBER) == []
        assert ledger.dearest_tasks(since=SEPTEMBER) == []
        (row,) = ledger.tasks_rolled(["month", "steps", "cost_nanousd"], until=SEPTEMBER)
        assert row == {"month": "2026-08", "steps": 2, "cost_nanousd": 10_000}
        ledger.upkeep.roll()


def test_an_answer_is_of_one_moment_while_steps_are_rolled_up(path: Path) -> None:
    """Another process rolls up: at every moment each task has all its steps, once."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), *[step(task_id=f"t{n % 50}") for n in range(2_000)])
    process = start(
        f"ledger = Ledger.open({str(path)!r}); print('ready', flush=True); ledger.upkeep.roll(rows=5)"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    between = 0
    with Ledger.open_readonly(path) as reader:
        while process.poll() is None:
            assert {row["steps"] for row in reader.tasks_rolled(["steps"])} == {40}
            assert [tuple(row.values())[:3] for row in reader.task_costs()] == [(50, 10_000_000, 200_000)]
            between += 0 < reader.rollup_status().rolled_seq < 2_000
    assert process.communicate()[1] == ""
    assert between > 0
    assert rows(path, "SELECT count(*), sum(steps) FROM rollup_tasks") == [(50, 2_000)]


@pytest.mark.parametrize(
    ("method", "arguments", "options", "message"),
    [
        ("task_costs", [["model"]], {}, "a task has no column 'model'"),
        ("task_costs", [], {"quantiles": (95,)}, "expected a quantile from 0 to 1, such as 0.95, found 95"),
        ("task_costs", [], {"cost_nanousd": 5}, "tasks are not chosen by 'cost_nanousd'"),
        ("dearest_tasks", [0], {}, "expected how many tasks to read, 1 or more, found 0"),
        ("dearest_tasks", [], {"month": "2026-09"}, "tasks are not chosen by 'month'"),
        ("tasks_rolled", [["*"]], {}, r"a task has no column '\*'"),
        ("tasks_rolled", [], {"since": SEPTEMBER.replace(tzinfo=None)}, "time zone"),
    ],
    ids=["group", "quantile", "chosen by a sum", "limit", "chosen by a time", "column", "no zone"],
)
def test_what_tasks_do_not_have_is_refused(
    ledger: Ledger, method: str, arguments: list[Any], options: dict[str, Any], message: str
) -> None:
    """With what they have."""
    with pytest.raises(ValueError, match=message):
        getattr(ledger, method)(*arguments, **options)
