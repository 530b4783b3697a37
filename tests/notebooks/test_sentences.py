"""The sentences of notebooks are true of the numbers they speak of, whatever the ledger."""

from __future__ import annotations

import re
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from plots.kit import report_of, series_of
from reporting.kit import CONTEXTS, DAY, ZONES, spending, write
from spendgraph.ledger import StepRow
from spendgraph_reports.books import Books
from spendgraph_reports.notebooks import last_month, opened, spend, units
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.plots.scales import amount


@settings(max_examples=6)
@given(spending(), st.sampled_from(ZONES), st.booleans())
def test_conclusions_are_drawn_from_any_ledger(rows: list[StepRow], zone: str, roll: bool) -> None:
    """Of months that lack tags, have credits, or cost nothing; what is said to have no owner has none."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        with Books(path, zone=zone) as books:
            september = Period.month("2026-09", zone)
            doubts = books.doubts(september)
            for room in (spend, units):
                said = room.conclusion(books, september)
                assert all(sentence.endswith(".") for sentence in said)
                if not doubts.steps:
                    assert said == (spend.nothing(books, september),)
                else:
                    assert spend.owned(doubts.unattributed_nanousd, doubts.cost_nanousd) in said
                assert room.facts(books, september).facts[0].value == amount(doubts.cost_nanousd)
            counts = units.task_costs(books, september)
            known = books.reader.task_costs(since=september.since_us, until=september.until_us)
            assert sum(cost * number for cost, number in counts.items()) == sum(
                row["cost_nanousd"] for row in known
            )


@given(st.lists(st.integers(0, 10**12), min_size=3, max_size=30))
def test_half_of_the_spending_is_at_so_few(costs: list[int]) -> None:
    """The dearest so many reach half, and one fewer do not."""
    rows = [(f"t{number}", cost, 0) for number, cost in enumerate(costs)]
    said = spend.concentration(report_of(rows), "tenant")
    if not sum(costs):
        assert said == ()
        return
    (sentence,) = said
    count = 1 if sentence.startswith("One of") else int(sentence.partition(" ")[0])
    ordered = sorted(costs, reverse=True)
    assert 2 * sum(ordered[:count]) >= sum(costs)
    assert 2 * sum(ordered[: count - 1]) < sum(costs)
    (largest,) = re.findall(r"(t\d+)(?:, spent| alone)", sentence)
    assert costs[int(largest[1:])] == ordered[0]


def test_workdays_and_weekends() -> None:
    """Days with spending, by what they are in the zone of the series."""
    friday, saturday = date(2026, 9, 4), date(2026, 9, 5)
    series = series_of(
        [("a", friday, 3_000_000_000), ("b", friday, 1_000_000_000), ("a", saturday, 500_000_000)]
    )
    assert spend.rhythm(series) == (
        "A workday with spending cost $4.00 on average, a day of a weekend $0.5000.",
    )
    assert spend.rhythm(series_of([("a", friday, 3)])) == ()


def test_a_notebook_opens_on_the_last_month_with_spending(tmp_path: Path) -> None:
    """When it is asked about no other."""
    august = step("a", started_us=DAY - 30 * DAY_US, context_id=CONTEXTS[0].context_id)
    path = write(tmp_path / "ledger.db", [august])
    books, period = opened(path)
    books.close()
    assert period == Period.month("2026-08")
    with Books(write(tmp_path / "empty.db", [])) as empty:
        assert last_month(empty).since is not None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"month": "2026-09", "since": "2026-09-01"},
            "expected either a month or a first and a last day, found both",
        ),
        ({"since": "2026-09-01"}, "expected both since and until, found 2026-09-01 alone"),
        ({"month": "September"}, "expected a month such as 2026-08, found 'September'"),
    ],
)
def test_a_wrong_period_is_said_to_be(tmp_path: Path, asked: dict[str, str], message: str) -> None:
    """And the ledger is given up."""
    path = write(tmp_path / "ledger.db", [])
    with pytest.raises(ValueError, match=message):
        opened(path, month=asked.get("month", ""), since=asked.get("since", ""), until=asked.get("until", ""))


def test_margins_are_of_whole_days(tmp_path: Path) -> None:
    """A period that ends at noon has none, and says so."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        noon = Period.between("2026-09-01", "2026-09-10T12:00:00Z")
        assert units.margins(books, noon) == (
            "Contracts are by the day, and this period is not of whole days: there is no margin to show.",
        )
        first, *_ = units.margins(books, Period.month("2026-09"))
        assert isinstance(first, str)
