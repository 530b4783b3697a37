"""The forecast of a period: it adds up, knows nothing later, and does what the linear burn rate does where it should."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.spending import DOLLAR, TENANTS, ledger_of, steps_of
from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from spendgraph.ledger import StepRow
from spendgraph_anomaly.forecasting import Change, daily_report, forecast, outlook
from spendgraph_reports.books import Books
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period, midnight
from spendgraph_reports.report import Report

NOVEMBER = Period.month("2026-11")
WEEK = [10 * DOLLAR] * 5 + [2 * DOLLAR] * 2
BY = st.lists(st.sampled_from(["feature", "team", "tenant", "user"]), max_size=2, unique=True)


def cells(report: Report, row: int = 0) -> dict[str, Any]:
    """A row."""
    return dict(report.frame.iloc[row])


@pytest.mark.parametrize(
    "costs",
    [[3 * DOLLAR] * 10, [21 * DOLLAR] + [DOLLAR] * 9, [0] * 9 + [30 * DOLLAR]],
    ids=["even", "early", "late"],
)
def test_thirty_dollars_by_day_ten_of_thirty_are_ninety(tmp_path: Path, costs: list[int]) -> None:
    """Whoever knows no more than ten days knows no more than the linear burn rate, and says so."""
    path = ledger_of(tmp_path / "ledger.db", date(2026, 11, 1), {"acme": costs})
    with Books(path) as books:
        report = forecast(books, NOVEMBER, now_us=midnight(date(2026, 11, 11)))
    row = cells(report)
    assert (row["spent_nanousd"], row["linear_nanousd"]) == (30 * DOLLAR, 90 * DOLLAR)
    if costs[0]:
        assert row["forecast_nanousd"] == 90 * DOLLAR
        assert (
            "The history of 10 bins is shorter than 2 seasons of 7: it goes on at the linear burn rate."
            in report.caveats
        )


def test_weekends_are_forecast_as_weekends(tmp_path: Path) -> None:
    """Ten weeks of $54: the last nine days of November are six workdays and three days of weekends, not nine times the mean."""
    path = ledger_of(tmp_path / "ledger.db", date(2026, 9, 14), {"acme": WEEK * 10})
    with Books(path) as books:
        report = forecast(books, NOVEMBER, now_us=midnight(date(2026, 11, 22)))
        row = cells(report)
    assert row["rest_nanousd"] == pytest.approx(66 * DOLLAR, rel=0.02)
    assert row["low_80_nanousd"] <= row["forecast_nanousd"] <= row["high_80_nanousd"]
    assert row["history_days"] == 69


def test_today_is_forecast_by_how_days_go(tmp_path: Path) -> None:
    """Every day's dollar is spent at noon: at eleven all of today is to come, at one nothing."""
    path = ledger_of(tmp_path / "ledger.db", date(2026, 9, 1), {"acme": [DOLLAR] * 75})
    today = midnight(date(2026, 11, 14))
    with Books(path) as books:
        before = cells(forecast(books, NOVEMBER, now_us=today + 11 * 3_600_000_000))
        after = cells(forecast(books, NOVEMBER, now_us=today + 13 * 3_600_000_000))
    assert (before["spent_nanousd"], before["rest_nanousd"]) == (13 * DOLLAR, 17 * DOLLAR)
    assert (after["spent_nanousd"], after["rest_nanousd"]) == (14 * DOLLAR, 16 * DOLLAR)


@settings(max_examples=6)
@given(spending(), BY, st.sampled_from(ZONES), st.booleans(), st.integers(-20, 20), st.booleans())
def test_rows_add_up_to_the_ledger_and_to_the_total(
    rows: list[StepRow], by: list[str], zone: str, roll: bool, day: int, changes: bool
) -> None:
    """To the nano-dollar, whatever the cut, the zone, the time of day, and what is known to come."""
    now = DAY + day * DAY_US + 37 * 900_000_000
    period = Period.month("2026-09", zone)
    known = [Change.read("2026-10-12 tenant=acme +20%")] if changes else []
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(write(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books,
    ):
        report = forecast(books, period, by=by, now_us=now, changes=known)
        ahead = forecast(
            books, Period.days(date(2026, 10, 1), date(2026, 10, 20), zone), by=by, now_us=now, changes=known
        )
        seen = outlook(books, period, by=by, now_us=now)
        days = daily_report(books, seen)
    since, until = closed(period)
    spent = cost(rows, since, min(until, now)) if now > since else 0
    assert report.totals["spent_nanousd"] == spent
    assert report.totals["forecast_nanousd"] == spent + report.totals["rest_nanousd"]
    assert sum(report.frame["rest_nanousd"]) == report.totals["rest_nanousd"]
    assert ahead.totals["forecast_nanousd"] == ahead.totals["rest_nanousd"] + ahead.totals["spent_nanousd"]
    assert days.totals["forecast_nanousd"] == seen.all.total == sum(cut.total for cut in seen.cuts)
    for cut in (seen.all, *seen.cuts):
        assert cut.bounds(95)[0] <= cut.bounds(80)[0] <= cut.total <= cut.bounds(80)[1] <= cut.bounds(95)[1]


@settings(max_examples=5)
@given(spending(days=30), st.integers(-20, 15))
def test_nothing_that_starts_later_is_known(rows: list[StepRow], day: int) -> None:
    """A ledger that ends at the moment of the forecast gives the same one."""
    now = DAY + day * DAY_US
    known = [row for row in rows if row.started_us < now]
    period = Period.days(
        date(2026, 9, 21) + timedelta(days=day), date(2026, 9, 21) + timedelta(days=day + 20)
    )
    made: list[Report] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, steps in (("all", rows), ("known", known)):
            with Books(write(Path(folder, name), steps)) as books:
                made.append(forecast(books, period, by=["tenant"], now_us=now))
    columns = ["tenant", "forecast_nanousd", "low_80_nanousd", "high_95_nanousd"]
    every, of_known = (report.frame.loc[report.frame["forecast_nanousd"] > 0, columns] for report in made)
    assert every.values.tolist() == of_known.values.tolist()


@pytest.mark.parametrize(
    ("now", "month", "first", "count"),
    [
        (date(2026, 10, 24), "2026-10", "2026-10-24", 8),
        (date(2026, 10, 26), "2026-10", "2026-10-26", 6),
        (date(2026, 3, 28), "2026-03", "2026-03-28", 4),
    ],
    ids=["before autumn's 25 hours", "after them", "before spring's 23"],
)
def test_days_are_the_zones(tmp_path: Path, now: date, month: str, first: str, count: int) -> None:
    """A day on which the clocks change is one day: a dollar at one in the morning each day is a dollar a day."""
    begun = now - timedelta(days=60)
    path = ledger_of(tmp_path / "ledger.db", begun, {"acme": [DOLLAR] * 60}, zone="Europe/Berlin", hour=1)
    with Books(path, zone="Europe/Berlin") as books:
        seen = outlook(books, Period.month(month, books.zone), now_us=midnight(now, books.zone))
    assert (seen.ahead[0].isoformat(), len(seen.ahead)) == (first, count)
    assert set(seen.all.history.tolist()) == {DOLLAR}
    assert seen.all.rest == (DOLLAR,) * count


def test_tenants_that_differ_add_up(tmp_path: Path) -> None:
    """One grows, one is new, one is steady: each row is forecast by its own history, and the rows are those of all."""
    days = {
        "acme": [DOLLAR + 20_000_000 * number for number in range(60)],
        "globex": [0] * 52 + [5 * DOLLAR] * 8,
        "": [7 * DOLLAR] * 60,
    }
    path = ledger_of(tmp_path / "ledger.db", date(2026, 9, 20), days)
    with Books(path) as books:
        report = forecast(books, NOVEMBER, by=["tenant"], now_us=midnight(date(2026, 11, 19)))
    frame = report.frame.set_index("tenant")
    assert list(frame.index) == ["", "globex", "acme"]
    assert frame["history_days"].to_dict() == {"": 60, "globex": 8, "acme": 60}
    assert frame["models"]["globex"] == "linear burn"
    assert "globex has too short a history for more than the linear burn rate." in report.caveats
    assert frame["forecast_nanousd"][""] == pytest.approx(210 * DOLLAR, rel=0.02)
    assert sum(frame["forecast_nanousd"]) == report.totals["forecast_nanousd"]


def test_known_changes_count_from_their_day(tmp_path: Path) -> None:
    """Acme's dollar a day doubles for five days of November; globex brings two dollars a day for ten."""
    path = ledger_of(tmp_path / "ledger.db", date(2026, 9, 1), {"acme": [DOLLAR] * 75})
    known = [Change.read("2026-11-26 tenant=acme x2"), Change.read("2026-11-21 tenant=globex +$2/day")]
    with Books(path) as books:
        report = forecast(books, NOVEMBER, by=["tenant"], changes=known, now_us=midnight(date(2026, 11, 15)))
        alone = forecast(books, NOVEMBER, changes=known, now_us=midnight(date(2026, 11, 15)))
    assert dict(zip(report.frame["tenant"], report.frame["rest_nanousd"], strict=True)) == {
        "acme": 21 * DOLLAR,
        "globex": 20 * DOLLAR,
    }
    assert alone.totals["rest_nanousd"] == 41 * DOLLAR
    assert report.findings[-1] == (
        "2 known changes counted: tenant=acme from 2026-11-26: times 2; tenant=globex from 2026-11-21: +2.00 dollars a day."
    )


def test_a_month_that_is_over_is_what_was_spent(tmp_path: Path) -> None:
    """Nothing is expected of it, and its bounds are what was spent."""
    path = ledger_of(tmp_path / "ledger.db", date(2026, 9, 1), {"acme": [DOLLAR] * 60})
    with Books(path) as books:
        report = forecast(books, Period.month("2026-09"), now_us=midnight(date(2026, 11, 1)))
    row = cells(report)
    assert report.findings == ("2026-09 is over: $30.00 was spent.",)
    assert (row["forecast_nanousd"], row["low_80_nanousd"], row["high_95_nanousd"]) == (30 * DOLLAR,) * 3


def test_an_empty_ledger_expects_nothing(tmp_path: Path) -> None:
    """And has rows of nothing."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        for by in ([], ["tenant"]):
            report = forecast(books, NOVEMBER, by=by, now_us=midnight(date(2026, 11, 11)))
            assert report.findings == ("Nothing is expected in 2026-11.",)
            assert report.is_empty


def test_a_month_ahead_is_seen_over_the_days_before_it(tmp_path: Path) -> None:
    """December, in the middle of November: thirty-one days, and wider than the rest of November."""
    costs = [DOLLAR + 400_000_000 * (number % 5) for number in range(75)]
    path = ledger_of(tmp_path / "ledger.db", date(2026, 9, 1), {"acme": costs})
    with Books(path) as books:
        seen = outlook(books, Period.month("2026-12"), now_us=midnight(date(2026, 11, 15)))
    assert (len(seen.ahead), seen.all.spent, len(seen.all.prediction.path)) == (31, 0, 47)
    assert seen.all.total == pytest.approx(31 * 1.8 * DOLLAR, rel=0.1)


def test_half_days_are_refused(tmp_path: Path) -> None:
    """A forecast is by the day."""
    with (
        Books(write(tmp_path / "ledger.db", [])) as books,
        pytest.raises(ValueError, match="expected a period of whole days in UTC"),
    ):
        forecast(books, Period(DAY, DAY + 3_600_000_000))


def test_filters_and_organisation_are_those_of_reports(tmp_path: Path) -> None:
    """Only what a filter lets through is forecast."""
    steps = steps_of(date(2026, 10, 1), {"acme": [DOLLAR] * 40, "globex": [2 * DOLLAR] * 40})
    late = step("late", context_id=TENANTS["acme"].context_id, task_id="t", started_us=DAY, cost_nanousd=5)
    assert CONTEXTS[2] is TENANTS["acme"]
    with Books(write(tmp_path / "ledger.db", [*steps, late])) as books:
        report = forecast(books, NOVEMBER, now_us=midnight(date(2026, 11, 10)), tenant="globex")
    assert report.totals["spent_nanousd"] == 18 * DOLLAR
    assert report.totals["forecast_nanousd"] == 60 * DOLLAR
