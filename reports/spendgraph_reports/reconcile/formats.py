"""The formats an invoice can have, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spendgraph_reports.reconcile.anthropic import read_anthropic
from spendgraph_reports.reconcile.lines import InvoiceLine
from spendgraph_reports.reconcile.mapped import ColumnMap, read_mapped
from spendgraph_reports.reconcile.openai import read_openai
from spendgraph_reports.reconcile.tables import read_text

FORMATS: Final = ("openai", "anthropic", "csv")
"""Of the first two costs and usage, CSV and JSON are told apart by what the file says."""


def read_invoice(path: Path, form: str, columns: ColumnMap | None = None) -> list[InvoiceLine]:
    """The lines of a file.

    Args:
        path: The file.
        form: One of `FORMATS`.
        columns: Which column is what, for `csv`.

    Raises:
        InvoiceError: The file cannot be read, or does not say what it should; it names the place.
        ValueError: There is no such format, or `csv` comes without columns.
    """
    if form not in FORMATS:
        raise ValueError(f"expected a format ({', '.join(FORMATS)}), found {form!r}")
    text = read_text(path)
    if form == "openai":
        return list(read_openai(text, str(path)))
    if form == "anthropic":
        return list(read_anthropic(text, str(path)))
    if columns is None:
        raise ValueError("expected a column map for the format csv, such as cost=Amount")
    return list(read_mapped(text, str(path), columns))
