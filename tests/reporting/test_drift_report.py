"""Estimates beside what calls cost, as a report of the rows that `spendgraph budgets drift` shows."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.acting import PAYERS
from reporting.kit import CONTEXTS, DAY, ZONES, spending, write
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


@st.composite
def estimated(draw: st.DrawFn) -> list[StepRow]:
    """Random spending that was estimated, if at all, by nobody knows how much."""
    amount = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 10**13))
    return [
        row if row.entry == "correction" else row._replace(estimate_nanousd=draw(amount), reserved_nanousd=7)
        for row in draw(spending())
    ]


@settings(max_examples=12)
@given(estimated(), st.sampled_from(ZONES), st.booleans())
def test_every_call_that_was_estimated_is_in_one_row(rows: list[StepRow], zone: str, roll: bool) -> None:
    """With what it cost, its corrections included; what went wrong, or was not estimated, is in none."""
    period = Period.month("2026-09", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(write(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books,
    ):
        report = drift(books, period)
    late: Counter[str | None] = Counter()
    for row in rows:
        late[row.corrects_step_id] += row.cost_nanousd
    expected: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        paid = row.cost_nanousd + late[row.step_id]
        known = row.status == "ok" and row.cost_basis in {"reported", "estimated", "configured"}
        if (
            row.entry == "correction"
            or row.started_us not in period
            or not known
            or row.estimate_nanousd is None
        ):
            continue
        key = PAYERS[row.context_id].feature, f"{row.provider} {row.kind}"
        if row.estimate_nanousd > 1:
            sums = {"calls": 1, "cost_nanousd": paid, "estimate_nanousd": row.estimate_nanousd}
            expected.update({(*key, name): amount for name, amount in sums.items()})
        elif paid > 1:
            expected[*key, "unestimated"] += 1
    found: Counter[tuple[str, str, str]] = Counter()
    for each in report.frame.to_dict("records"):
        for name in ("calls", "cost_nanousd", "estimate_nanousd", "unestimated"):
            found[each["feature"], f"{each['provider']} {each['kind']}", name] += each[name]
    assert +found == +expected
    assert report.frame["cost_nanousd"].sum() == sum(
        amount for (_, _, name), amount in expected.items() if name == "cost_nanousd"
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
