"""What moved spending: more steps and dearer steps add up to the change."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from spendgraph.ledger import StepRow
from spendgraph_reports.books import Books
from spendgraph_reports.months import before, closed
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.showback import drivers

BY = st.lists(
    st.sampled_from(["team", "tenant", "user", "kind", "extra.squad"]), min_size=1, max_size=3, unique=True
)


@settings(max_examples=20)
@given(spending(), BY, st.sampled_from(ZONES), st.booleans())
def test_the_parts_of_each_change_add_up(rows: list[StepRow], by: list[str], zone: str, roll: bool) -> None:
    """In every row and in all, to the nano-dollar, whatever the tags."""
    with tempfile.TemporaryDirectory() as folder:
        period = Period.month("2026-09", zone)
        with Books(write(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books:
            frame = drivers(books, period, by=by).frame
    assert frame["cost_nanousd"].sum() == cost(rows, *closed(period))
    assert not frame.duplicated(by).any()
    assert frame["moved_nanousd"].sum() == cost(rows, *closed(period)) - cost(
        rows, *closed(before(period, zone))
    )
    assert (frame["volume_nanousd"] + frame["rate_nanousd"] == frame["moved_nanousd"]).all()
    assert (frame["cost_nanousd"] - frame["before_nanousd"] == frame["moved_nanousd"]).all()


def test_more_steps_and_dearer_steps_are_told_apart(tmp_path: Path) -> None:
    """Acme did twice as much at the same price, growth the same at twice the price, globex both; digest is new, initech went."""
    support, globex, growth, search, digest = (CONTEXTS[at].context_id for at in range(5))
    august, dollar = DAY - 30 * DAY_US, 1_000_000_000
    rows = [
        step("a", context_id=support, started_us=august, cost_nanousd=4 * dollar),
        step("b", context_id=support, started_us=DAY, cost_nanousd=4 * dollar),
        step("c", context_id=support, started_us=DAY, cost_nanousd=4 * dollar),
        step("d", context_id=growth, started_us=august, cost_nanousd=3 * dollar),
        step("e", context_id=growth, started_us=DAY, cost_nanousd=6 * dollar),
        step("h", context_id=globex, started_us=august, cost_nanousd=1 * dollar),
        *(step(context_id=globex, started_us=DAY, cost_nanousd=2 * dollar) for _ in range(3)),
        step("f", context_id=digest, started_us=DAY, cost_nanousd=2 * dollar),
        step("g", context_id=search, started_us=august, cost_nanousd=1 * dollar),
    ]
    with Books(write(tmp_path / "ledger.db", rows)) as books:
        report = drivers(books, Period.month("2026-09"), by=["feature", "tenant"])
    parts = {
        (row["feature"], row["tenant"]): (row["moved_nanousd"], row["volume_nanousd"], row["rate_nanousd"])
        for row in report.frame.to_dict("records")
    }
    assert parts == {
        ("triage", "acme"): (4 * dollar, 4 * dollar, 0),
        ("triage", "globex"): (5 * dollar, 2 * dollar, 3 * dollar),
        ("search", "acme"): (3 * dollar, 0, 3 * dollar),
        ("digest", ""): (2 * dollar, 2 * dollar, 0),
        ("search", "initech"): (-1 * dollar, -1 * dollar, 0),
    }
    assert report.findings == (
        "$13.00 more was spent than in 2026-08 (+144.4 %).",
        "triage, globex grew by $5.00: 200.0 % more steps, and a step is 100.0 % dearer.",
        "triage, acme grew by $4.00: 100.0 % more steps, and a step is as dear.",
        "search, acme grew by $3.00: as many steps, and a step is 100.0 % dearer.",
    )


def test_an_empty_ledger_moved_nothing(tmp_path: Path) -> None:
    """And says so."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        assert drivers(books, Period.month("2026-09")).findings == (
            "Nothing was spent in this period, nor in the one before.",
        )
