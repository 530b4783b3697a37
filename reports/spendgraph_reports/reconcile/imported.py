"""An invoice that was imported, as the lines that a comparison takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from spendgraph.ledger import InvoiceLineRow, InvoiceRow, Ledger
from spendgraph_reports.errors import NotImported
from spendgraph_reports.period import Period
from spendgraph_reports.reconcile.compare import Reconciliation, reconcile
from spendgraph_reports.reconcile.lines import InvoiceLine, Tokens


@dataclass(frozen=True, slots=True)
class ImportedInvoice:
    """An invoice that the ledger has.

    Attributes:
        row: Whose, of which month, and when it was imported.
        lines: What it says.
    """

    row: InvoiceRow
    lines: Sequence[InvoiceLine]


def imported_invoice(ledger: str | Path, provider: str, month: str) -> ImportedInvoice:
    """The newest import of a provider's month: what it bills or, where only a usage export was imported, what it counts.

    Raises:
        NotImported: There is none.
        LedgerError: It is not a ledger of this version.
    """
    with Ledger.open_readonly(ledger) as reader:
        found = {row.unit: row for row in reader.invoices(provider=provider, month=month)}
        row = found.get("nanousd") or found.get("tokens")
        if row is None:
            there = ", ".join(f"{other.provider} {other.month}" for other in reader.invoices())
            raise NotImported(
                f"expected an imported invoice of {provider} for {month}, found {there or 'none at all'}: bring it in with"
                " `spendgraph import invoice`"
            )
        return ImportedInvoice(row, [_line(line) for line in reader.invoice_lines(row.import_id)])


def reconcile_imported(ledger: str | Path, provider: str, month: str) -> Reconciliation:
    """Compare the newest imported invoice of a provider's month with what the ledger has of the provider in it.

    Raises:
        ValueError: The month is none.
        NotImported: No such invoice was imported.
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        QueryError: DuckDB failed.
        LedgerError: It is not a ledger in a file, or not of this version.
    """
    period = Period.month(month)
    invoice = imported_invoice(ledger, provider, month)
    return reconcile(ledger, invoice.lines, period, provider=provider)


def _line(row: InvoiceLineRow) -> InvoiceLine:
    counts = [count for count in row.tokens if count is not None]
    return InvoiceLine(
        model=row.model,
        day=date.fromisoformat(row.day) if row.day else None,
        cost_nanousd=row.cost_nanousd,
        tokens=Tokens(*counts) if counts else None,
        item=row.item,
    )
