"""Reconciliation: a provider's invoice or usage export beside the ledger, and the rows that explain the difference."""

from __future__ import annotations

from spendgraph_reports.reconcile.compare import Reconciliation, Row, reconcile
from spendgraph_reports.reconcile.formats import FORMATS, read_invoice
from spendgraph_reports.reconcile.imported import imported_invoice, reconcile_imported
from spendgraph_reports.reconcile.lines import InvoiceLine, Tokens
from spendgraph_reports.reconcile.mapped import ColumnMap

__all__ = [
    "FORMATS",
    "ColumnMap",
    "InvoiceLine",
    "Reconciliation",
    "Row",
    "Tokens",
    "imported_invoice",
    "read_invoice",
    "reconcile",
    "reconcile_imported",
]
