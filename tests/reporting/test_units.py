"""Unit economics add up to the ledger, and every rank is what some unit cost."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step, task
from reporting.acting import Acts, acts, play
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from spendgraph.ledger import Ledger, StepRow
from spendgraph.policy import parse_policy
from spendgraph_reports.books import Books
from spendgraph_reports.economics import unit_economics
from spendgraph_reports.economics.units import Per
from spendgraph_reports.months import closed
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import is_missing

SEPTEMBER = Period.month("2026-09")
BY = st.lists(
    st.sampled_from(["feature", "team", "tenant", "environment", "extra.squad"]), max_size=2, unique=True
)


def tags(acted: Acts, task_id: str, by: list[str]) -> tuple[str, ...]:
    """A task's tags."""
    payer = acted.payer(task_id)
    squads = {CONTEXTS[1].context_id: "red", CONTEXTS[3].context_id: "blue"}
    return tuple(
        squads.get(payer.context_id, "") if name == "extra.squad" else getattr(payer, name) for name in by
    )


@settings(max_examples=30)
@given(
    acts(), BY, st.sampled_from(ZONES), st.booleans(), st.integers(-40, 20), st.integers(1, 60), st.booleans()
)
def test_tasks_count_where_they_began_and_foot_to_the_ledger(
    acted: Acts, by: list[str], zone: str, roll: bool, first: int, days: int, is_whole: bool
) -> None:
    """Number, cost and ranks are those of plain addition; what is beside brings each group to the ledger's."""
    start = Period.between("2026-09-21", None, zone).since_us
    assert start is not None
    period = Period(start + first * DAY_US, start + (first + days) * DAY_US)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(play(Path(folder, "ledger.db"), acted, roll=roll), zone=zone) as books,
    ):
        report = unit_economics(books, period, per="whole-task" if is_whole else "task", by=by)
    began = [task_id for task_id in acted.in_period(*closed(period)) if acted.steps_of(task_id)]
    whole: defaultdict[str, int] = defaultdict(int)
    for task_id in began:
        whole[acted.root(task_id) if is_whole else task_id] += acted.cost(task_id)
    groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for task_id, spent in whole.items():
        groups[tags(acted, task_id, by)].append(spent)
    rows = {tuple(row[name] for name in by): row for row in report.frame.to_dict("records")}
    assert {key: row["number"] for key, row in rows.items() if row["number"]} == {
        key: len(costs) for key, costs in groups.items()
    }
    for key, costs in groups.items():
        costs.sort()
        assert rows[key]["cost_nanousd"] == sum(costs)
        assert rows[key]["median_nanousd"] == costs[math.ceil(len(costs) / 2) - 1]
        assert rows[key]["p95_nanousd"] == costs[math.ceil(len(costs) * 95 / 100) - 1]
        assert rows[key]["largest_nanousd"] == costs[-1]
    assert report.frame["ledger_nanousd"].sum() == cost(acted.steps, *closed(period))
    assert (
        report.frame["cost_nanousd"] + report.frame["other_nanousd"] == report.frame["ledger_nanousd"]
    ).all()


REORGANISED = Organisation.of(
    parse_policy("""
mappings:
  - {name: growth joins sales, from: 2026-09-15, to: 2026-10-10, when: {team: growth}, set: {team: sales}}
  - {name: search provides, from: 2026-09-01, when: {owner_team: search}, set: {tenant: internal}}
splits:
  - name: the index
    from: 2026-09-20
    when: {feature: search}
    into:
      - {share: 66.7%, set: {cost_center: cc-1, user: cid}}
      - {share: 33.3%, set: {team: support}}
""")
)


@settings(max_examples=25)
@given(
    spending(),
    st.sampled_from(["task", "whole-task", "user", "tenant"]),
    st.sampled_from(["team", "feature"]),
    st.booleans(),
)
def test_reorganisations_move_units_and_no_total(rows: list[StepRow], per: Per, by: str, roll: bool) -> None:
    """Of a period in which rules begin and end: tasks are mapped whole, users and tenants are split."""
    period = Period.between("2026-09-01", "2026-10-20")
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        with Books(path, organisation=REORGANISED) as books:
            report = unit_economics(books, period, per=per, by=[by])
    assert report.totals["ledger_nanousd"] == cost(rows, *closed(period))
    if per == "task":
        began = {row.task_id: min(r.started_us for r in rows if r.task_id == row.task_id) for row in rows}
        assert report.frame["number"].sum() == sum(at in period for at in began.values())


def test_a_task_is_who_its_mapping_says_on_the_day_it_began(tmp_path: Path) -> None:
    """Growth's task of the 10th stays growth's, that of the 20th is sales'."""
    growth = CONTEXTS[2].context_id
    path = write(
        tmp_path / "ledger.db",
        [
            step("a", task_id="early", context_id=growth, started_us=DAY - 11 * DAY_US, cost_nanousd=1),
            step("b", task_id="late", context_id=growth, started_us=DAY - DAY_US, cost_nanousd=2),
        ],
    )
    with Books(path, organisation=REORGANISED) as books:
        report = unit_economics(books, SEPTEMBER, by=["team"])
    assert dict(zip(report.frame["team"], report.frame["cost_nanousd"], strict=True)) == {
        "growth": 1,
        "sales": 2,
    }


def test_a_child_is_a_part_of_a_whole_task(tmp_path: Path) -> None:
    """A supervisor that calls nothing itself, with two tasks for its tenants, is one whole task, of nobody's tenant."""
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(*CONTEXTS)
        ledger.post(
            task("top", context_id=CONTEXTS[4].context_id, started_us=DAY),
            task("acme", parent_task_id="top", context_id=CONTEXTS[2].context_id, started_us=DAY),
            task("initech", parent_task_id="acme", context_id=CONTEXTS[3].context_id, started_us=DAY),
            step("a", task_id="acme", context_id=CONTEXTS[2].context_id, started_us=DAY, cost_nanousd=3),
            step("b", task_id="initech", context_id=CONTEXTS[3].context_id, started_us=DAY, cost_nanousd=4),
        )
    with Books(tmp_path / "ledger.db") as books:
        own = unit_economics(books, SEPTEMBER, by=["tenant"]).frame
        whole = unit_economics(books, SEPTEMBER, per="whole-task", by=["tenant"]).frame
    assert own[["tenant", "number", "cost_nanousd"]].values.tolist() == [["initech", 1, 4], ["acme", 1, 3]]
    assert whole[["tenant", "number", "cost_nanousd", "other_nanousd"]].values.tolist() == [
        ["", 1, 7, -7],
        ["initech", 0, 0, 4],
        ["acme", 0, 0, 3],
    ]


def test_what_is_said_of_many_tasks(tmp_path: Path) -> None:
    """Of a hundred tasks, from one cent to a dollar, and one of fifty dollars."""
    rows = [
        step(
            f"{number}",
            task_id=f"task-{number}",
            context_id=CONTEXTS[0].context_id,
            started_us=DAY,
            cost_nanousd=number * 10_000_000,
        )
        for number in range(1, 100)
    ]
    rows.append(
        step("x", task_id="x", context_id=CONTEXTS[0].context_id, started_us=DAY, cost_nanousd=50_500_000_000)
    )
    with Books(write(tmp_path / "ledger.db", rows)) as books:
        report = unit_economics(books, SEPTEMBER)
    (row,) = report.frame.to_dict("records")
    assert (row["median_nanousd"], row["p95_nanousd"], row["p99_nanousd"], row["mean_nanousd"]) == (
        500_000_000,
        950_000_000,
        990_000_000,
        1_000_000_000,
    )
    assert (row["top_1_share"], row["largest_nanousd"]) == (0.505, 50_500_000_000)
    assert report.findings == (
        "100 tasks cost $100.00: $0.5000 in the middle, $0.9500 at the 95th of 100.",
        "The dearest 1 of 100 made 50.5 % of that.",
    )


def test_what_names_no_user_is_beside_the_users(tmp_path: Path) -> None:
    """Ann and Bob are two users; the steps that name none are in no median."""
    costs = {0: 5_000_000_000, 1: 3_000_000_000, 4: 9_000_000_000}
    rows = [
        step(f"{number}", context_id=CONTEXTS[number].context_id, started_us=DAY, cost_nanousd=spent)
        for number, spent in costs.items()
    ]
    with Books(write(tmp_path / "ledger.db", rows)) as books:
        report = unit_economics(books, SEPTEMBER, per="user", by=[])
    (row,) = report.frame.to_dict("records")
    assert (row["number"], row["median_nanousd"], row["other_nanousd"]) == (2, 3_000_000_000, 9_000_000_000)
    assert report.caveats[0] == "$9.00 is in no unit: its steps do not say whose they are."


def test_an_empty_ledger_has_a_report(tmp_path: Path) -> None:
    """Without rows, and it says so."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        assert unit_economics(books, SEPTEMBER).findings == ("No task cost anything in this period.",)


def test_a_group_without_units_has_no_middle(tmp_path: Path) -> None:
    """A feature in which every step names no user."""
    rows = [step("a", context_id=CONTEXTS[4].context_id, started_us=DAY, cost_nanousd=9)]
    with Books(write(tmp_path / "ledger.db", rows)) as books:
        (row,) = unit_economics(books, SEPTEMBER, per="user").frame.to_dict("records")
    assert (row["number"], row["cost_nanousd"], row["ledger_nanousd"]) == (0, 0, 9)
    assert is_missing(row["median_nanousd"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": ["model"]}, "a task has no tag 'model'; it has feature, "),
        ({"by": "team"}, "expected a list of names for by, such as"),
        ({"by": ["team", "team"]}, "expected different tags to report by, found team, team"),
        ({"per": "graph"}, "expected one of task, whole-task, user, tenant, found 'graph'"),
        ({"per": "user", "by": ["user"]}, "expected other tags than 'user' to report by"),
    ],
)
def test_what_it_is_by_must_be_there(tmp_path: Path, options: dict[str, object], message: str) -> None:
    """A model is no tag of a task."""
    with Books(write(tmp_path / "ledger.db", [])) as books, pytest.raises(ValueError, match=message):
        unit_economics(books, SEPTEMBER, **options)  # type: ignore[arg-type]
