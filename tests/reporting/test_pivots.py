"""Tables by payer and time foot by row and by column, in any zone."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, ZONES, cost, spending, write
from spendgraph.clock import from_us
from spendgraph.ledger import StepRow
from spendgraph.policy import parse_policy
from spendgraph_reports.books import Books, Every
from spendgraph_reports.months import closed, months
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import Period, midnight

BY = st.lists(st.sampled_from(["feature", "team", "tenant", "user", "extra.squad"]), min_size=1, unique=True)
SPLIT = Organisation.of(
    parse_policy("""
splits:
  - name: the index
    from: 2026-09-10
    when: {feature: search}
    into: [{share: 66.7%, set: {team: sales}}, {share: 33.3%, set: {feature: triage}}]
""")
)


@settings(max_examples=15)
@given(spending(), BY, st.sampled_from(ZONES), st.sampled_from(["hour", "day"]), st.booleans(), st.booleans())
def test_days_and_hours_foot_by_row_and_by_column(
    rows: list[StepRow], by: list[str], zone: str, every: Every, roll: bool, is_split: bool
) -> None:
    """A payer's hours or days are its month, and everybody's in one of them are what the steps of that time cost."""
    period = Period.month("2026-09", zone)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        with Books(path, zone=zone, organisation=SPLIT if is_split else None) as books:
            series = books.series(by, period, every)
            month = books.rows(by, period)
    name = "%m-%d %H" if every == "hour" else "%m-%d"
    payers: Counter[tuple[str, ...]] = Counter()
    times: Counter[str] = Counter()
    for row in series.to_dict("records"):
        payers[tuple(row[tag] for tag in by)] += row["cost_nanousd"]
        times[row["start"].strftime(name)] += row["cost_nanousd"]
    expected: Counter[str] = Counter()
    for each in rows:
        if each.started_us in period:
            # An hour of Kathmandu is one of UTC: it begins at a quarter to.
            at = each.started_us - (each.started_us % 3_600_000_000 if every == "hour" else 0)
            expected[from_us(at).astimezone(ZoneInfo(zone)).strftime(name)] += each.cost_nanousd
    assert dict(times) == dict(expected)
    if not is_split:  # a split divides each quarter of an hour by itself: its parts may be a unit apart
        assert dict(payers) == {tuple(row[tag] for tag in by): row["cost_nanousd"] for row in month}
    assert sum(payers.values()) == sum(row["cost_nanousd"] for row in month) == cost(rows, *closed(period))


@settings(max_examples=10)
@given(spending(), BY, st.sampled_from(ZONES), st.booleans())
def test_months_foot_by_row_and_by_column(rows: list[StepRow], by: list[str], zone: str, roll: bool) -> None:
    """A payer's months are what it spent in all of them, and everybody's in one are the month's."""
    year = Period.between("2026-07-15", "2027-01-01", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(write(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books,
    ):
        table = books.monthly(by, year)
        whole = books.rows(by, year)
    for name, month in months(year, zone):
        assert sum(row["cost_nanousd"] for row in table if row["month"] == name) == cost(rows, *closed(month))
    payers: Counter[tuple[str, ...]] = Counter()
    for row in table:
        payers[tuple(row[name] for name in by)] += row["cost_nanousd"]
    assert dict(payers) == {tuple(row[name] for name in by): row["cost_nanousd"] for row in whole}


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("America/Santiago", "2026-09-06", "2026-09-06T01:00:00-03:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"),
        ("Europe/Berlin", "2026-10-25", "2026-10-25T00:00:00+02:00"),
    ],
    ids=["no midnight", "two midnights", "25 hours"],
)
def test_a_day_on_which_the_clocks_change_is_one_day(
    tmp_path: Path, zone: str, day: str, begins: str
) -> None:
    """Its first hour and its last are of one day, which begins when its date does."""
    period = Period.month(day[:7], zone)
    start = Period.between(day, None, zone).since_us
    assert start is not None
    end = midnight(from_us(start).astimezone(ZoneInfo(zone)).date() + timedelta(days=1), zone)
    path = write(
        tmp_path / "ledger.db",
        [
            step("first", context_id=CONTEXTS[0].context_id, started_us=start, cost_nanousd=3),
            step("last", context_id=CONTEXTS[0].context_id, started_us=end - 1, cost_nanousd=4),
            step("next", context_id=CONTEXTS[0].context_id, started_us=end, cost_nanousd=9),
        ],
    )
    with Books(path, zone=zone) as books:
        first, _ = books.series(["team"], period, "day").to_dict("records")
    assert (first["start"].isoformat(), first["cost_nanousd"]) == (begins, 7)
