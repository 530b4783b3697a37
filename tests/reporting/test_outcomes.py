"""A success costs what all tasks of its group cost, over the successes."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step, task
from reporting.acting import Acts, acts, play
from reporting.kit import CONTEXTS, DAY, ZONES, cost, write
from spendgraph.ledger import Ledger, TaskOutcome
from spendgraph_reports.books import Books
from spendgraph_reports.economics import outcomes
from spendgraph_reports.months import closed
from spendgraph_reports.period import Period
from spendgraph_reports.report import is_missing

SEPTEMBER = Period.month("2026-09")


@settings(max_examples=25)
@given(acts(), st.sampled_from(["feature", "team", "tenant"]), st.sampled_from(ZONES), st.booleans())
def test_outcomes_and_dollars_are_those_of_the_tasks(acted: Acts, by: str, zone: str, roll: bool) -> None:
    """In each group, by plain addition; all dollars are the ledger's."""
    period = Period.month("2026-09", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(play(Path(folder, "ledger.db"), acted, roll=roll), zone=zone) as books,
    ):
        report = outcomes(books, period, by=[by])
    expected: Counter[tuple[str, str]] = Counter()
    for task_id in acted.in_period(*closed(period)):
        key, reported = getattr(acted.payer(task_id), by), acted.outcomes.get(task_id)
        expected[key, "tasks"] += 1
        expected[key, "cost_nanousd"] += acted.cost(task_id)
        expected[key, "value_nanousd"] += (reported.value_nanousd or 0) if reported else 0
        which = {"success": "successes", "failure": "failures"}[reported.outcome] if reported else "unknown"
        expected[key, which] += 1
    for row in report.frame.to_dict("records"):
        for name in ("tasks", "successes", "failures", "unknown", "cost_nanousd", "value_nanousd"):
            assert row[name] == expected.pop((row[by], name), 0)
        parts = row["success_nanousd"] + row["failure_nanousd"] + row["unknown_nanousd"]
        assert parts == row["cost_nanousd"] == row["ledger_nanousd"] - row["other_nanousd"]
        assert row["net_nanousd"] == row["value_nanousd"] - row["cost_nanousd"]
        if row["successes"]:
            assert (
                abs(row["per_success_nanousd"] * row["successes"] - row["cost_nanousd"])
                <= row["successes"] / 2
            )
        else:
            assert is_missing(row["per_success_nanousd"])
    assert not +expected
    assert report.frame["ledger_nanousd"].sum() == cost(acted.steps, *closed(period))


def test_failures_are_paid_for_by_the_successes(tmp_path: Path) -> None:
    """Two successes, a failure and a task nobody reported on: eight dollars for two."""
    triage, search = CONTEXTS[0].context_id, CONTEXTS[2].context_id
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(
            *CONTEXTS,
            *(task(name, context_id=triage, started_us=DAY) for name in "abcd"),
            *(
                step(name, task_id=name, context_id=triage, started_us=DAY, cost_nanousd=2_000_000_000)
                for name in "abcd"
            ),
            step("e", task_id="e", context_id=search, started_us=DAY, cost_nanousd=500_000_000),
            TaskOutcome("a", "success", 1_000_000_000),
            TaskOutcome("b", "success", 3_000_000_000),
            TaskOutcome("c", "failure", None),
        )
    with Books(tmp_path / "ledger.db") as books:
        report = outcomes(books, SEPTEMBER)
    first, second = report.frame.to_dict("records")
    assert (first["per_success_nanousd"], first["success_share"]) == (4_000_000_000, 2 / 3)
    assert (second["unknown_nanousd"], is_missing(second["success_share"])) == (500_000_000, True)
    assert report.findings == (
        "A success costs $4.00 where outcomes are reported: $8.00 for 2 of them, 66.7 % of what was reported.",
        "Where a value is reported, outcomes were worth $4.00, $4.00 less than was spent.",
        "triage cost $4.00 more than its outcomes were worth.",
    )
    assert report.caveats[0] == (
        "Of 2 tasks ($2.50) nobody reported how they went; they count into the cost per success."
    )


def test_without_a_success_there_is_no_cost_of_one(tmp_path: Path) -> None:
    """And in an empty ledger no task."""
    rows = [step("a", context_id=CONTEXTS[0].context_id, started_us=DAY, cost_nanousd=2_000_000_000)]
    with Books(write(tmp_path / "one.db", rows)) as one, Books(write(tmp_path / "none.db", [])) as none:
        assert outcomes(one, SEPTEMBER).findings == ("No success was reported; 1 tasks cost $2.00.",)
        assert outcomes(none, SEPTEMBER).findings == ("No task began in this period.",)
