"""The formats an invoice can have, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spendgraph_reports.reconcile.anthropic import read_anthropic
from spendgraph_reports.reconcile.lines import InvoiceLine
from spendgraph_reports.reconcile.mapped import ColumnMap, read_mapped
from spendgraph_reports.reconcile.openai import read_openai
from spendgraph_reports.reconcile.tables import TextFile, read_file

FORMATS: Final = ("openai", "anthropic", "csv")
"""Of the first two costs and usage, CSV and JSON are told apart by what the file says."""

PROVIDERS: Final = {"openai": "openai", "anthropic": "anthropic"}
"""Whose the export is, where its format says so, as the ledger names it."""


def read_invoice(path: Path, form: str, columns: ColumnMap | None = None) -> list[InvoiceLine]:
    """The lines of a file.

    Args:
        path: The file.
        form: One of `FORMATS`.
        columns: Which column is what, for `csv`.

    Raises:
        InputError: The file cannot be read, or does not say what it should; it names the place.
        ValueError: There is no such format, or `csv` comes without columns.
    """
    return lines_of(read_file(path), form, columns)


def lines_of(file: TextFile, form: str, columns: ColumnMap | None = None) -> list[InvoiceLine]:
    """The lines of a file that is read already; as `read_invoice`."""
    if form not in FORMATS:
        raise ValueError(f"expected a format ({', '.join(FORMATS)}), found {form!r}")
    if form == "openai":
        return list(read_openai(file.text, file.name))
    if form == "anthropic":
        return list(read_anthropic(file.text, file.name))
    if columns is None:
        raise ValueError("expected a column map for the format csv, such as cost=Amount")
    return list(read_mapped(file.text, file.name, columns))
