"""Tenants and users beside the one in the middle."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import context_row, step
from reporting.acting import Acts, acts, play
from reporting.kit import CONTEXTS, DAY, ZONES, cost, write
from spendgraph.ledger import Ledger
from spendgraph_reports.books import Books
from spendgraph_reports.economics import tenants
from spendgraph_reports.months import closed
from spendgraph_reports.period import Period

SEPTEMBER = Period.month("2026-09")
PAYERS = {context.context_id: context for context in CONTEXTS}


@settings(max_examples=25)
@given(acts(), st.sampled_from(["tenant", "user"]), st.sampled_from(ZONES), st.booleans(), st.floats(0.5, 20))
def test_who_is_above_is_so_by_what_the_steps_cost(
    acted: Acts, per: Literal["tenant", "user"], zone: str, roll: bool, limit: float
) -> None:
    """The median is that of those who have a name; all dollars are the ledger's."""
    period = Period.month("2026-09", zone)
    since, until = closed(period)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(play(Path(folder, "ledger.db"), acted, roll=roll), zone=zone) as books,
    ):
        report = tenants(books, period, per=per, limit=limit)
    spent: Counter[str] = Counter()
    for row in acted.steps:
        if since <= row.started_us < until:
            spent[getattr(PAYERS[row.context_id], per)] += row.cost_nanousd
    named = sorted(amount for name, amount in spent.items() if name)
    median = named[math.ceil(len(named) / 2) - 1] if named else 0
    rows = {row[per]: row for row in report.frame.to_dict("records")}
    assert {name: row["cost_nanousd"] for name, row in rows.items() if name in spent} == spent
    assert {name for name, row in rows.items() if row["is_above"]} == {
        name for name, amount in spent.items() if name and median > 0 and amount / median > limit
    }
    assert report.frame["cost_nanousd"].sum() == cost(acted.steps, since, until)
    began = [task_id for task_id in acted.in_period(since, until) if acted.steps_of(task_id)]
    assert report.frame["tasks"].sum() == len(began)


def test_more_than_ten_times_the_median_is_said(tmp_path: Path) -> None:
    """One of five; what names no tenant is told, and is in no median."""
    costs = {
        "large": 31_000_000_000,
        "a": 4_000_000_000,
        "b": 3_000_000_000,
        "c": 2_000_000_000,
        "d": 1,
        "": 5_000_000_000,
    }
    payers = {name: context_row(feature="triage", **({"tenant": name} if name else {})) for name in costs}
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.post(
            *payers.values(),
            *(
                step(
                    f"of-{name}",
                    task_id=f"of-{name}",
                    context_id=payers[name].context_id,
                    started_us=DAY,
                    cost_nanousd=amount,
                )
                for name, amount in costs.items()
            ),
        )
    with Books(tmp_path / "ledger.db") as books:
        report = tenants(books, SEPTEMBER)
    assert report.frame["tenant"].tolist() == ["large", "", "a", "b", "c", "d"]
    assert report.frame["is_above"].tolist() == [True, False, False, False, False, False]
    assert report.findings == (
        "5 tenants spent; the one in the middle $3.00.",
        "large (10.3 x) is above 10 x that: $31.00, 68.9 % of all.",
        "$5.00 names no tenant.",
    )


def test_an_empty_ledger_has_a_report(tmp_path: Path) -> None:
    """Nobody spent anything."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        assert tenants(books, SEPTEMBER, per="user").findings == ("No user spent anything in this period.",)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"per": "team"}, "expected tenant or user, found 'team'"), ({"limit": 0}, "expected a number above 0")],
)
def test_what_is_asked_must_make_sense(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """Nothing is above no times the median."""
    with Books(write(tmp_path / "ledger.db", [])) as books, pytest.raises(ValueError, match=message):
        tenants(books, SEPTEMBER, **options)
