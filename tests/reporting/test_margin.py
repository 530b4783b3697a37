"""Margins: revenue foots to the contracts, cost to the ledger, and every dollar of both is in one row."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import context_row, step
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from spendgraph.ledger import ContractRow, ImportedFile, Ledger, PlanRow, StepRow
from spendgraph.policy import parse_policy
from spendgraph_reports.books import Books
from spendgraph_reports.economics import margin
from spendgraph_reports.economics.margin import By
from spendgraph_reports.months import closed
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import is_missing
from spendgraph_reports.revenue import revenue

SEPTEMBER = Period.month("2026-09")
TENANTS = ("acme", "globex", "initech", "hooli")
PLANS = ("small", "large", "unlisted")


@st.composite
def contracts(draw: st.DrawFn) -> list[ContractRow]:
    """Contracts of some tenants, one after the other, with gaps, from before the month to after it."""
    found: list[ContractRow] = []
    for tenant in draw(st.sets(st.sampled_from(TENANTS))):
        day = date(2026, 8, 1)
        for _ in range(draw(st.integers(1, 3))):
            day += timedelta(days=draw(st.integers(0, 40)))
            until = day + timedelta(days=draw(st.integers(1, 40)))
            amount = draw(st.integers(0, 10**13))
            found.append(
                ContractRow(tenant, draw(st.sampled_from(PLANS)), amount, day.isoformat(), until.isoformat())
            )
            day = until
    return found


def keep(path: Path, rows: list[ContractRow], plans: list[PlanRow]) -> None:
    """Bring lists in, as finance does."""
    with Ledger.open(path) as ledger:
        if rows:
            ledger.intake.contracts(rows, [ImportedFile("contracts.csv", "0" * 64)])
        if plans:
            ledger.intake.plans(plans, [ImportedFile("plans.csv", "1" * 64)])


SPLIT = Organisation.of(
    parse_policy("""
splits:
  - name: the index
    from: 2026-09-10
    when: {feature: search}
    into:
      - {share: 66.7%, set: {tenant: globex}}
      - {share: 33.3%, set: {team: support}}
""")
)


@settings(max_examples=25)
@given(
    spending(),
    contracts(),
    st.sampled_from(["tenant", "plan"]),
    st.sampled_from(ZONES),
    st.booleans(),
    st.booleans(),
)
def test_no_dollar_is_lost_and_none_is_there_twice(
    rows: list[StepRow], paid: list[ContractRow], by: By, zone: str, roll: bool, is_split: bool
) -> None:
    """By tenants and by plans, in a month of any zone, with contracts that begin, end and change within it."""
    period = Period.month("2026-09", zone)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        keep(path, paid, [PlanRow("small", 10**12), PlanRow("large", 10**13, "2026-09-15")])
        with Books(path, zone=zone, organisation=SPLIT if is_split else None) as books:
            report = margin(books, period, by=by)
        earned = revenue(path, period, zone)
    assert report.frame["cost_nanousd"].sum() == cost(rows, *closed(period))
    assert report.frame["revenue_nanousd"].sum() == sum(tenant.revenue_nanousd for tenant in earned)
    assert (
        report.frame["margin_nanousd"] == report.frame["revenue_nanousd"] - report.frame["cost_nanousd"]
    ).all()
    own = report.frame[report.frame["state"].isin(["no contract", "no tenant"])]
    assert (own["revenue_nanousd"] == 0).all()
    if by == "tenant":
        assert report.frame["tenant"].is_unique
        expected = {tenant.tenant: tenant.revenue_nanousd for tenant in earned}
        found = report.frame[~report.frame.index.isin(own.index)]
        assert dict(zip(found["tenant"], found["revenue_nanousd"], strict=True)) == expected
    else:
        assert set(report.frame["plan"]) - {""} == {part.plan for tenant in earned for part in tenant.parts}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """September of five tenants and of steps without one."""
    path = tmp_path / "ledger.db"
    spent = {"acme": 12, "globex": 80, "umbra": 150, "visitor": 7, "": 3}
    payers = {name: context_row(feature="triage", **({"tenant": name} if name else {})) for name in spent}
    with Ledger.open(path) as opened:
        opened.post(
            *payers.values(),
            *(
                step(
                    f"of-{name}",
                    context_id=payers[name].context_id,
                    started_us=DAY,
                    cost_nanousd=dollars * 10**9,
                )
                for name, dollars in spent.items()
            ),
            step(
                "early",
                context_id=payers["acme"].context_id,
                started_us=DAY - 18 * DAY_US,
                cost_nanousd=10**9,
            ),
        )
    keep(
        path,
        [
            ContractRow("acme", "small", 60 * 10**9, "2026-01-01", "2026-09-16"),
            ContractRow("acme", "large", 300 * 10**9, "2026-09-16"),
            ContractRow("globex", "large", 100 * 10**9, "2026-01-01"),
            ContractRow("umbra", "small", 49 * 10**9, "2026-01-01"),
            ContractRow("quiet", "odd", 30 * 10**9, "2026-09-21"),
        ],
        [
            PlanRow("small", 60 * 10**9),
            PlanRow("large", 200 * 10**9),
            PlanRow("large", 400 * 10**9, "2026-09-16"),
        ],
    )
    return path


def test_the_tenant_that_is_sold_too_cheap_stands_first(ledger: Path) -> None:
    """Then thin margins, sound ones and those without spending; what no contract pays for stands last."""
    with Books(ledger) as books:
        report = margin(books, SEPTEMBER)
    rows = report.frame.to_dict("records")
    names = ("tenant", "plan", "state", "revenue_nanousd", "cost_nanousd")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("umbra", "small", "negative", 49 * 10**9, 150 * 10**9),
        ("quiet", "odd", "no spending", 10 * 10**9, 0),
        ("globex", "large", "thin", 100 * 10**9, 80 * 10**9),
        ("acme", "large", "sound", 180 * 10**9, 13 * 10**9),
        ("visitor", "", "no contract", 0, 7 * 10**9),
        ("", "", "no tenant", 0, 3 * 10**9),
    ]
    assert rows[0]["margin_share"] == (49 - 150) / 49
    assert (rows[3]["list_nanousd"], rows[3]["discount"]) == (230 * 10**9, 1 - 180 / 230)
    assert rows[2]["list_nanousd"] == 300 * 10**9
    assert is_missing(rows[1]["list_nanousd"])
    assert report.findings == (
        "$339.00 was earned and $253.00 spent: a margin of $86.00, 25.4 % of the revenue.",
        "umbra is sold below its cost: it pays $49.00 and costs $150.00.",
        "The margin of globex is thin.",
        "$7.00 was spent by tenants without a contract.",
        "$3.00 was spent under no tenant.",
    )


def test_a_plan_has_what_its_tenants_cost_while_they_were_on_it(ledger: Path) -> None:
    """Acme's dollar of the third is the small plan's, and its twelve of the 21st the large one's."""
    with Books(ledger) as books:
        report = margin(books, SEPTEMBER, by="plan", thin=0.8)
    names = ("plan", "tenants", "losing", "state", "revenue_nanousd", "cost_nanousd")
    assert [tuple(row[name] for name in names) for row in report.frame.to_dict("records")] == [
        ("small", 2, 1, "negative", 79 * 10**9, 151 * 10**9),
        ("odd", 1, 0, "no spending", 10 * 10**9, 0),
        ("large", 2, 0, "thin", 250 * 10**9, 92 * 10**9),
        ("", 1, 0, "no contract", 0, 7 * 10**9),
        ("", 0, 0, "no tenant", 0, 3 * 10**9),
    ]


def test_without_contracts_everything_is_spending_without_one(tmp_path: Path) -> None:
    """And the report says how contracts come in."""
    path = write(tmp_path / "ledger.db", [step("a", context_id=CONTEXTS[0].context_id, started_us=DAY)])
    with Books(path) as books:
        report = margin(books, SEPTEMBER)
    assert report.frame["state"].tolist() == ["no contract"]
    assert (
        report.caveats[0] == "No contract holds in this period; `spendgraph import contracts` brings them in."
    )
    assert report.findings[0] == "$0.00 was earned and $0.00 spent: a margin of -$0.00."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "team"}, "expected tenant or plan, found 'team'"),
        ({"thin": 2}, "expected a share from 0 to 1 below which a margin is thin, found 2"),
    ],
)
def test_what_is_asked_must_make_sense(ledger: Path, options: dict[str, Any], message: str) -> None:
    """A share is no percentage."""
    with Books(ledger) as books, pytest.raises(ValueError, match=message):
        margin(books, SEPTEMBER, **options)


def test_a_period_of_half_days_has_no_revenue(ledger: Path) -> None:
    """Contracts count days."""
    with Books(ledger) as books, pytest.raises(ValueError, match="expected a period of whole days in UTC"):
        margin(books, Period(DAY, DAY + DAY_US // 2))
