"""The books: an append-only SQLite ledger of every step. The only room that opens a database."""

from __future__ import annotations

from spendgraph.ledger.asks import Ask, Envelope, Guard, Hold, Opening, Shortfall, Want
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.budgets import BudgetRow
from spendgraph.ledger.imported import ContractRow, InvoiceLineRow, InvoiceRow, PlanRow
from spendgraph.ledger.intake import Imported, ImportedFile, Invoice
from spendgraph.ledger.ledger import Ledger
from spendgraph.ledger.reader import LedgerReader
from spendgraph.ledger.records import (
    ContextRow,
    CostBasis,
    DecisionRow,
    Entry,
    EnvelopeRelease,
    HeldStep,
    HoldRelease,
    PriceRow,
    Record,
    StepKind,
    StepRow,
    StepStatus,
    TaskEnd,
    TaskOutcome,
    TaskStart,
    TaskStatus,
    UnheldStep,
)
from spendgraph.ledger.resume import PausedTask
from spendgraph.ledger.tree import TaskTree
from spendgraph.ledger.verify import Problem

__all__ = [
    "Ask",
    "Blocked",
    "BudgetRow",
    "ContextRow",
    "ContractRow",
    "CostBasis",
    "DecisionRow",
    "Entry",
    "Envelope",
    "EnvelopeRelease",
    "Guard",
    "HeldStep",
    "Hold",
    "HoldRelease",
    "Imported",
    "ImportedFile",
    "Invoice",
    "InvoiceLineRow",
    "InvoiceRow",
    "Ledger",
    "LedgerReader",
    "Opening",
    "PausedTask",
    "PlanRow",
    "PriceRow",
    "Problem",
    "Record",
    "Shortfall",
    "StepKind",
    "StepRow",
    "StepStatus",
    "TaskEnd",
    "TaskOutcome",
    "TaskStart",
    "TaskStatus",
    "TaskTree",
    "UnheldStep",
    "Want",
]
