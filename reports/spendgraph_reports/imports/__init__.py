"""Imports: the files of finance (contracts, plans, invoices) read strictly, and kept in the ledger as versions."""

from __future__ import annotations

from spendgraph_reports.imports.invoices import ImportedLines, import_invoice
from spendgraph_reports.imports.lists import DecimalMark, import_contracts, import_plans

__all__ = ["DecimalMark", "ImportedLines", "import_contracts", "import_invoice", "import_plans"]
