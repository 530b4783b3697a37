"""Revenue of a period: each month's price by its days, exactly, rounded once for each tenant and month."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph.ledger import ContractRow, ImportedFile, Ledger
from spendgraph_reports.period import Period
from spendgraph_reports.revenue import PlanRevenue, TenantRevenue, prorated, revenue

TEAM = ContractRow("acme", "team", 299_000_000_000, "2026-01-01")


def earned(contracts: list[ContractRow], since: str, until: str) -> int:
    """What one tenant's contracts bring in."""
    return sum(
        row.revenue_nanousd
        for row in prorated(contracts, date.fromisoformat(since), date.fromisoformat(until))
    )


def test_a_whole_month_is_the_monthly_price_however_long_it_is() -> None:
    """February, July and a leap year's February alike."""
    for since, until in (
        ("2026-02-01", "2026-03-01"),
        ("2026-07-01", "2026-08-01"),
        ("2028-02-01", "2028-03-01"),
    ):
        assert earned([TEAM], since, until) == 299_000_000_000
    assert earned([TEAM], "2026-01-01", "2029-01-01") == 36 * 299_000_000_000


@pytest.mark.parametrize(
    ("since", "until", "nanousd"),
    [
        ("2026-08-10", "2026-08-11", 9_645_161_290),  # 299 / 31 = 9.6451612903...
        ("2026-02-10", "2026-02-11", 10_678_571_429),  # 299 / 28 = 10.6785714285...
        ("2028-02-29", "2028-03-01", 10_310_344_828),  # 299 / 29 = 10.3103448275...
        ("2026-08-31", "2026-09-02", 19_611_827_957),  # 9,645,161,290 of August and 9,966,666,667 of September
        ("2026-08-10", "2026-08-10", 0),
    ],
    ids=["a day of 31", "a day of 28", "the leap day", "the last day and the first", "no day"],
)  # fmt: skip
def test_a_day_is_its_months_part(since: str, until: str, nanousd: int) -> None:
    """The price over the days of the month in which the day lies."""
    assert earned([TEAM], since, until) == nanousd


@pytest.mark.parametrize(
    ("price", "nanousd"),
    [(15, 0), (45, 2), (75, 2), (105, 4), (16, 1)],
    ids=["0.5", "1.5", "2.5", "3.5", "0.53"],
)
def test_half_a_nano_dollar_goes_to_the_even_one(price: int, nanousd: int) -> None:
    """A day of September is a thirtieth."""
    assert earned([TEAM._replace(monthly_revenue_nanousd=price)], "2026-09-10", "2026-09-11") == nanousd


def test_a_month_on_two_plans_is_rounded_once() -> None:
    """Half a nano-dollar on each is one, not none twice; and the parts say which plan brought what."""
    contracts = [
        ContractRow("acme", "team", 1, "2026-09-01", "2026-09-16"),
        ContractRow("acme", "business", 1, "2026-09-16"),
    ]
    assert prorated(contracts, date(2026, 9, 1), date(2026, 10, 1)) == [
        TenantRevenue(
            "acme",
            "business",
            1,
            (
                PlanRevenue("team", date(2026, 9, 1), date(2026, 9, 16), 0),
                PlanRevenue("business", date(2026, 9, 16), date(2026, 10, 1), 1),
            ),
        )
    ]


def test_only_the_days_of_the_contract_count() -> None:
    """From its first day to before the first day after it; a gap earns nothing."""
    contracts = [
        ContractRow("acme", "team", 31_000_000_000, "2026-08-03", "2026-08-05"),
        ContractRow("acme", "team", 31_000_000_000, "2026-08-10", "2026-08-11"),
    ]
    assert earned(contracts, "2026-08-01", "2026-09-01") == 3_000_000_000
    assert earned(contracts, "2026-08-05", "2026-08-10") == 0
    assert prorated(contracts, date(2026, 8, 11), date(2026, 9, 1)) == []


def keep(path: Path, *contracts: ContractRow) -> Path:
    """A ledger with these contracts."""
    with Ledger.open(path) as ledger:
        ledger.intake.contracts(contracts, [ImportedFile("c.csv", f"{len(contracts):064x}")])
    return path


@pytest.mark.parametrize(
    ("zone", "since", "until"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-30"),
        ("Europe/Berlin", "2026-10-25", "2026-10-26"),
        ("America/New_York", "2026-03-08", "2026-03-09"),
        ("Africa/Cairo", "2026-04-24", "2026-04-25"),
        ("Pacific/Auckland", "2026-08-31", "2026-09-01"),
    ],
    ids=[
        "23 hours",
        "25 hours",
        "23 hours in the west",
        "a midnight that is left out",
        "a day that ends at noon UTC",
    ],
)
def test_a_day_counts_once_however_many_hours_it_has(path: Path, zone: str, since: str, until: str) -> None:
    """The days are the zone's calendar's: a thirtieth or a 31st of the month."""
    keep(path, ContractRow("acme", "team", 930_000_000_000, "2026-01-01"))
    (found,) = revenue(path, Period.between(since, until, zone), zone)
    days = 30 if since[5:7] == "04" else 31
    assert found.revenue_nanousd == {30: 31_000_000_000, 31: 30_000_000_000}[days]
    assert (found.parts[0].since.isoformat(), found.parts[0].until.isoformat()) == (since, until)


def test_a_month_in_a_zone_is_a_whole_month_there(path: Path) -> None:
    """March in Berlin is an hour shorter, and costs the same; another zone's month is no month of days there."""
    keep(
        path,
        TEAM,
        ContractRow("globex", "starter", 49_000_000_000, "2026-03-31"),
        ContractRow("late", "team", 5, "2026-04-01"),
    )
    found = revenue(path, Period.month("2026-03", "Europe/Berlin"), "Europe/Berlin")
    assert [(row.tenant, row.plan, row.revenue_nanousd) for row in found] == [
        ("acme", "team", 299_000_000_000),
        ("globex", "starter", 1_580_645_161),
    ]
    with pytest.raises(
        ValueError, match="expected a period of whole days in UTC, found 2026-02-28T23:00:00Z"
    ):
        revenue(path, Period.month("2026-03", "Europe/Berlin"), "UTC")


@pytest.mark.parametrize(
    ("period", "zone", "message"),
    [
        (Period(None, 86_400_000_000), "UTC", "a start and an end"),
        (Period(0, None), "UTC", "a start and an end"),
        (Period(0, 3_600_000_000), "UTC", "whole days in UTC"),
        (Period(0, 86_400_000_000), "Mars/Olympus", "expected a time zone"),
    ],
    ids=["no beginning", "no end", "an hour", "no zone"],
)
def test_a_period_must_be_of_whole_days(path: Path, period: Period, zone: str, message: str) -> None:
    """A month's price is not spread over hours."""
    keep(path, TEAM)
    with pytest.raises(ValueError, match=message):
        revenue(path, period, zone)


def test_a_ledger_without_contracts_has_no_revenue(path: Path) -> None:
    """Nobody pays anything."""
    Ledger.open(path).close()
    assert revenue(path, Period.month("2026-08")) == []


DAYS = st.dates(date(2023, 12, 1), date(2028, 4, 1))


@given(price=st.integers(0, 10**15), first=DAYS, length=st.integers(1, 900), cuts=st.lists(DAYS, max_size=3))
def test_parts_add_up_and_changes_of_plan_cost_nothing(
    price: int, first: date, length: int, cuts: list[date]
) -> None:
    """However a contract is cut into several at the same price, the tenant pays the same, and every part at least 0."""
    end = first + timedelta(days=length)
    days = [first, *sorted({cut for cut in cuts if first < cut < end}), end]
    pieces = [
        ContractRow("acme", f"p{number}", price, since.isoformat(), until.isoformat())
        for number, (since, until) in enumerate(pairwise(days))
    ]
    (whole,) = prorated([ContractRow("acme", "p", price, first.isoformat())], first, end)
    (cut,) = prorated(pieces, first, end)
    assert cut.revenue_nanousd == whole.revenue_nanousd == sum(part.revenue_nanousd for part in cut.parts)
    assert min(part.revenue_nanousd for part in cut.parts) >= 0


@given(price=st.integers(0, 10**15), first=DAYS, length=st.integers(2, 900), data=st.data())
def test_periods_that_meet_between_months_add_up(
    price: int, first: date, length: int, data: st.DataObject
) -> None:
    """A quarter is the sum of its months; between days of one month each side is rounded by itself."""
    end = first + timedelta(days=length)
    contract = [TEAM._replace(monthly_revenue_nanousd=price, valid_from="2020-01-01")]
    middle = data.draw(st.dates(first, end))
    parts = [
        earned(contract, first.isoformat(), middle.isoformat()),
        earned(contract, middle.isoformat(), end.isoformat()),
    ]
    whole = earned(contract, first.isoformat(), end.isoformat())
    assert abs(whole - sum(parts)) <= (0 if middle.day == 1 else 1)
