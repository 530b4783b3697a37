"""Imported invoices beside the ledger, in a report that adds up."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES, spending, write
from reporting.priced import prune
from spendgraph.ledger import ImportedFile, Invoice, InvoiceLineRow, Ledger, StepRow
from spendgraph_reports.books import Books
from spendgraph_reports.imports import import_invoice
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.reconcile import ColumnMap, reconcile_imported
from spendgraph_reports.reconcile.invoices import COLUMNS as OF_INVOICES
from spendgraph_reports.reconcile.invoices import invoices
from spendgraph_reports.rendering import shown

SEPTEMBER = Period.month("2026-09")


COLUMNS = tuple(column.name for column in OF_INVOICES)
PARTS = ("owned_nanousd", "unattributed_nanousd", "residual_nanousd")


@st.composite
def billed(draw: st.DrawFn) -> list[Invoice]:
    """September's invoices of some providers, one of whom the ledger never heard of; credits among their lines."""
    return [
        Invoice(provider, "2026-09", "csv", [InvoiceLineRow(day, model, "", 1, cost) for (day, model), cost in lines.items()])
        for provider in draw(st.sets(st.sampled_from(["openai", "anthropic", "mistral"])))
        for lines in [
            draw(
                st.dictionaries(
                    st.tuples(st.sampled_from(["2026-09-01", "2026-09-21", "2026-09-30"]), st.sampled_from(["gpt-5", "claude"])),
                    st.integers(-(10**9), 10**13),
                    min_size=1,
                )
            )
        ]
    ]  # fmt: skip


@settings(max_examples=6)
@given(spending(), billed(), st.sampled_from(ZONES), st.booleans(), st.booleans())
def test_every_dollar_of_an_invoice_is_in_one_column(
    rows: list[StepRow], bills: list[Invoice], zone: str, roll: bool, is_pruned: bool
) -> None:
    """What the ledger has of a provider's UTC month, with an owner and without, and the rest; pruned steps are in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "ledger.db"), rows, roll=roll)
        with Ledger.open(path) as ledger:
            for bill in bills:
                ledger.intake.invoice(bill, [ImportedFile(f"{bill.provider}.csv", "0" * 64)])
        if is_pruned:
            prune(path, DAY)
        with Books(path, zone=zone) as books:
            report = invoices(books, Period.month("2026-09", zone))
        compared = [reconcile_imported(path, bill.provider, "2026-09") for bill in bills]
    found = {row["provider"]: row for row in report.frame.to_dict("records")}
    assert found.keys() == {bill.provider for bill in bills}
    for bill, one in zip(bills, compared, strict=True):
        mine = [row for row in rows if row.provider == bill.provider and row.started_us in SEPTEMBER]
        total = sum(line.cost_nanousd or 0 for line in bill.lines)
        owned = sum(row.cost_nanousd for row in mine if not row.missing_tags)
        unattributed = sum(row.cost_nanousd for row in mine if row.missing_tags)
        parts = (owned, unattributed, total - owned - unattributed)
        assert tuple(found[bill.provider][name] for name in PARTS) == parts
        assert found[bill.provider]["invoice_nanousd"] == total
        assert (sum(row.invoice for row in one.rows), sum(row.ledger for row in one.rows)) == (
            total,
            owned + unattributed,
        )
        assert sum(row.difference for row in one.rows) == one.residual


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
    total = dict(zip(COLUMNS, shown(report).total or [], strict=True))
    assert (total["invoice_nanousd"], total["invoice_tokens"]) == ("$27.74", "")  # no usage export, no tokens


def test_pruning_changes_no_row_of_a_reconciliation(tmp_path: Path) -> None:
    """The rollups know what was spent of a month whose steps are gone, by day and model, with what is doubtful in it."""
    base = {"provider": "openai", "context_id": CONTEXTS[0].context_id, "started_us": DAY}
    path = write(
        tmp_path / "ledger.db",
        [
            step("a", **base, model="gpt-5", cost_nanousd=5_000_000_000),
            step("b", **base, model="gpt-5", cost_nanousd=2_000_000_000, cost_basis="upper_bound"),
            step("c", **base, model="gpt-5", cost_nanousd=0, status="cache_hit"),
            step("d", **base, kind="tool", name="search", cost_nanousd=1_000_000_000, missing_tags="team"),
            step("e", **base, model="new", cost_nanousd=0, cost_basis="unpriced"),
            step("f", **{**base, "started_us": DAY + 40 * DAY_US}),
        ],
    )
    file = tmp_path / "openai.csv"
    file.write_text("cost,model,day\n9.00,gpt-5,2026-09-21\n0.50,new,2026-09-21\n")
    columns = ColumnMap.of({"cost": "cost", "model": "model", "day": "day"})
    with Ledger.open(path) as books:
        import_invoice(books, [file], "csv", "2026-09", provider="openai", columns=columns)
    before = reconcile_imported(path, "openai", "2026-09").document()
    prune(path, DAY + 30 * DAY_US)
    assert reconcile_imported(path, "openai", "2026-09").document() == before
    assert [
        (row["model"], row["ledger_nanousd"], row["estimated_nanousd"], row["cause"])
        for row in before["rows"]
    ] == [
        ("gpt-5", 7_000_000_000, 2_000_000_000, "within estimates"),
        ("search", 1_000_000_000, 0, "not on the invoice"),
        ("new", 0, 0, "no price"),
    ]


def test_without_an_invoice_it_says_so(ledger: Path) -> None:
    """Nothing was compared: that is no good news."""
    with Books(ledger) as books:
        report = invoices(books, SEPTEMBER)
    assert report.is_empty
    assert report.findings == (
        "No invoice of this period was imported: nothing says what went around the meter.",
    )
