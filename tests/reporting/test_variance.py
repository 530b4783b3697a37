"""Budgets against actuals: the version of the time, every kind of window, and what somebody has to do."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.kit import ZONES
from scripted import ScriptedModel, scripted_policy
from spendgraph import BudgetExceeded, CostContext, Meter
from spendgraph.clock import to_us
from spendgraph.ledger import Ledger
from spendgraph.policy import Policy
from spendgraph_reports.books import Books
from spendgraph_reports.budgeting import variance
from spendgraph_reports.period import Period
from spendgraph_reports.report import Report

ACME = CostContext(feature="triage", team="support", tenant="acme")
GLOBEX = CostContext(feature="triage", team="support", tenant="globex")
SEPTEMBER, OCTOBER = Period.month("2026-09"), Period.month("2026-10")
DECIDE = "Decide: raise the limit, or cut what spends it (`spendgraph report showback` says what does)."
LOWER = "Lower the limit to what is needed, or drop the budget."
NAME = "Name an owner in the policy: nobody is told, nobody decides."
SIGN = "Have somebody sign it off (`signed_off` in the policy)."
LATER = to_us(datetime.fromisoformat("2026-12-01T00:00:00+00:00"))


def at(text: str) -> datetime:
    """A time of 2026 in UTC."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def spend(path: Path, policy: Policy, *costs: tuple[CostContext, str, str], calls: int = 0) -> None:
    """Record costs when they arise, and make calls at the time of the last one; those that are refused are dealt with."""
    now = [to_us(at(costs[0][1]))]
    with Meter(path, policy=policy, clock=lambda: now[0]) as meter:
        for context, when, usd in costs:
            now[0] = to_us(at(when))
            with meter.task(context):
                meter.record("review", usd=usd)
        for _ in range(calls):
            with meter.task(costs[-1][0]), suppress(BudgetExceeded):
                ScriptedModel().invoke("hi")


def rows(report: Report, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of every row; what is missing is `None`."""
    frame = report.frame.astype(object).where(report.frame.notna(), None)
    return [tuple(row[name] for name in columns) for row in frame.to_dict("records")]


def made(path: Path, period: Period, *, now: int = LATER, budgets: Sequence[Any] | None = None) -> Report:
    """The variance of a period."""
    with Books(path, budgets=budgets) as books:
        return variance(books, period, now_us=now)


def test_a_month_is_compared_with_the_limit_of_its_time(tmp_path: Path) -> None:
    """September's limit was five dollars, October's is ten; whoever raised it did not change September."""
    budget = 'budgets: [{{name: support, owner: lead, signed_off: {{by: cfo, on: 2026-01-01}}, period: month, limit_usd: "{}"}}]'
    path = tmp_path / "ledger.db"
    spend(path, scripted_policy(budget.format(5)), (ACME, "09-10T12:00:00", "6"), calls=2)
    spend(path, scripted_policy(budget.format(10)), (ACME, "10-10T12:00:00", "6"))
    columns = (
        "window",
        "version",
        "limit_nanousd",
        "spent_nanousd",
        "variance_nanousd",
        "variance",
        "flags",
        "refused",
    )
    assert rows(made(path, SEPTEMBER), *columns) == [
        ("2026-09", 1, 5_000_000_000, 6_000_000_000, 1_000_000_000, 0.2, "over, refused", 2)
    ]
    assert rows(made(path, OCTOBER), *columns) == [
        ("2026-10", 2, 10_000_000_000, 6_000_000_000, -4_000_000_000, -0.4, None, 0)
    ]
    assert made(path, SEPTEMBER).findings == (
        "1 budget of 1 went over in 2026-09; the furthest is support in 2026-09 with $6.00 of $5.00.",
        "2 calls were refused, most by support in 2026-09.",
        "1 row of 1 needs somebody: 1 over, 1 refused.",
    )
    assert made(path, OCTOBER).findings == ("No budget of 1 went over in 2026-10.",)


def test_every_flagged_row_says_whose_it_is_and_what_to_do(tmp_path: Path) -> None:
    """The worst row first, and of a row the worst flag first."""
    policy = scripted_policy("""
budgets:
  - {name: tenants, owner: growth, per: tenant, period: month, limit_usd: "10"}
  - {name: all, period: month, limit_usd: "1000"}
""")
    path = tmp_path / "ledger.db"
    spend(path, policy, (ACME, "09-10T12:00:00", "11"), (GLOBEX, "09-11T12:00:00", "8"))
    report = made(path, SEPTEMBER)
    assert rows(report, "budget", "scope", "flags", "owner") == [
        ("tenants", "tenant=acme", "over, unsigned", "growth"),
        ("tenants", "tenant=globex", "near", "growth"),
        ("all", "", "unused, no owner, unsigned", ""),
    ]
    assert [action for (action,) in rows(report, "next_action")] == [
        f"{DECIDE} {SIGN}",
        "Nearly full: make calls cheaper, or agree to a higher limit before calls are refused.",
        f"{LOWER} {NAME} {SIGN}",
    ]
    with Books(path) as books:
        assert len(variance(books, SEPTEMBER, flagged=True, now_us=LATER).frame) == 3


def test_a_month_that_is_not_over_says_where_its_pace_leads(tmp_path: Path) -> None:
    """Six of ten dollars on the tenth day lead to eighteen; nothing is unused yet."""
    policy = scripted_policy("""
budgets:
  - {name: fast, owner: a, signed_off: {by: b, on: 2026-01-01}, period: month, limit_usd: "10"}
  - {name: slow, owner: a, signed_off: {by: b, on: 2026-01-01}, period: month, limit_usd: "100"}
""")
    path = tmp_path / "ledger.db"
    spend(path, policy, (ACME, "09-10T12:00:00", "6"))
    report = made(path, SEPTEMBER, now=to_us(at("09-11T00:00:00")))
    assert rows(report, "budget", "flags", "leads_to_nanousd") == [
        ("fast", "ahead", 18_000_000_000),
        ("slow", None, 18_000_000_000),
    ]
    assert report.findings[1] == (
        "1 window will go over at the pace so far, first of all fast in 2026-09: to $18.00 of $10.00."
    )
    assert rows(made(path, SEPTEMBER, now=to_us(at("09-01T12:00:00"))), "leads_to_nanousd") == [
        (None,),
        (None,),
    ]


def test_room_that_people_granted_is_room(tmp_path: Path) -> None:
    """What is within it is not over; that it was needed is said."""
    policy = scripted_policy(
        'budgets: [{name: support, owner: lead, signed_off: {by: cfo, on: 2026-01-01}, period: month, limit_usd: "5"}]'
    )
    path = tmp_path / "ledger.db"
    spend(path, policy, (ACME, "09-10T12:00:00", "4"))
    with Ledger.open(path, clock=lambda: to_us(at("09-10T13:00:00"))) as ledger:
        ledger.inbox.raise_limit("support", "", 20_000_000_000, by="cfo", why="launch")
    spend(path, policy, (ACME, "09-11T12:00:00", "3"))
    assert rows(made(path, SEPTEMBER), "flags", "granted_nanousd", "windows_over", "variance_nanousd") == [
        ("raised", 20_000_000_000, 0, 2_000_000_000)
    ]


MANY = """
budgets:
  - {name: hourly, owner: a, signed_off: {by: b, on: 2026-01-01}, per: tenant, period: hour, limit_usd: "5"}
  - {name: rolling, owner: a, signed_off: {by: b, on: 2026-01-01}, period: rolling 24h, limit_usd: "9"}
  - {name: task, owner: a, signed_off: {by: b, on: 2026-01-01}, per: task, limit_usd: "5"}
  - {name: call, owner: a, signed_off: {by: b, on: 2026-01-01}, per: call, limit_usd: "5", match: {tenant: acme}}
  - {name: daily, owner: a, signed_off: {by: b, on: 2026-01-01}, period: day, limit_tokens: 15}
  - {name: weekly, owner: a, signed_off: {by: b, on: 2026-01-01}, period: week, limit_usd: "20"}
"""


def test_windows_that_are_many_are_counted(tmp_path: Path) -> None:
    """Of an hour and a rolling day by scope, of each task and each call in one; weeks and days each have a row."""
    path = tmp_path / "ledger.db"
    spend(
        path,
        scripted_policy(MANY),
        (ACME, "08-31T23:30:00", "100"),
        (ACME, "09-09T18:10:00", "6"),
        (ACME, "09-10T12:00:00", "4"),
        (GLOBEX, "09-10T12:30:00", "6"),
        (ACME, "09-20T12:00:00", "1"),
    )
    report = made(path, SEPTEMBER)
    assert sorted(
        rows(report, "budget", "scope", "window", "windows", "windows_over", "spent_nanousd")
    ) == sorted(
        [
            ("call", "", "each call", 1, 1, 6_000_000_000),
            ("daily", "", "2026-09-09", 1, 0, None),
            ("daily", "", "2026-09-10", 1, 0, None),
            ("daily", "", "2026-09-20", 1, 0, None),
            ("hourly", "tenant=acme", "each hour", 3, 1, 6_000_000_000),
            ("hourly", "tenant=globex", "each hour", 1, 1, 6_000_000_000),
            # Parts of half an hour: from noon on the tenth both count, and half an hour later all three.
            ("rolling", "", "rolling 24h", 4, 2, 16_000_000_000),
            ("task", "", "each task", 4, 2, 6_000_000_000),
            ("weekly", "", "2026-09-07 to 2026-09-13", 1, 0, 16_000_000_000),
            ("weekly", "", "2026-09-14 to 2026-09-20", 1, 0, 1_000_000_000),
        ]
    )


def test_budgets_without_spending_have_a_row_if_they_are_in_force(tmp_path: Path) -> None:
    """Those of the policy that nobody has met yet, and those of the ledger that the policy has not dropped."""
    signed = "owner: a, signed_off: {by: b, on: 2026-01-01}"
    policy = scripted_policy(
        f'budgets: [{{name: old, {signed}, limit_usd: "5", match: {{tenant: initech}}}}, {{name: used, {signed}, limit_usd: "5"}}]'
    )
    path = tmp_path / "ledger.db"
    spend(path, policy, (ACME, "09-10T12:00:00", "4"))
    now = scripted_policy(
        f'budgets: [{{name: used, {signed}, limit_usd: "5"}}, {{name: new, {signed}, limit_calls: 9}}]'
    )
    columns = ("budget", "window", "version", "unit", "flags")
    assert rows(made(path, SEPTEMBER), *columns) == [
        ("used", "total", 1, "usd", "near"),
        ("old", "no window", 1, "usd", "unused"),
    ]
    assert rows(made(path, SEPTEMBER, budgets=now.budgets), *columns) == [
        ("used", "total", 1, "usd", "near"),
        ("new", "no window", 0, "calls", "unused"),
    ]
    assert rows(made(path, Period.month("2026-08")), *columns) == []
    assert made(path, Period.month("2026-08")).findings == ("No budget was in force in 2026-08.",)


@settings(max_examples=6)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ACME, GLOBEX]),
            st.integers(-20 * 1440, 20 * 1440),
            st.one_of(st.integers(0, 9), st.integers(0, 10**12)),
        ),
        min_size=1,
        max_size=10,
    ).map(lambda costs: sorted(costs, key=lambda each: each[1])),
    st.sampled_from(ZONES),
    st.booleans(),
)
def test_every_tenant_s_window_is_what_its_month_cost(
    costs: list[tuple[CostContext, int, int]], zone: str, roll: bool
) -> None:
    """In the budget's own time zone, rolled up or not; a tenant has a window if it spent in it."""
    policy = scripted_policy(
        f'budgets: [{{name: tenants, per: tenant, period: month, timezone: {zone}, limit_usd: "1000"}}]'
    )
    middle = to_us(at("09-20T23:50:00"))
    now = [middle]
    period = Period.month("2026-09", zone)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        with Meter(path, policy=policy, clock=lambda: now[0]) as meter:
            for context, minute, nanousd in costs:
                now[0] = middle + minute * 60_000_000
                with meter.task(context):
                    meter.record("review", usd=Decimal(nanousd).scaleb(-9))
        if roll:
            with Ledger.open(path) as ledger:
                ledger.upkeep.roll()
        with Books(path, zone=zone) as books:
            report = variance(books, period, now_us=LATER)
            month = books.rows(("tenant",), period)
    expected: Counter[str] = Counter()
    for context, minute, nanousd in costs:
        if middle + minute * 60_000_000 in period:
            expected[context.tenant] += nanousd
    assert {row["tenant"]: row["cost_nanousd"] for row in month} == dict(expected)
    windows = [row for row in rows(report, "scope", "window", "spent_nanousd") if row[1] != "no window"]
    assert sorted(windows) == sorted(
        (f"tenant={tenant}", "2026-09", spent) for tenant, spent in expected.items()
    )


def test_what_a_budget_counted_is_what_the_ledger_says(tmp_path: Path) -> None:
    """One of everything, in a zone: its month is the month of showback, to the nano-dollar."""
    policy = scripted_policy(
        'budgets: [{name: all, period: month, timezone: America/New_York, limit_usd: "1000"}]'
    )
    path = tmp_path / "ledger.db"
    start = at("08-25T01:30:00")
    costs = [
        (ACME, f"{start + timedelta(hours=17 * number):%m-%dT%H:%M:%S}", f"{number}.000000001")
        for number in range(60)
    ]
    spend(path, policy, *costs)
    september = Period.month("2026-09", "America/New_York")
    with Books(path, zone="America/New_York") as books:
        report = variance(books, september, now_us=LATER)
        (whole,) = books.rows((), september)
    assert rows(report, "window", "spent_nanousd") == [("2026-09", whole["cost_nanousd"])]
    assert whole["cost_nanousd"] > 0
