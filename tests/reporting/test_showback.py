"""Showback adds up to the ledger whatever it is by, and says what moved."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from spendgraph.ledger import StepRow
from spendgraph.policy import parse_policy
from spendgraph_reports.books import Books
from spendgraph_reports.months import before, closed, year_to_date
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.showback import showback

SEPTEMBER = Period.month("2026-09")
BY = st.lists(
    st.sampled_from(
        ["feature", "team", "tenant", "user", "model", "template", "cost_center", "kind", "extra.squad"]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=25)
@given(spending(), BY, st.sampled_from(ZONES), st.booleans(), st.integers(-40, 20), st.integers(1, 60))
def test_every_cut_adds_up_to_the_ledger(
    rows: list[StepRow], by: list[str], zone: str, roll: bool, first: int, days: int
) -> None:
    """To the nano-dollar, for months and for any days of any zone, of the period, the one before, and the year."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        start = Period.between("2026-09-21", None, zone).since_us
        assert start is not None
        some_days = Period(start + first * DAY_US, start + (first + days) * DAY_US)
        with Books(path, zone=zone) as books:
            for period in (Period.month("2026-09", zone), some_days):
                report = showback(books, period, by=by)
                assert report.frame["cost_nanousd"].sum() == cost(rows, *closed(period))
                assert report.frame["before_nanousd"].sum() == cost(rows, *closed(before(period, zone)))
                assert report.frame["year_to_date_nanousd"].sum() == cost(
                    rows, *closed(year_to_date(period, zone))
                )
                assert not report.frame.duplicated(by).any()


REORGANISED = Organisation.of(
    parse_policy("""
mappings:
  - {name: growth joins sales, from: 2026-09-15, to: 2026-10-10, when: {team: growth}, set: {team: sales, cost_center: cc-9}}
splits:
  - name: the index
    from: 2026-09-20
    when: {feature: search}
    into:
      - {share: 66.7%, set: {cost_center: cc-1}}
      - {share: 33.3%, set: {team: support}}
""")
)


@settings(max_examples=25)
@given(spending(), BY, st.sampled_from(ZONES), st.booleans())
def test_reorganisations_change_who_pays_and_no_total(
    rows: list[StepRow], by: list[str], zone: str, roll: bool
) -> None:
    """Of a period in which rules begin and end; what each team pays is the same as what the cuts by team and another say."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        period = Period.between("2026-09-01", "2026-10-20", zone)
        with Books(path, zone=zone, organisation=REORGANISED) as books:
            whole = showback(books, period, by=by).frame["cost_nanousd"].sum()
            sales = showback(books, period, by=["rule"], team=["sales"]).frame["cost_nanousd"].sum()
            teams = showback(books, period, by=["team"]).frame.set_index("team")["cost_nanousd"]
    assert whole == cost(rows, *closed(period))
    assert abs(sales - teams.get("sales", 0)) <= 2


def test_a_month_beside_the_one_before(tmp_path: Path) -> None:
    """Support doubled, growth is new; shares are of September, and the largest stands first."""
    support, growth = CONTEXTS[0].context_id, CONTEXTS[2].context_id
    path = write(
        tmp_path / "ledger.db",
        [
            step("a", context_id=support, started_us=DAY, cost_nanousd=3_000_000_000),
            step("b", context_id=growth, started_us=DAY, cost_nanousd=1_000_000_000),
            step("c", context_id=support, started_us=DAY - 30 * DAY_US, cost_nanousd=1_500_000_000),
        ],
    )
    with Books(path) as books:
        report = showback(books, SEPTEMBER)
    first, second = report.frame.to_dict("records")
    assert (first["team"], first["cost_nanousd"], first["share"], first["change"]) == (
        "support",
        3_000_000_000,
        0.75,
        1.0,
    )
    assert (second["team"], second["before_nanousd"], second["change"]) == ("growth", 0, float("inf"))
    assert first["year_to_date_nanousd"] == 4_500_000_000
    assert report.findings == (
        "$4.00 was spent, +166.7 % beside 2026-08 ($1.50).",
        "support is the largest with $3.00, 75.0 % of it.",
        "support moved most: it grew by $1.50.",
    )


def test_a_month_of_a_zone_is_compared_with_the_month_before_there(tmp_path: Path) -> None:
    """September of Berlin begins two hours before that of UTC, and is a day shorter than October."""
    midnight = Period.month("2026-09", "Europe/Berlin").since_us
    assert midnight is not None
    rows = [
        step("a", started_us=midnight - 1, cost_nanousd=1),
        step("b", started_us=midnight, cost_nanousd=2),
        step("c", started_us=midnight + 45 * DAY_US, cost_nanousd=4),
    ]
    rows = [row._replace(context_id=CONTEXTS[0].context_id) for row in rows]
    with Books(write(tmp_path / "ledger.db", rows), zone="Europe/Berlin") as books:
        report = showback(books, Period.month("2026-10", "Europe/Berlin"))
    (row,) = report.frame.to_dict("records")
    assert (row["cost_nanousd"], row["before_nanousd"], row["year_to_date_nanousd"]) == (4, 2, 7)


def test_an_empty_ledger_has_a_report(tmp_path: Path) -> None:
    """Its columns are there, and it says that there is nothing."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        report = showback(books, SEPTEMBER, by=["team", "tenant"])
    assert report.is_empty
    assert list(report.frame.columns[:3]) == ["team", "tenant", "cost_nanousd"]
    assert str(report.frame["cost_nanousd"].dtype) == "int64"
    assert report.findings == ("Nothing was spent in this period, nor in the one before.",)


def test_what_is_uncertain_is_said(tmp_path: Path) -> None:
    """Unattributed, estimated and unpriced."""
    path = write(
        tmp_path / "ledger.db",
        [
            step("a", started_us=DAY, cost_nanousd=3_000_000_000, context_id=CONTEXTS[0].context_id),
            step(
                "b",
                started_us=DAY,
                cost_nanousd=1_000_000_000,
                context_id=CONTEXTS[5].context_id,
                missing_tags="team",
            ),
            step(
                "c",
                started_us=DAY,
                cost_nanousd=4_000_000_000,
                context_id=CONTEXTS[0].context_id,
                cost_basis="estimated",
            ),
            step(
                "d", started_us=DAY, cost_nanousd=0, context_id=CONTEXTS[0].context_id, cost_basis="unpriced"
            ),
        ],
    )
    with Books(path) as books:
        assert showback(books, SEPTEMBER).caveats == (
            "$1.00 (12.5 %) is unattributed: required tags are missing.",
            "$4.00 (50.0 %) is estimated or an upper bound: the provider did not say what was used.",
            "1 step has no price, and cost nothing here: the true total is higher.",
        )


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ([], "expected one or more different tags to report by, found none"),
        (["team", "team"], "expected one or more different tags to report by, found team, team"),
        (["tema"], "the rollups do not tell 'tema' apart"),
    ],
)
def test_what_it_is_by_must_be_there(tmp_path: Path, by: list[str], message: str) -> None:
    """A misspelt tag is no row of nobody's."""
    with Books(write(tmp_path / "ledger.db", [])) as books, pytest.raises(ValueError, match=message):
        showback(books, SEPTEMBER, by=by)
