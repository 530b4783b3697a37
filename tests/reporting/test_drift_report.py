"""Estimates beside what calls cost, as a report of the rows that `spendgraph budgets drift` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, write
from spendgraph.ledger import StepRow
from spendgraph.policy import parse_policy
from spendgraph_reports.books import Books
from spendgraph_reports.efficiency import drift
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period

SEPTEMBER = Period.month("2026-09")
DOLLAR = 10**9


def paid(cost: int, estimate: int | None, **columns: Any) -> StepRow:
    """A call of triage's that was expected to cost something else."""
    values: dict[str, Any] = {
        "context_id": CONTEXTS[0].context_id,
        "started_us": DAY,
        "ended_us": DAY,
        "model_requested": "gpt-5",
    }
    return step(
        cost_nanousd=cost, estimate_nanousd=estimate, reserved_nanousd=estimate, **{**values, **columns}
    )


def test_the_rows_are_the_readers(tmp_path: Path) -> None:
    """Those of the period: a call of October is in none."""
    rows = [paid(3, 2), paid(4, 8, model_requested="claude"), paid(9, 9, started_us=DAY + 30 * DAY_US)]
    with Books(write(tmp_path / "ledger.db", rows)) as books:
        report = drift(books, SEPTEMBER)
        found = books.reader.drift(since=SEPTEMBER.since_us, until=SEPTEMBER.until_us)
    assert report.frame.to_dict("records") == found
    assert report.frame["calls"].tolist() == [1, 1]


def test_findings_name_what_is_furthest_off_and_what_passes_its_hold(tmp_path: Path) -> None:
    """$6 instead of $2 by one model, a fifth of whose calls cost more than was held; another is as expected."""
    rows = [paid(5 * DOLLAR, DOLLAR), *(paid(DOLLAR // 4, DOLLAR // 4) for _ in range(4))]
    rows += [paid(DOLLAR, DOLLAR, model_requested="claude") for _ in range(3)]
    with Books(write(tmp_path / "ledger.db", rows)) as books:
        assert drift(books, SEPTEMBER).findings == (
            "8 calls were expected to cost $5.00 and cost $9.00, 1.80 times as much.",
            "triage, gpt-5 is furthest off in dollars: $6.00 instead of $2.00.",
            "20.0 % of the calls of triage, gpt-5 cost more than was held for them.",
        )


def test_without_budgets_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """No estimate, no row; a call that nobody could foresee is none either."""
    with Books(write(tmp_path / "ledger.db", [paid(5, None), paid(5, 1)])) as books:
        report = drift(books, SEPTEMBER)
    assert report.frame["unestimated"].tolist() == [1]
    assert report.findings == (
        "No call of this period was estimated and then paid for: no budget was about one.",
    )


def test_mappings_are_not_applied_to_estimates_and_that_is_said(tmp_path: Path) -> None:
    """A call was estimated for whom it was booked on."""
    policy = parse_policy("""
mappings: [{name: renamed, from: 2026-09-01, when: {feature: triage}, set: {feature: inbox}}]
""")
    path = write(tmp_path / "ledger.db", [paid(3, 2)])
    with Books(path, organisation=Organisation.of(policy)) as books:
        report = drift(books, SEPTEMBER)
    assert report.frame["feature"].tolist() == ["triage"]
    assert report.caveats[-1].startswith("Mappings and splits are not applied")
