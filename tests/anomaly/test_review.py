"""The anomaly review tells each thing once, adds up to the ledger, and finds what is planted in a history."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.kit import DAY, ZONES, cost, spending, write
from reporting.office import DOLLAR, SEPTEMBER, office, rows_of
from spendgraph.ledger import Ledger, StepRow
from spendgraph.ledger.incidents import IncidentRow, Mute, incident_id
from spendgraph.policy import parse_policy
from spendgraph_anomaly.detectors import Settings
from spendgraph_anomaly.review import anomalies
from spendgraph_reports.amounts import dollars
from spendgraph_reports.books import Books
from spendgraph_reports.organisation import Organisation
from spendgraph_reports.period import DAY_US, Period

OCTOBER_US = DAY + 10 * DAY_US
SPLIT = Organisation.of(
    parse_policy("""
splits:
  - name: the index
    from: 2026-09-20
    when: {feature: search}
    into:
      - {share: 66.7%, set: {team: sales}}
      - {share: 33.3%, set: {team: support}}
""")
)


def test_a_loop_is_told_once_with_its_dollars(tmp_path: Path) -> None:
    """Three hours of $20 each beyond some cents: one incident of one tenant's feature, to the cent."""
    loop = {("acme", "chat", hour): 20 * DOLLAR for hour in (10, 11, 12)}
    with Books(office(tmp_path / "ledger.db", loop), zone="Europe/Berlin") as books:
        report = anomalies(books, Period.month("2026-09", "Europe/Berlin"), now_us=OCTOBER_US)
    (row,) = rows_of(report)
    assert row["cut"] == "tenant acme, feature chat"
    assert row["began"].isoformat() == "2026-09-21T10:00:00+00:00"
    assert row["hours"] == 3
    assert abs(row["excess_nanousd"] - 60 * DOLLAR) < DOLLAR // 5
    assert report.totals["excess_nanousd"] == row["observed_nanousd"] - row["expected_nanousd"]
    assert report.findings[0] == (
        f"1 incident cost {dollars(row['excess_nanousd'])} more than was to be expected, 89.4 % of what was spent."
    )
    assert report.findings[1].startswith(
        "Mon 21 Sep, 12:00, for 3 hours: tenant acme, feature chat spent $60."
    )


def test_what_people_said_of_it_stands_beside(tmp_path: Path) -> None:
    """The newest word on an incident that the watch has found in the same hours, of the tenant alone; not those on others."""
    path = office(tmp_path / "ledger.db", {("acme", "chat", 10): 20 * DOLLAR})
    ten_us = DAY + 10 * 3_600_000_000
    with Ledger.open(path) as ledger:
        for tenant, start_us in (("acme", ten_us), ("globex", ten_us), ("acme", ten_us - DAY_US)):
            found = incident(tenant, start_us)
            ledger.watch_book.keep([found])
            mute = Mute(50 * DOLLAR, OCTOBER_US)
            ledger.watch_book.say(found.incident_id, "noise", by="bo", why=f"{tenant}, at first", mute=mute)
            ledger.watch_book.say(found.incident_id, "real", by="ann", why=f"a loop of {tenant}")
    with Books(path, zone="Europe/Berlin") as books:
        report = anomalies(books, Period.month("2026-09", "Europe/Berlin"), now_us=OCTOBER_US)
    (row,) = rows_of(report)
    assert row["said"] == "real, says ann: a loop of acme"


def incident(tenant: str, start_us: int) -> IncidentRow:
    """An hour of a tenant that the watch has found."""
    scope = f"tenant={tenant}"
    return IncidentRow(
        incident_id=incident_id("tenants", scope, start_us),
        watch="tenants",
        scope=scope,
        tags=json.dumps({"tenant": tenant}),
        every="hour",
        kind="spike",
        severity="low",
        score=0.9,
        start_us=start_us,
        until_us=start_us + 3_600_000_000,
        end_us=start_us + 3_600_000_000,
        expected_nanousd=0,
        observed_nanousd=20 * DOLLAR,
        excess_nanousd=20 * DOLLAR,
        may_suspend=0,
        found_us=start_us + 3_600_000_000,
    )


def test_two_loops_are_two_incidents_the_dearest_first(tmp_path: Path) -> None:
    """Of other tenants and on other days."""
    loops = {("acme", "chat", 10): 20 * DOLLAR, ("globex", "triage", 60): 35 * DOLLAR}
    with Books(office(tmp_path / "ledger.db", loops)) as books:
        report = anomalies(books, SEPTEMBER, now_us=OCTOBER_US)
    assert [row["cut"] for row in rows_of(report)] == [
        "tenant globex, feature triage",
        "tenant acme, feature chat",
    ]
    assert report.findings[0].startswith("2 incidents cost $5")


def test_what_is_below_the_minimum_is_not_told(tmp_path: Path) -> None:
    """A loop of $4 is told where somebody asks for $3, and not by default."""
    with Books(office(tmp_path / "ledger.db", {("acme", "chat", 10): 4 * DOLLAR})) as books:
        asked = anomalies(books, SEPTEMBER, minimum_usd="3", now_us=OCTOBER_US)
        usual = anomalies(books, SEPTEMBER, now_us=OCTOBER_US)
        dear = anomalies(books, SEPTEMBER, minimum_usd="40", now_us=OCTOBER_US)
    assert [row["cut"] for row in rows_of(asked)] == ["tenant acme, feature chat"]
    assert usual.findings == ("Nothing stood out by $5.00 or more.",)
    assert dear.findings == ("Nothing stood out by $40.00 or more.",)
    assert dear.totals == {"observed_nanousd": 0, "expected_nanousd": 0, "excess_nanousd": 0}


def test_a_period_is_judged_by_its_past_alone(tmp_path: Path) -> None:
    """What comes after it changes nothing: the week of the loop is told the same a week later."""
    loop = {("acme", "chat", hour): 20 * DOLLAR for hour in (10, 11)}
    week = Period(DAY - DAY_US, DAY + 3 * DAY_US)
    with Books(office(tmp_path / "then.db", loop, days=31)) as books:
        then = anomalies(books, week, now_us=DAY + 3 * DAY_US)
    with Books(
        office(tmp_path / "later.db", loop | {("globex", "chat", 100): 99 * DOLLAR}, days=35)
    ) as books:
        later = anomalies(books, week, now_us=OCTOBER_US)
    assert len(then.frame) == 1
    assert then.frame.drop(columns="began").equals(later.frame.drop(columns="began"))


@settings(max_examples=15)
@given(
    spending(),
    st.lists(st.sampled_from(["feature", "team", "tenant", "user"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(ZONES),
    st.booleans(),
    st.booleans(),
)
def test_every_review_adds_up_to_the_ledger(
    rows: list[StepRow], by: list[str], zone: str, roll: bool, is_shared: bool
) -> None:
    """However many incidents there are and however they overlap: each step is in one at most."""
    eager = Settings(threshold=0.1, least_excess=0)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        period = Period.between("2026-09-10", "2026-10-20", zone)
        with Books(path, zone=zone, organisation=SPLIT if is_shared else None) as books:
            report = anomalies(
                books,
                period,
                by=by,
                every="day",
                minimum_usd="0.000000001",
                settings=eager,
                now_us=OCTOBER_US,
            )
    assert 0 <= report.totals["observed_nanousd"] <= cost(rows, DAY - 30 * DAY_US, DAY + 40 * DAY_US)
    assert all(row["excess_nanousd"] > 0 for row in rows_of(report))
    assert (
        report.frame["observed_nanousd"] - report.frame["expected_nanousd"] == report.frame["excess_nanousd"]
    ).all()


def test_an_empty_ledger_has_a_review_that_says_so(tmp_path: Path) -> None:
    """Nothing stood out of nothing."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        report = anomalies(books, SEPTEMBER, now_us=OCTOBER_US)
    assert report.is_empty
    assert report.findings == ("Nothing stood out by $5.00 or more.",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": []}, "one or more different tags"),
        ({"by": ["colour"]}, "'colour'"),
        ({"minimum_usd": "a lot"}, "minimum_usd"),
        ({"every": "week"}, "bins of a quarter, hour, day, found 'week'"),
    ],
    ids=["no tags", "no such tag", "no amount", "no such bin"],
)
def test_what_cannot_be_reviewed_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """With what was expected."""
    with (
        Books(office(tmp_path / "ledger.db", {}, days=7)) as books,
        pytest.raises(ValueError, match=message),
    ):
        anomalies(books, SEPTEMBER, now_us=OCTOBER_US, **options)
