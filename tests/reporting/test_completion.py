"""Every task is in one state, with its dollars, and all dollars are the ledger's."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from approvals.asking import asks, decide, line, paying
from budgets.fanout import ACME, CALL_NANOUSD
from ledger.rows import step, task
from reporting.acting import IDS, Acts, acts, play
from reporting.kit import CONTEXTS, DAY, ZONES, cost, write
from scripted import ScriptedModel
from spendgraph import ApprovalRequired, Meter
from spendgraph.clock import from_us, utc_us
from spendgraph.ledger import DecisionRow, Ledger, TaskEnd
from spendgraph_reports.books import Books
from spendgraph_reports.economics import completion, decisions
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period

SEPTEMBER = Period.month("2026-09")
TRIAGE, SEARCH = CONTEXTS[0].context_id, CONTEXTS[2].context_id


@settings(max_examples=15)
@given(acts(), st.sampled_from(["feature", "team", "tenant"]), st.sampled_from(ZONES), st.booleans())
def test_every_task_is_in_one_state_and_every_dollar_in_one_row(
    acted: Acts, by: str, zone: str, roll: bool
) -> None:
    """Numbers and dollars of each group and state, and of what overlaps, are those of plain addition."""
    period = Period.month("2026-09", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(play(Path(folder, "ledger.db"), acted, roll=roll), zone=zone) as books,
    ):
        report = completion(books, period, by=[by])
    began = acted.in_period(*closed(period))
    cut = {row.task_id for row in acted.steps if row.status == "cut"}
    numbers: Counter[tuple[str, str]] = Counter()
    dollars: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for task_id in began:
        key = (getattr(acted.payer(task_id), by), acted.state(task_id))
        numbers[key] += 1
        dollars[key] += acted.cost(task_id)
        refused[key] += acted.refusals.get(task_id, 0)
    rows = [row for row in report.frame.to_dict("records") if row["state"] != "(other periods)"]
    assert {(row[by], row["state"]): row["tasks"] for row in rows} == numbers
    assert {(row[by], row["state"]): row["cost_nanousd"] for row in rows} == dict(dollars)
    assert {(row[by], row["state"]): row["refused_calls"] for row in rows} == dict(refused)
    assert report.frame["cost_nanousd"].sum() == cost(acted.steps, *closed(period))
    assert report.totals["cut_nanousd"] == sum(acted.cost(task_id) for task_id in began if task_id in cut)
    assert report.totals["refused_call_tasks"] == sum(task_id in acted.refusals for task_id in began)
    assert (report.frame.groupby(by)["share"].sum().round(9).isin([0, 1])).all()


@st.composite
def decided(draw: st.DrawFn) -> list[DecisionRow]:
    """Decisions of some weeks, on tasks or none, by a budget, a breaker or neither."""
    by = st.sampled_from(["{}", '{"budget": "ceiling"}', '{"budget": "tenants"}', '{"breaker": "velocity"}'])
    return [
        DecisionRow(
            f"decision-{number}",
            draw(st.sampled_from(["budget", "breaker", "usage"])),
            draw(st.sampled_from(["refused", "overrun"])),
            "",
            draw(st.sampled_from(["", "elsewhere", *IDS])),
            None,
            None,
            draw(by),
            DAY + draw(st.integers(-45, 45)) * DAY_US,
        )
        for number in range(draw(st.integers(0, 20)))
    ]


@settings(max_examples=6)
@given(acts(), decided(), st.sampled_from(ZONES), st.booleans())
def test_every_decision_is_in_one_row_with_what_its_tasks_cost(
    acted: Acts, rows: list[DecisionRow], zone: str, roll: bool
) -> None:
    """A task that was decided on twice costs what it costs once; what was decided in other months is in no row."""
    acted = replace(acted, refusals={})
    period = Period.month("2026-09", zone)
    with tempfile.TemporaryDirectory() as folder:
        path = play(Path(folder, "ledger.db"), acted, roll=roll)
        with Ledger.open(path) as ledger:
            ledger.post(*CONTEXTS, *rows)
        with Books(path, zone=zone) as books:
            report = decisions(books, period)
    mine = [row for row in rows if row.decided_us in period]
    groups: dict[tuple[str, str, str], list[DecisionRow]] = {}
    for row in mine:
        (by,) = json.loads(row.detail).values() or [""]
        groups.setdefault((row.kind, row.outcome, by), []).append(row)
    expected = {
        key: (len(own), len(tasks), sum(acted.cost(task_id) for task_id in tasks))
        for key, own in groups.items()
        for tasks in [{row.task_id for row in own} - {""}]
    }
    names = ("decisions", "tasks", "cost_nanousd")
    assert {
        (row["kind"], row["outcome"], row["decided_by"]): tuple(row[name] for name in names)
        for row in report.frame.to_dict("records")
    } == expected
    assert report.totals["decisions"] == len(mine)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Six tasks of September and a step that belongs to none."""
    path = tmp_path / "ledger.db"
    states = {"a": "finished", "b": "failed", "c": "refused", "d": "cancelled"}
    with Ledger.open(path) as opened:
        opened.post(
            *CONTEXTS,
            *(task(name, context_id=TRIAGE, started_us=DAY) for name in "abcdef"),
            *(
                step(f"{name}-1", task_id=name, context_id=TRIAGE, started_us=DAY, cost_nanousd=1_000_000_000)
                for name in "abd"
            ),
            step(
                "e-1", task_id="e", context_id=TRIAGE, started_us=DAY, status="cut", cost_nanousd=500_000_000
            ),
            step(
                "a-2", task_id="a", context_id=TRIAGE, started_us=DAY + 30 * DAY_US, cost_nanousd=250_000_000
            ),
            step("x-1", task_id="x", context_id=SEARCH, started_us=DAY, cost_nanousd=2_000_000_000),
            step(
                "old",
                task_id="y",
                context_id=SEARCH,
                started_us=DAY - 30 * DAY_US,
                cost_nanousd=7_000_000_000,
            ),
            step("late", task_id="y", context_id=SEARCH, started_us=DAY, cost_nanousd=125_000_000),
            *(TaskEnd(name, state, DAY + 5) for name, state in states.items()),
            TaskEnd("f", "paused", None),
            DecisionRow("1", "budget", "refused", "", "c", None, None, '{"budget": "ceiling"}', DAY),
            DecisionRow("2", "budget", "refused", "", "d", None, None, '{"budget": "ceiling"}', DAY),
            DecisionRow("3", "breaker", "refused", "", "d", None, None, '{"breaker": "velocity"}', DAY + 1),
            DecisionRow("4", "context", "ignored", "", "", None, None, "{}", DAY + 2),
            DecisionRow("5", "context", "ignored", "", "", None, None, "{}", DAY + 40 * DAY_US),
        )
    return path


def test_states_in_the_order_of_how_well_it_went(ledger: Path) -> None:
    """A task that had no step is there without dollars; what was spent in other months is a row."""
    with Books(ledger) as books:
        report = completion(books, SEPTEMBER)
    rows = report.frame.to_dict("records")
    assert [(row["feature"], row["state"], row["tasks"], row["cost_nanousd"]) for row in rows] == [
        ("triage", "finished", 1, 1_250_000_000),
        ("triage", "failed", 1, 1_000_000_000),
        ("triage", "cancelled", 1, 1_000_000_000),
        ("triage", "refused", 1, 0),
        ("triage", "paused", 1, 0),
        ("triage", "running", 1, 500_000_000),
        ("triage", "(other periods)", 0, -250_000_000),
        ("search", "no task", 1, 2_000_000_000),
        ("search", "(other periods)", 0, 125_000_000),
    ]
    running = rows[5]
    assert (running["cut_tasks"], running["cut_nanousd"], running["mean_nanousd"]) == (
        1,
        500_000_000,
        500_000_000,
    )
    assert report.findings == (
        "1 of 6 tasks finished (16.7 %).",
        "Not finished: 1 failed ($1.00), 1 cancelled ($1.00), 1 refused ($0.00).",
        "Not ended yet: 1 paused ($0.00), 1 running ($0.50).",
        "Steps under 1 id that nobody opened as a task cost $2.00.",
        "3 calls were refused, in 2 tasks that cost $1.00.",
    )


def test_decisions_by_what_decided(ledger: Path) -> None:
    """Refusals of a budget and a breaker, and what was ignored; those of another month are not there."""
    with Books(ledger) as books:
        report = decisions(books, SEPTEMBER)
    assert report.frame.values.tolist() == [
        ["budget", "refused", "ceiling", 2, 2, 1_000_000_000],
        ["breaker", "refused", "velocity", 1, 1, 1_000_000_000],
        ["context", "ignored", "", 1, 0, 0],
    ]
    assert report.findings == (
        "4 decisions other than to let a call out as it was.",
        "3 calls were refused, 2 of them by budget ceiling, in 2 tasks that cost $1.00.",
    )


def test_a_task_that_was_denied_more_room_is_told_with_what_it_had_cost(tmp_path: Path) -> None:
    """A real graph: its second call asks a person, who says no."""
    graph = line(InMemorySaver(), paying(ScriptedModel()), paying(ScriptedModel()))
    path = tmp_path / "ledger.db"
    with Meter(path, policy=asks(1)) as meter:
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="t"))
        decide(meter, yes=False, why="too dear")
        with pytest.raises(ApprovalRequired):
            graph.invoke(None, meter.config(thread_id="t"))
    today = utc_us() // DAY_US * DAY_US
    with Books(path) as books:
        report = completion(books, Period(today - DAY_US, today + DAY_US))
    (row,) = report.frame.to_dict("records")
    assert (row["state"], row["tasks"], row["denied_tasks"]) == ("refused", 1, 1)
    assert row["denied_nanousd"] == row["cost_nanousd"] == CALL_NANOUSD


def test_what_was_pruned_is_said(tmp_path: Path) -> None:
    """Sums are whole, and which tasks were cut is not known any more."""
    steps = [
        step("a", task_id="a", started_us=DAY, context_id=TRIAGE, status="cut", cost_nanousd=4),
        step("b", task_id="b", started_us=DAY + DAY_US, context_id=TRIAGE, status="cut", cost_nanousd=5),
    ]
    path = write(tmp_path / "ledger.db", steps)
    with Ledger.open(path, clock=lambda: DAY + 60 * DAY_US) as ledger:
        ledger.upkeep.roll()
        ledger.upkeep.prune(from_us(DAY + DAY_US // 2))
    with Books(path) as books:
        report = completion(books, SEPTEMBER)
    assert (report.totals["cost_nanousd"], report.totals["cut_tasks"]) == (9, 1)
    assert report.caveats[0] == (
        "Which tasks had a step cut is not known before 2026-09-21T12:00:00Z: steps were pruned. Sums are whole."
    )


def test_an_empty_ledger_has_a_report(tmp_path: Path) -> None:
    """Both say that there is nothing."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        assert completion(books, SEPTEMBER).findings == ("No task was opened in this period.",)
        assert decisions(books, SEPTEMBER).findings == (
            "Every call was let out as it was: nothing else was decided.",
        )
