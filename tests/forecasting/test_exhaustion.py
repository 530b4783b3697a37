"""When budgets run out: of which day what is left is used up, between which days that lies, and what is too fast."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from scripted import scripted_policy
from spendgraph import CostContext, Meter
from spendgraph.clock import to_us
from spendgraph_anomaly.forecasting import budget_forecast, exhaustions
from spendgraph_anomaly.forecasting.exhaustion import crossing
from spendgraph_reports.books import Books
from spendgraph_reports.period import midnight

DOLLAR = 1_000_000_000
ACME = CostContext(feature="triage", team="support", tenant="acme")
GLOBEX = CostContext(feature="triage", team="support", tenant="a,b=c")
TENANTS = 'budgets: [{name: ceiling, owner: lead, per: [tenant], period: month, limit_usd: "24"}]'


def spent(
    path: Path, policy: str, days: int, *contexts: CostContext, first: date = date(2026, 11, 1)
) -> Path:
    """A dollar a day of each context at ten o'clock."""
    now = [0]
    with Meter(path, policy=scripted_policy(policy), clock=lambda: now[0]) as meter:
        for number in range(days):
            now[0] = to_us(datetime.fromisoformat(f"{first + timedelta(days=number)}T10:00:00+00:00"))
            for context in contexts:
                with meter.task(context):
                    meter.record("review", usd="1")
    return path


@pytest.mark.parametrize(
    ("left", "at"), [(0.0, 0), (-1.0, 0), (1.0, 50), (2.0, 100), (3.0, 150), (4.0, 200), (4.1, None)]
)
def test_a_sum_passes_what_is_left_within_a_bin(left: float, at: int | None) -> None:
    """Evenly; what is passed already is passed now."""
    assert crossing(np.array([2.0, 4.0]), [0, 100, 200], left) == at


def test_a_dollar_a_day_uses_up_24_on_the_25th(tmp_path: Path) -> None:
    """Twenty days are over and $20 are spent; the other $4 last to the 25th at midnight."""
    path = spent(tmp_path / "ledger.db", TENANTS, 20, ACME)
    with Books(path) as books:
        (one,), skipped = exhaustions(books, now_us=midnight(date(2026, 11, 21)))
    assert (one.budget, one.scope, one.room, one.spent) == (
        "ceiling",
        "tenant=acme",
        24 * DOLLAR,
        20 * DOLLAR,
    )
    assert one.at_us is not None
    assert one.at_us == pytest.approx(midnight(date(2026, 11, 25)), abs=10**7)
    assert one.leads_to == pytest.approx(30 * DOLLAR, abs=1_000)
    assert one.pace == pytest.approx(1.25)
    assert one.earliest_us is not None
    assert one.earliest_us <= one.at_us
    assert one.latest_us is None or one.latest_us >= one.at_us
    assert skipped == []


def test_each_scope_is_its_own(tmp_path: Path) -> None:
    """A value with a comma and an equals sign is one tenant; who spends nothing lasts."""
    path = spent(tmp_path / "ledger.db", TENANTS, 20, ACME, GLOBEX, GLOBEX)
    with Books(path) as books:
        found, _ = exhaustions(books, now_us=midnight(date(2026, 11, 21)))
    assert [(one.scope, one.spent // DOLLAR) for one in found] == [
        ("tenant=a%2Cb%3Dc", 40),
        ("tenant=acme", 20),
    ]
    assert found[0].at_us == midnight(date(2026, 11, 21))


def test_the_report_says_what_runs_out_first(tmp_path: Path) -> None:
    """In dollars and days, and what is not looked ahead."""
    policy = """
budgets:
  - {name: ceiling, owner: lead, per: [tenant], period: month, limit_usd: "22"}
  - {name: wide, owner: lead, period: month, limit_usd: "500"}
  - {name: of a day, owner: lead, period: day, limit_usd: "5"}
  - {name: calls, owner: lead, period: month, limit_calls: 400}
"""
    path = spent(tmp_path / "ledger.db", policy, 20, ACME)
    with Books(path) as books:
        report = budget_forecast(books, now_us=midnight(date(2026, 11, 21)))
    assert list(report.frame["budget"]) == ["ceiling", "wide"]
    assert report.findings[0].startswith(
        "1 window will be used up before its end, first of all ceiling for tenant=acme with $22.00: about 2026-11-23"
    )
    assert report.frame["runs_out"].isna().tolist() == [False, True]
    assert (
        report.caveats[-1]
        == "Not looked ahead, for their windows are shorter, roll, or do not count dollars: calls."
    )


def test_fast_windows_are_named_before_they_are_full(tmp_path: Path) -> None:
    """$10 of $24 by the sixth of a month's days is far ahead of the linear pace, and below 80 percent."""
    path = spent(tmp_path / "ledger.db", TENANTS, 5, ACME, ACME)
    with Books(path) as books:
        report = budget_forecast(books, now_us=midnight(date(2026, 11, 6)))
    assert (
        "1 window below 80 percent is ahead of the linear pace by a quarter or more: ceiling for tenant=acme."
        in report.findings
    )
    assert (
        "Too short a history for more than the linear burn rate: ceiling for tenant=acme." in report.caveats
    )


def test_a_budget_in_total_is_looked_ahead_ninety_days(tmp_path: Path) -> None:
    """It has no window that ends, and no pace."""
    path = spent(tmp_path / "ledger.db", 'budgets: [{name: pilot, limit_usd: "100"}]', 30, ACME)
    with Books(path) as books:
        (one,), _ = exhaustions(books, now_us=midnight(date(2026, 12, 1)))
    assert (one.end_us, one.pace) == (None, 0.0)
    assert one.at_us == pytest.approx(midnight(date(2026, 12, 1)) + 70 * 86_400_000_000, abs=10**8)


def test_without_budgets_nothing_runs_out(tmp_path: Path) -> None:
    """And the report says so."""
    path = spent(tmp_path / "ledger.db", "budgets: []", 3, ACME)
    with Books(path) as books:
        report = budget_forecast(books, now_us=midnight(date(2026, 11, 6)))
    assert report.is_empty
    assert report.findings == ("No budget in dollars has an open window of a week or more.",)
