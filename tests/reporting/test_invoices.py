"""Imported invoices beside the ledger, in a report that adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, write
from spendgraph.ledger import Ledger
from spendgraph_reports.books import Books
from spendgraph_reports.imports import import_invoice
from spendgraph_reports.period import Period
from spendgraph_reports.reconcile import ColumnMap
from spendgraph_reports.reconcile.invoices import invoices

SEPTEMBER = Period.month("2026-09")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """$26.00 of support's and $0.74 of nobody's, at OpenAI."""
    return write(
        tmp_path / "ledger.db",
        [
            step(
                "a",
                context_id=CONTEXTS[0].context_id,
                started_us=DAY,
                cost_nanousd=26_000_000_000,
                provider="openai",
            ),
            step(
                "b",
                context_id=CONTEXTS[5].context_id,
                started_us=DAY,
                cost_nanousd=740_000_000,
                provider="openai",
                missing_tags="team",
            ),
        ],
    )


def bill(folder: Path, ledger: Path, provider: str, amount: str) -> None:
    """Import an invoice of one line."""
    file = folder / f"{provider}.csv"
    file.write_text(f"cost\n{amount}\n")
    with Ledger.open(ledger) as books:
        import_invoice(
            books, [file], "csv", "2026-09", provider=provider, columns=ColumnMap.of({"cost": "cost"})
        )


def test_a_residual_is_a_line_of_its_own(ledger: Path, tmp_path: Path) -> None:
    """An invoice of $770.00 beside a ledger of $26.74: $743.26 are nobody's, and spread over nobody."""
    bill(tmp_path, ledger, "openai", "770.00")
    with Books(ledger) as books:
        report = invoices(books, SEPTEMBER)
    (row,) = report.frame.to_dict("records")
    assert (row["invoice_nanousd"], row["owned_nanousd"]) == (770_000_000_000, 26_000_000_000)
    assert (row["unattributed_nanousd"], row["residual_nanousd"]) == (740_000_000, 743_260_000_000)
    assert row["is_flagged"]
    assert report.findings == (
        "1 of 1 invoice missed the goal: at most 5 % without an owner.",
        "openai 2026-09: $744.00 without an owner, 96.6 %.",
    )


def test_an_invoice_that_has_an_owner_is_not_flagged(ledger: Path, tmp_path: Path) -> None:
    """2.8 percent are unattributed; another provider's invoice that the ledger knows nothing of comes first."""
    bill(tmp_path, ledger, "openai", "26.74")
    bill(tmp_path, ledger, "anthropic", "1.00")
    with Books(ledger) as books:
        report = invoices(books, SEPTEMBER)
    assert [(row["provider"], row["is_flagged"]) for row in report.frame.to_dict("records")] == [
        ("anthropic", True),
        ("openai", False),
    ]
    assert report.totals["invoice_nanousd"] == 27_740_000_000


def test_without_an_invoice_it_says_so(ledger: Path) -> None:
    """Nothing was compared: that is no good news."""
    with Books(ledger) as books:
        report = invoices(books, SEPTEMBER)
    assert report.is_empty
    assert report.findings == (
        "No invoice of this period was imported: nothing says what went around the meter.",
    )
