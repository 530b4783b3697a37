"""Rows to write into ledgers under test."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from spendgraph.context import CostContext
from spendgraph.ledger import ContextRow, StepRow, TaskStart

START_US = 1_790_000_000_000_000
"""2026-09-21T14:13:20Z, a start."""

PYTHON = sys.executable


def context_row(**tags: Any) -> ContextRow:
    """The row of a context with these tags."""
    context = CostContext(**tags)
    values = {
        name: getattr(context, name) for name in ContextRow._fields if name not in {"context_id", "extra"}
    }
    return ContextRow(context_id=context.context_id, extra=context.extra_json, **values)


ACME = context_row(feature="triage", team="support", tenant="acme", environment="production")
GLOBEX = context_row(feature="search", team="growth", tenant="globex", environment="production")


def task(task_id: str = "task-1", **columns: Any) -> TaskStart:
    """A task of acme's."""
    values: dict[str, Any] = {
        "task_id": task_id,
        "parent_task_id": None,
        "context_id": ACME.context_id,
        "thread_id": "",
        "graph": "",
        "started_us": START_US,
        **columns,
    }
    return TaskStart(**values)


def step(step_id: str = "", **columns: Any) -> StepRow:
    """A model step of acme's that cost 5,000 nano-USD."""
    values: dict[str, Any] = {
        "step_id": step_id or os.urandom(16).hex(),
        "task_id": "task-1",
        "kind": "model",
        "context_id": ACME.context_id,
        "started_us": START_US,
        "ended_us": START_US + 1_500_000,
        "recorded_us": START_US + 1_500_001,
        "input_tokens": 10,
        "output_tokens": 4,
        "cost_nanousd": 5_000,
        **columns,
    }
    return StepRow(**values)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds, in a connection of its own."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def change(path: Path, *statements: str) -> None:
    """Change a ledger behind its back."""
    connection = sqlite3.connect(path)
    try:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def step_ids(path: Path) -> set[str]:
    """The ids of every step in the file."""
    return {step_id for (step_id,) in rows(path, "SELECT step_id FROM steps")}
