"""A report of a ledger that is being written is of one moment: its rows and its totals are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, write
from spendgraph.ledger import Ledger
from spendgraph_reports.books import Books
from spendgraph_reports.chargeback import chargeback
from spendgraph_reports.economics import completion, margin, outcomes, unit_economics
from spendgraph_reports.efficiency import cache, waste
from spendgraph_reports.monthly import monthly
from spendgraph_reports.period import Period
from spendgraph_reports.report import Report
from spendgraph_reports.showback import drivers, showback

SEPTEMBER = Period.month("2026-09")
REPORTS: dict[str, Callable[[Books, Period], Report]] = {
    "cache": cache,
    "chargeback": chargeback,
    "completion": completion,
    "drivers": drivers,
    "margin": margin,
    "outcomes": outcomes,
    "showback": showback,
    "unit-economics": unit_economics,
    "waste": waste,
}


class Busy(Books):
    """Books of which a step is booked after every answer."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        super().__init__(path)
        self.booking = ledger
        self.booked = 0

    def seen(self, *args: Any, **options: Any) -> list[dict[str, Any]]:
        found = super().seen(*args, **options)
        self._book()
        return found

    def stream(self, *args: Any, **options: Any) -> Iterator[dict[str, Any]]:
        yield from super().stream(*args, **options)
        self._book()

    def _book(self) -> None:
        self.booked += 1
        self.booking.post(
            step(
                f"late-{self.booked}",
                context_id=CONTEXTS[0].context_id,
                started_us=DAY,
                cost_nanousd=7,
                is_replay=1,
            )
        )


def ledger(tmp_path: Path) -> Path:
    """A step of $1.00."""
    row = step(
        "a", context_id=CONTEXTS[0].context_id, started_us=DAY, cost_nanousd=1_000_000_000, is_replay=1
    )
    return write(tmp_path / "ledger.db", [row])


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_booked_meanwhile_is_in_no_part_of_a_report(name: str, tmp_path: Path) -> None:
    """Else its rows would not add up to its totals, and it would be refused."""
    path = ledger(tmp_path)
    with Ledger.open(path) as booking, Busy(path, booking) as books:
        report = REPORTS[name](books, SEPTEMBER)
        assert books.booked
        assert report.totals.get("cost_nanousd", 1_000_000_000) == 1_000_000_000
        assert books.doubts(SEPTEMBER).cost_nanousd == 1_000_000_000 + 7 * (books.booked - 1)


def test_all_of_a_month_is_of_one_moment(tmp_path: Path) -> None:
    """Its reports agree with its summary."""
    path = ledger(tmp_path)
    with Ledger.open(path) as booking, Busy(path, booking) as books:
        month = monthly(books, SEPTEMBER, now_us=DAY)
        assert {report.totals.get("cost_nanousd", 1_000_000_000) for report in month.reports.values()} == {
            1_000_000_000
        }
        assert month.summary[0].startswith("$1.00 was spent")


def test_a_moment_ends(tmp_path: Path) -> None:
    """Afterwards everything is seen again, and so it is when something failed inside."""
    path = ledger(tmp_path)
    with Ledger.open(path) as booking, Busy(path, booking) as books:
        with books.one_moment():
            with pytest.raises(ValueError, match="the rollups do not tell"), books.one_moment():
                books.rows(["tema"], SEPTEMBER)
            assert [books.doubts(SEPTEMBER).steps for _ in range(2)] == [1, 1]
        assert books.doubts(SEPTEMBER).steps == 3
        (counted,) = books.ask("SELECT count(*) AS steps FROM steps")
        assert counted["steps"] == 4
