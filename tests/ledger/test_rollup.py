"""The rollups are what the steps say, however and by whomever they are kept."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, GLOBEX, PYTHON, START_US, change, context_row, rows, step, task
from ledger.test_processes import PRELUDE, start
from spendgraph.ledger import Ledger, StepRow
from spendgraph.ledger.rollup_sql import DIMENSIONS, QUARTER_US, SUMS, TASK_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

QUARTER = START_US - START_US % QUARTER_US
CONTEXTS = [
    ACME,
    GLOBEX,
    context_row(),
    *(
        context_row(feature="triage", tenant=f"t{n}", user=f"u{n}", extra={"tier": "gold", "seat": str(n)})
        for n in range(3)
    ),
]
TASKS = [f"task-{n}" for n in range(1, 5)]

COUNTS = st.integers(0, 10**6)
STEPS = st.builds(
    step,
    started_us=st.integers(-200, 200).map(lambda minutes: START_US + minutes * 60_000_000),
    ended_us=st.integers(START_US + 300 * 60_000_000, START_US + 400 * 60_000_000),
    context_id=st.sampled_from([row.context_id for row in CONTEXTS]),
    task_id=st.sampled_from(TASKS),
    kind=st.sampled_from(["model", "tool", "other"]),
    name=st.sampled_from(["", "ChatOpenAI", "=cmd|' /C calc'!A0"]),
    model=st.sampled_from(["", "gpt-5", "gpt-5-mini"]),
    owner_team=st.sampled_from(["", "search"]),
    missing_tags=st.sampled_from(["", "tenant"]),
    status=st.sampled_from(["ok", "error", "cut", "cancelled"]),
    cost_basis=st.sampled_from(["reported", "estimated", "upper_bound", "configured"]),
    is_replay=st.integers(0, 1),
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cost_nanousd=st.integers(0, 10**12),
    saved_nanousd=st.integers(-(10**9), 10**9),
)
"""Steps of any payer, task and time; each may be later than all after it."""

CORRECTIONS = st.tuples(st.integers(0, 10**6), st.integers(-(10**9), 10**9), st.integers(-5, 5))
"""Of which step, by how many nano-USD and tokens."""


def expected(path: Path) -> tuple[dict[Any, list[int]], dict[str, list[int]]]:
    """Both rollups, summed by Python from the rows of steps."""
    return summed(steps_in(path))


def steps_in(path: Path) -> list[dict[str, Any]]:
    """The rows of steps in the order of writing."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM steps ORDER BY seq")]


def summed(steps: list[dict[str, Any]]) -> tuple[dict[Any, list[int]], dict[str, list[int]]]:
    """What both rollups say of some steps."""
    quarters: dict[Any, Counter[str]] = {}
    by_task: dict[str, dict[str, int]] = {}
    for row in steps:
        is_charge = row["entry"] == "charge"
        key = (row["started_us"] // QUARTER_US * QUARTER_US, *(row[name] for name in DIMENSIONS))
        sums = quarters.setdefault(key, Counter())
        sums["steps"] += is_charge
        sums["corrections"] += not is_charge
        sums["took_us"] += is_charge * (row["ended_us"] - row["started_us"])
        for name in set(SUMS) - {"steps", "corrections", "took_us"}:
            sums[name] += row[name]
        failed = row["status"] in ("error", "cut", "cancelled")
        cost = row["cost_nanousd"]
        task_sums = by_task.setdefault(
            row["task_id"], {**dict.fromkeys(TASK_COLUMNS, 0), "first_started_us": row["started_us"]}
        )
        for name, amount in {
            "steps": is_charge,
            "corrections": not is_charge,
            "model_steps": is_charge and row["kind"] == "model",
            "tool_steps": is_charge and row["kind"] == "tool",
            "failed_steps": is_charge and failed,
            "unpriced_steps": is_charge and row["cost_basis"] == "unpriced",
            "cost_nanousd": cost,
            "model_nanousd": cost * (row["kind"] == "model"),
            "tool_nanousd": cost * (row["kind"] == "tool"),
            "replay_nanousd": cost * row["is_replay"],
            "failed_nanousd": cost * failed,
            "unattributed_nanousd": cost * bool(row["missing_tags"]),
            "not_reported_nanousd": cost * (row["cost_basis"] in ("estimated", "upper_bound")),
            **{
                name: row[name]
                for name in ("saved_nanousd", "input_tokens", "output_tokens", "cache_read_tokens")
            },
        }.items():
            task_sums[name] += int(amount)
        task_sums["first_started_us"] = min(task_sums["first_started_us"], row["started_us"])
        task_sums["last_ended_us"] = max(task_sums["last_ended_us"], row["ended_us"])
        if is_charge:
            task_sums["largest_input_tokens"] = max(task_sums["largest_input_tokens"], row["input_tokens"])
            task_sums["dearest_nanousd"] = max(task_sums["dearest_nanousd"], cost)
    return (
        {key: [sums[name] for name in SUMS] for key, sums in quarters.items()},
        {task_id: [sums[name] for name in TASK_COLUMNS] for task_id, sums in by_task.items()},
    )


def stored(path: Path) -> tuple[dict[Any, list[int]], dict[str, list[int]]]:
    """Both rollups as they are in the file."""
    width = len(DIMENSIONS) + 1
    quarters = rows(
        path,
        f"SELECT quarter_us, {', '.join(DIMENSIONS)}, {', '.join(SUMS)} FROM rollup_15min JOIN rollup_series USING (series_id)",
    )
    by_task = rows(path, f"SELECT task_id, {', '.join(TASK_COLUMNS)} FROM rollup_tasks")
    return {row[:width]: list(row[width:]) for row in quarters}, {row[0]: list(row[1:]) for row in by_task}


def correct(ledger: Ledger, steps: list[StepRow], found: tuple[int, int, int]) -> None:
    """Correct one of the steps, if there is any."""
    if steps:
        which, nanousd, tokens = found
        ledger.correct(
            steps[which % len(steps)].step_id, reason="invoice", cost_nanousd=nanousd, input_tokens=tokens
        )


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rollups_are_the_sums_of_the_steps(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Late steps, corrections, many tags and payers, rolled up in parts of any size at any time, restarts in between."""
    path = tmp_path_factory.mktemp("rollup") / "ledger.db"
    booked: list[StepRow] = []
    for _ in range(data.draw(st.integers(1, 4), label="runs")):
        with Ledger.open(path) as ledger:
            ledger.post(*CONTEXTS, *(task(task_id) for task_id in TASKS))
            steps = data.draw(st.lists(STEPS, max_size=12), label="steps")
            if steps:
                ledger.post(*steps)
            booked += steps
            for found in data.draw(st.lists(CORRECTIONS, max_size=3), label="corrections"):
                correct(ledger, booked, found)
            if data.draw(st.booleans(), label="is rolled"):
                ledger.upkeep.roll(rows=data.draw(st.integers(1, 9), label="rows"))
            total = ledger.rolled(["tenant", "model", "extra.tier"], sums=("cost_nanousd", "steps"))
            plain = ledger.spend(["tenant", "model", "extra.tier"])
            assert {tuple(row.values()) for row in total} == {
                (row["tenant"], row["model"], row["extra.tier"], row["cost_nanousd"], row["steps"])
                for row in plain
            }
    with Ledger.open(path) as ledger:
        ledger.upkeep.roll(rows=3)
        assert ledger.upkeep.roll() == 0
        assert stored(path) == expected(path)
        assert ledger.upkeep.rebuild(rows=2) == (0, 0)
        assert [problem for problem in ledger.verify() if problem.check == "rollups"] == []


def test_the_tail_is_read_with_the_rollup(ledger: Ledger) -> None:
    """By time, tag and series, rolled or not, and in the views."""
    ledger.post(step("s1", started_us=START_US), step("s2", started_us=START_US + QUARTER_US, model="m"))
    assert ledger.upkeep.roll() == 2
    ledger.post(
        step("s3", started_us=START_US, missing_tags="tenant"),
        step("s4", model="m", context_id=GLOBEX.context_id),
    )
    assert ledger.rollup_status()[:4] == (2, 4, 2, START_US + 1_500_001)
    assert ledger.rolled(["quarter_us"], sums=("steps", "unattributed_nanousd")) == [
        {"quarter_us": QUARTER, "steps": 3, "unattributed_nanousd": 5_000},
        {"quarter_us": QUARTER + QUARTER_US, "steps": 1, "unattributed_nanousd": 0},
    ]
    assert ledger.rolled(["hour"], sums=("steps",), model="m", tenant=["acme", "globex"]) == [
        {"hour": "2026-09-21T14:00Z", "steps": 2}
    ]
    since = datetime(2026, 9, 21, 14, 15, tzinfo=UTC)
    assert ledger.rolled(["tenant"], sums=("steps",), since=since) == [{"tenant": "acme", "steps": 1}]
    assert ledger.rolled(sums=("cost_nanousd",), until=since) == [{"cost_nanousd": 15_000}]


def test_the_views_are_whole(ledger: Ledger, path: Path) -> None:
    """`daily_spend` and `task_costs` say the same before, between and after rollups."""
    views = ("SELECT * FROM daily_spend ORDER BY 1, 2", "SELECT * FROM task_costs ORDER BY 1")
    ledger.post(task("task-2"), step("s1"), step("s2", cost_basis="estimated", task_id="task-2"))
    before = [rows(path, view) for view in views]
    assert ledger.upkeep.roll(rows=1) == 2
    assert [rows(path, view) for view in views] == before
    ledger.post(step("s3"))
    assert rows(path, "SELECT steps, cost_nanousd FROM daily_spend") == [(3, 15_000)]
    assert rows(path, "SELECT task_id, steps, cost_nanousd FROM task_costs ORDER BY 1") == [
        ("task-1", 2, 10_000),
        ("task-2", 1, 5_000),
    ]
    assert rows(path, "SELECT sum(cost_nanousd) FROM spend_15min") == [(15_000,)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rollup_15min SET cost_nanousd = cost_nanousd + 1",
        "DELETE FROM rollup_15min",
        "INSERT INTO rollup_15min SELECT 0, series_id, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM rollup_series",
        "UPDATE rollup_series SET account_id = 2",
        "UPDATE rollup_hours SET steps = 5",
        "DELETE FROM rollup_hours",
        "INSERT INTO rollup_hours SELECT week_us - 604800000000, 2, week_us, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM rollup_hours LIMIT 1",
        "UPDATE rollup_months SET cost_nanousd = cost_nanousd + 1",
        "DELETE FROM rollup_months WHERE account_id = 1",
        "UPDATE rollup_tasks SET largest_input_tokens = 0",
        "DELETE FROM rollup_tasks WHERE task_id = 'task-1'",
    ],
    ids=[
        "changed",
        "deleted",
        "added",
        "account changed",
        "hour changed",
        "hours deleted",
        "hour added",
        "month changed",
        "month deleted",
        "task changed",
        "task deleted",
    ],
)
def test_what_is_wrong_is_found_and_made_anew(ledger: Ledger, path: Path, statement: str) -> None:
    """`verify` names the row; a rebuild repairs it, and nothing else."""
    ledger.post(
        step("s1"), step("s2", started_us=START_US + 10 * QUARTER_US, ended_us=START_US + 11 * QUARTER_US)
    )
    ledger.post(step("s3", context_id=GLOBEX.context_id))
    ledger.upkeep.roll()
    change(path, statement)

    (problem, *_) = ledger.verify()
    assert (problem.check, "--rebuild" in problem.message) == ("rollups", True)
    assert ledger.upkeep.rebuild().repaired > 0
    assert ledger.verify() == []
    assert stored(path) == expected(path)
    assert ledger.rolled(["tenant"], sums=("steps",)) == [
        {"tenant": "acme", "steps": 2},
        {"tenant": "globex", "steps": 1},
    ]
    assert ledger.upkeep.rebuild() == (0, 0)


def test_progress_is_told(ledger: Ledger) -> None:
    """How many of how many, and at the end all."""
    told: list[tuple[int, int]] = []
    ledger.post(*[step() for _ in range(5)])
    ledger.upkeep.roll(lambda done, total: told.append((done, total)), rows=2)
    assert told == [(2, 5), (4, 5), (5, 5)]
    told.clear()
    ledger.upkeep.rebuild(lambda done, total: told.append((done, total)))
    assert told[-1] == (10, 10)


def test_processes_roll_up_at_once_beside_writers(path: Path) -> None:
    """Two that roll up and one that is killed doing it, beside two that write: each step is added once."""
    Ledger.open(path).close()
    writer = (
        f"ledger = Ledger.open({str(path)!r}); ledger.post(ACME, task())\n"
        "for n in range(400): ledger.post(step(f'{PID} {n}', started_us=START_US + n * 10**7, ended_us=START_US + n * 10**7 + 5))\nledger.close()"
    )
    roller = (
        f"import time\nledger = Ledger.open({str(path)!r}); print('ready', flush=True)\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end and ledger.rollup_status().rolled_seq < 800: ledger.upkeep.roll(rows=7)\n"
    )
    rollers = [start(roller) for _ in range(3)]
    for process in rollers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    writers = [start(f"PID = 'p{number}'\n{writer}") for number in range(2)]
    while not rows(path, "SELECT 1 FROM rollup_state WHERE rolled_seq > 100"):
        time.sleep(0.005)
    rollers[0].kill()
    rollers[0].communicate()
    errors = [process.communicate(timeout=60)[1] for process in (*writers, *rollers[1:])]

    assert errors == ["", "", "", ""]
    with Ledger.open(path) as ledger:
        assert ledger.rollup_status()[:3] == (800, 800, 0)
        assert [problem for problem in ledger.verify() if problem.check == "rollups"] == []
    assert stored(path) == expected(path)


@pytest.mark.parametrize("statement", ["rollup_15min", "rollup_tasks", "rollup_state"])
def test_a_rollup_that_fails_in_the_middle_adds_nothing_twice(path: Path, statement: str) -> None:
    """Killed after any of its statements, the transaction has not happened."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), *[step(f"s{n}") for n in range(9)])
    code = (
        "import os, sqlite3\nfrom spendgraph.ledger import rollup_sql, rollup\n"
        f"ledger = Ledger.open({str(path)!r})\nadd = rollup._add\n"
        "def killed(execute, *arguments):\n"
        "    def run(sql, *parameters):\n"
        "        found = execute(sql, *parameters)\n"
        f"        if 'INSERT INTO {statement}' in sql and ledger.rolls: os.kill(os.getpid(), 9)\n"
        f"        ledger.rolls += sql.startswith('INSERT INTO {statement}')\n"
        "        return found\n"
        "    return add(run, *arguments)\n"
        "ledger.rolls = 0\nrollup._add = killed\nledger.upkeep.roll(rows=4)"
    )
    killed = subprocess.run([PYTHON, "-c", PRELUDE + code], capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stderr) == (-9, "")
    with Ledger.open(path) as ledger:
        assert ledger.rollup_status().rolled_seq == 4
        assert ledger.verify() == []
        assert ledger.upkeep.roll() == 5
        assert ledger.verify() == []
    assert stored(path) == expected(path)
