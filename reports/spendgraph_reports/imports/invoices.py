"""Invoices and usage exports, kept for the month they are of.

Lines of one day, model and item are added up: what else tells them apart (a project, a key) is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spendgraph.ledger import Imported, ImportedFile, Invoice, InvoiceLineRow, Ledger
from spendgraph_reports.errors import InputError
from spendgraph_reports.period import Period
from spendgraph_reports.reconcile import ColumnMap, InvoiceLine
from spendgraph_reports.reconcile.formats import PROVIDERS, lines_of
from spendgraph_reports.reconcile.tables import TextFile, read_file


@dataclass(frozen=True, slots=True)
class ImportedLines:
    """What became of an invoice.

    Attributes:
        imported: Its import.
        invoice: What was kept.
    """

    imported: Imported
    invoice: Invoice


def import_invoice(
    ledger: Ledger,
    paths: Sequence[Path],
    form: str,
    month: str,
    *,
    provider: str | None = None,
    columns: ColumnMap | None = None,
    by: str = "",
) -> ImportedLines:
    """Keep an invoice, or a usage export, as the newest one of its provider and month; the same files again change nothing.

    Args:
        ledger: Where it is kept.
        paths: The files it stands in; they bill dollars, or all count tokens.
        form: One of `FORMATS`.
        month: The month, such as `2026-08`, in UTC; lines of other months are left out and counted.
        provider: Whose it is, as the ledger names it; without it as the format says.
        columns: Which column is what, for `csv`.
        by: Who brings it in.

    Raises:
        InputError: A file does not say what it should; nothing is kept.
        ValueError: There is no such format or month, or nobody says whose it is.
        LedgerUnavailable: The ledger cannot be written; nothing is kept.
    """
    Period.month(month)
    whose = provider or PROVIDERS.get(form)
    if not whose:
        raise ValueError(f"expected the provider of an invoice in the format {form}, found none")
    files = _each_once(paths)
    lines: list[InvoiceLine] = []
    for file in files:
        found = lines_of(file, form, columns)
        _expect_one_unit([*lines[:1], *found], file)
        lines += found
    within = [line for line in lines if line.day is None or line.day.isoformat().startswith(f"{month}-")]
    if not within:
        days = sorted(line.day for line in lines if line.day is not None)
        there = f"days from {days[0]} to {days[-1]}" if days else "none"
        raise InputError(", ".join(file.name for file in files), expected=f"lines of {month}", found=there)
    invoice = Invoice(whose, month, form, _added_up(within), len(lines) - len(within))
    sources = [ImportedFile(file.plain_name, file.sha256) for file in files]
    return ImportedLines(ledger.intake.invoice(invoice, sources, by=by), invoice)


def _each_once(paths: Sequence[Path]) -> list[TextFile]:
    """The files; the same one twice would be counted twice."""
    files: dict[str, TextFile] = {}
    for path in paths:
        file = read_file(path)
        if file.sha256 in files:
            raise InputError(
                file.name, expected="another file", found=f"the same as {files[file.sha256].name}"
            )
        files[file.sha256] = file
    return list(files.values())


def _expect_one_unit(lines: Sequence[InvoiceLine], file: TextFile) -> None:
    """See that nothing is billed in one line and counted in another: that would be two invoices."""
    if lines and any((line.cost_nanousd is None) != (lines[0].cost_nanousd is None) for line in lines):
        raise InputError(
            file.name,
            expected="files of dollars or files of tokens: import a usage export by itself",
            found="both",
        )


def _added_up(lines: Iterable[InvoiceLine]) -> list[InvoiceLineRow]:
    """One row for each day, model and item."""
    rows: dict[tuple[str, str, str], InvoiceLineRow] = {}
    for line in lines:
        day = "" if line.day is None else line.day.isoformat()
        key = (day, line.model, line.item)
        tokens = (None,) * 5 if line.tokens is None else line.tokens
        more = InvoiceLineRow(*key, 1, line.cost_nanousd, *tokens)
        rows[key] = more if key not in rows else _sum(rows[key], more)
    return [rows[key] for key in sorted(rows)]


def _sum(one: InvoiceLineRow, other: InvoiceLineRow) -> InvoiceLineRow:
    numbers = (
        None if mine is None or theirs is None else mine + theirs
        for mine, theirs in zip(one[4:], other[4:], strict=True)
    )
    return InvoiceLineRow(one.day, one.model, one.item, one.lines + other.lines, *numbers)
