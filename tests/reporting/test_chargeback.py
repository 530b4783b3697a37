"""Statements add up to the ledger, hold each row once, and stay as they were issued."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES, spending, write
from spendgraph.ledger import Ledger, StepRow
from spendgraph.policy import parse_policy
from spendgraph_reports.books import Books
from spendgraph_reports.chargeback import chargeback, payers
from spendgraph_reports.months import months
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import Report

AUGUST, SEPTEMBER = Period.month("2026-08"), Period.month("2026-09")
OF = st.sampled_from(["team", "cost_center", "tenant", "feature", "extra.squad"])
REORGANISED = Organisation.of(
    parse_policy("""
mappings:
  - {name: growth joins sales, from: 2026-09-15, to: 2026-10-10, when: {team: growth}, set: {team: sales, cost_center: cc-9}}
splits:
  - name: the index
    from: 2026-08-20
    when: {feature: search}
    into:
      - {share: 66.7%, set: {cost_center: cc-1}}
      - {share: 33.3%, set: {team: support}}
""")
)
SUPPORT, GROWTH, NOBODY = CONTEXTS[0].context_id, CONTEXTS[2].context_id, CONTEXTS[5].context_id


def lines(report: Report, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of every line."""
    return [tuple(row[name] for name in columns) for row in report.frame.to_dict("records")]


@settings(max_examples=20)
@given(spending(), OF, st.sampled_from(ZONES), st.booleans(), st.booleans(), st.integers(0, 40))
def test_all_statements_add_up_to_the_ledger_and_hold_each_row_once(
    rows: list[StepRow], of: str, zone: str, roll: bool, is_reorganised: bool, close_days: int
) -> None:
    """Every month from the first step to after the last, with what is restated, under a reorganisation or none."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        organisation = REORGANISED if is_reorganised else None
        cost = steps = corrections = 0
        with Books(path, zone=zone, organisation=organisation) as books:
            for _, month in months(Period.between("2026-07-01", "2027-01-01", zone), zone):
                report = chargeback(books, month, of=of, close_days=close_days)
                cost += report.totals["cost_nanousd"]
                steps += report.totals["steps"]
                corrections += report.totals["corrections"]
                assert report.frame["cost_nanousd"].sum() == report.totals["cost_nanousd"]
    assert cost == sum(row.cost_nanousd for row in rows)
    assert steps + corrections == len(rows)


@settings(max_examples=10)
@given(spending(), OF, st.sampled_from(ZONES))
def test_the_statements_of_all_payers_are_the_whole(rows: list[StepRow], of: str, zone: str) -> None:
    """Each line is in one, and the first page has their sums."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows)
        september = Period.month("2026-09", zone)
        with Books(path, zone=zone, organisation=REORGANISED) as books:
            whole, summary = chargeback(books, september, of=of), payers(books, september, of=of).frame
            each = [chargeback(books, september, of=of, payer=name) for name in summary[of]]
    assert [one.totals["cost_nanousd"] for one in each] == summary["cost_nanousd"].tolist()
    assert sum(summary["cost_nanousd"]) == whole.totals["cost_nanousd"]
    assert sum(len(one.frame) for one in each) == len(whole.frame)


@settings(max_examples=20)
@given(spending(), st.sampled_from(ZONES), st.integers(0, 30), st.integers(0, 20), st.booleans())
def test_a_statement_of_closed_books_never_changes(
    rows: list[StepRow], zone: str, written: int, close_days: int, roll: bool
) -> None:
    """What is written after the close, and rolled up or not, is in a later statement."""

    def statements(path: Path) -> list[tuple[bool, list[dict[Any, Any]]]]:
        with Books(path, zone=zone, organisation=REORGANISED) as books:
            found = [
                chargeback(books, month, close_days=close_days)
                for _, month in months(Period.between("2026-07-01", "2027-01-01", zone), zone)
            ]
        is_open = [any("are open" in caveat for caveat in report.caveats) for report in found]
        return [
            (open_, report.frame.astype(object).where(report.frame.notna(), None).to_dict("records"))
            for open_, report in zip(is_open, found, strict=True)
        ]

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows[:written])
        issued = statements(path)
        with Ledger.open(path) as ledger:
            ledger.post(*rows[written:])
            if roll:
                ledger.upkeep.roll()
        for (was_open, before), (_, after) in zip(issued, statements(path), strict=True):
            assert was_open or before == after


def late(path: Path) -> Path:
    """August with two steps; then, once September has begun, a late one and a correction; one of them of September too."""
    base = {"provider": "openai", "model": "gpt-5"}
    august, september = DAY - 30 * DAY_US, DAY
    return write(
        path,
        [
            step("a", context_id=SUPPORT, started_us=august, cost_nanousd=3_000_000_000, **base),
            step("b", context_id=GROWTH, started_us=august, cost_nanousd=2_000_000_000, **base, owner_team="support"),
            step("c", context_id=NOBODY, started_us=august, cost_nanousd=500_000_000, missing_tags="team", **base),
            step("d", context_id=SUPPORT, started_us=september, cost_nanousd=1_000_000_000, **base),
            step("e", context_id=GROWTH, started_us=august, cost_nanousd=40_000_000, kind="tool", name="search",
                 owner_team="search"),
            step("a/late", context_id=SUPPORT, started_us=august, cost_nanousd=-1_000_000_000, entry="correction",
                 corrects_step_id="a", cost_basis="estimated", **base),
        ],
    )  # fmt: skip


def test_what_is_written_after_the_close_is_restated_in_the_next_statement(tmp_path: Path) -> None:
    """August is as it was; September says which month it restates, and why."""
    with Books(late(tmp_path / "ledger.db")) as books:
        august, september = chargeback(books, AUGUST), chargeback(books, SEPTEMBER)
    assert lines(august, "team", "section", "item", "cost_nanousd") == [
        ("support", "consumed", "gpt-5", 3_000_000_000),
        ("support", "provided", "gpt-5", 0),
        ("growth", "consumed", "gpt-5", 2_000_000_000),
        ("", "consumed", "gpt-5", 500_000_000),
    ]
    assert august.findings == (
        "$5.50 is charged for 2026-08, to 2 teams.",
        "support pays most: $3.00, 54.5 %.",
        "$0.50 has no team and is nobody's: give the calls one.",
        "2 rows of 2026-08, -$0.96, were written after its books closed: the next statements restate them.",
    )
    assert lines(september, "team", "section", "month", "item", "steps", "corrections", "cost_nanousd") == [
        ("growth", "restated", "2026-08", "search", 1, 0, 40_000_000),
        ("search", "provided", "2026-08", "search", 0, 0, 0),
        ("support", "consumed", "2026-09", "gpt-5", 1, 0, 1_000_000_000),
        ("support", "restated", "2026-08", "gpt-5", 0, 1, -1_000_000_000),
    ]
    assert september.findings[:2] == (
        "$0.04 is charged for 2026-09, to 2 teams.",
        "$1.00 of it is of 2026-09; -$0.96 is restated of earlier months: 1 late step and 1 correction.",
    )
    assert september.totals["not_reported_nanousd"] == -1_000_000_000


def test_a_team_s_own_statement(tmp_path: Path) -> None:
    """What others pay for what it owns is a memo; what has no team is nobody's."""
    with Books(late(tmp_path / "ledger.db")) as books:
        support = chargeback(books, AUGUST, payer="support")
        nobody = chargeback(books, AUGUST, payer="")
        center = chargeback(books, AUGUST, of="cost_center", payer="cc-2")
        summary = payers(books, AUGUST)
    assert support.title == "Statement of support"
    assert support.findings == (
        "support pays $3.00 for 2026-08.",
        "Others pay $2.00 for what it provided: that stands in their statements.",
    )
    assert lines(support, "section", "consumed_by", "provided_nanousd")[1] == (
        "provided",
        "growth",
        2_000_000_000,
    )
    assert lines(nobody, "missing_tags", "unattributed_nanousd") == [("team", 500_000_000)]
    assert nobody.findings == ("$0.50 of 2026-08 is nobody's.",)
    assert center.findings == ("cc-2 pays $2.00 for 2026-08.",)
    assert lines(center, "cost_center", "provided_by", "cost_nanousd") == [("cc-2", "support", 2_000_000_000)]
    assert lines(
        summary, "team", "consumed_nanousd", "restated_nanousd", "cost_nanousd", "provided_nanousd"
    ) == [
        ("support", 3_000_000_000, 0, 3_000_000_000, 2_000_000_000),
        ("growth", 2_000_000_000, 0, 2_000_000_000, 0),
        ("", 500_000_000, 0, 500_000_000, 0),
    ]


def test_a_team_that_is_renamed_does_not_become_its_own_provider(tmp_path: Path) -> None:
    """What growth made for itself is sales' own after the merger; what it made for a split's parts is still growth's."""
    organisation = Organisation.of(
        parse_policy("""
mappings:
  - {name: merger, from: 2026-09-01, when: {team: growth, feature: search}, set: {team: sales}}
splits:
  - name: digest
    from: 2026-09-01
    when: {feature: digest}
    into: [{share: 60%, set: {team: support}}, {share: 40%}]
""")
    )
    path = write(
        tmp_path / "ledger.db",
        [
            step("a", context_id=GROWTH, started_us=DAY, cost_nanousd=100, owner_team="growth"),
            step(
                "b", context_id=CONTEXTS[4].context_id, started_us=DAY, cost_nanousd=10, owner_team="growth"
            ),
        ],
    )
    with Books(path, organisation=organisation) as books:
        report = chargeback(books, SEPTEMBER)
    assert lines(report, "team", "section", "feature", "provided_by", "cost_nanousd") == [
        ("sales", "consumed", "search", "sales", 100),
        ("support", "consumed", "digest", "growth", 6),
        ("growth", "consumed", "digest", "growth", 4),
        ("growth", "provided", "", "growth", 0),
    ]


def test_books_are_open_until_something_starts_after_the_close(tmp_path: Path) -> None:
    """Until then what is written late is not late."""
    with Books(late(tmp_path / "ledger.db"), zone="Europe/Berlin") as books:
        caveats = chargeback(books, Period.month("2026-09", "Europe/Berlin"), close_days=3).caveats
        later = chargeback(books, Period.month("2026-10", "Europe/Berlin"))
    assert (
        "The books of 2026-09 are open: they close with the first step that starts on 2026-10-04 00:00 (Europe/Berlin) or"
        " later, and what is written before it counts in them."
    ) in caveats
    assert later.findings == ("Nothing is charged for 2026-10.",)


def test_after_pruning_late_rows_stand_in_their_own_month(tmp_path: Path) -> None:
    """It still adds up, and says so."""
    path = late(tmp_path / "ledger.db")
    with Ledger.open(path) as ledger:
        ledger.upkeep.roll()
        ledger.upkeep.prune(DAY)
    with Books(path) as books:
        august, september = chargeback(books, AUGUST), chargeback(books, SEPTEMBER)
    # The latest row of a ledger is never pruned: the correction is restated still.
    assert (august.totals["cost_nanousd"], september.totals["cost_nanousd"]) == (5_540_000_000, 0)
    assert any("may be pruned" in caveat for caveat in august.caveats)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"of": "kind"},
            "expected a tag that says who pays, such as team, cost_center or tenant, found 'kind'",
        ),
        ({"close_days": -1}, "expected books that close 0 or more days after the period, found -1"),
    ],
    ids=["no tag", "days"],
)
def test_what_makes_no_statement(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """Who pays is a tag."""
    with Books(write(tmp_path / "ledger.db", [])) as books, pytest.raises(ValueError, match=message):
        chargeback(books, SEPTEMBER, **options)
