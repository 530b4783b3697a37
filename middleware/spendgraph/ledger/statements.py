"""The SQL of every record, made once: a record is its statement's parameter row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from spendgraph.ledger.asks import ROLLING_PARTS
from spendgraph.ledger.records import (
    ContextRow,
    DecisionRow,
    PriceRow,
    StepRow,
    TaskEnd,
    TaskOutcome,
    TaskStart,
)

if TYPE_CHECKING:
    import sqlite3

Execute = Callable[..., "sqlite3.Cursor"]
"""Runs a statement in a transaction that somebody else begins and commits."""


def _insert(table: str, key: str, columns: tuple[str, ...], rows: int = 1) -> str:
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT ({key}) DO NOTHING"  # noqa: S608 - names are this package's own


_INSERT_TASK = """\
INSERT INTO tasks (task_id, parent_task_id, context_id, thread_id, graph, status, resumable, outcome, started_us)
VALUES (?1, ?2, ?3, ?4, ?5, 'running', 1, '', ?6)
ON CONFLICT (task_id) DO """

_TASK_START = f"""\
{_INSERT_TASK}UPDATE SET
  status = 'running', resumable = 1, ended_us = NULL,
  thread_id = CASE WHEN thread_id = '' THEN excluded.thread_id ELSE thread_id END,
  graph = CASE WHEN thread_id = '' THEN excluded.graph ELSE graph END"""

# LangGraph drops a thread's pending work when a new input arrives: its older root tasks, and what they
# opened, can no longer go on. Only of the same payer and feature: two graphs without names of their own may share a
# thread's id, and one must not end the other's tasks. A failure stays a failure; only what was still under way becomes cancelled.
_SUPERSEDE = """\
UPDATE tasks SET
  resumable = 0,
  ended_us = coalesce(ended_us, ?6),
  status = CASE WHEN status IN ('running', 'paused') THEN 'cancelled' ELSE status END
WHERE ?2 IS NULL AND ?4 <> ''
  AND resumable = 1 AND thread_id = ?4 AND thread_id <> '' AND graph = ?5
  AND task_id <> ?1 AND parent_task_id IS NOT ?1
  AND EXISTS (
    SELECT 1 FROM contexts AS older JOIN contexts AS newer ON newer.context_id = ?3
    WHERE older.context_id = tasks.context_id AND older.tenant = newer.tenant AND older.user = newer.user
      AND older.feature = newer.feature AND older.team = newer.team
  )
  AND started_us <= (SELECT started_us FROM tasks WHERE task_id = ?1)"""

# A finished task too stays the one its thread goes on with, until a new input supersedes it: a run that stopped
# at a static breakpoint (`interrupt_before`) ends like any other.
_TASK_END = "UPDATE tasks SET status = ?2, ended_us = ?3 WHERE task_id = ?1"

_TASK_OUTCOME = "UPDATE tasks SET outcome = ?2, value_nanousd = ?3 WHERE task_id = ?1"

INSERT_STEP: Final = _insert("steps", "step_id", StepRow._fields)

# In strict mode there is none; in expected mode it says that the window is closed, and by how much.
OVERRUN: Final = f"""\
INSERT INTO decisions (decision_id, kind, outcome, reason, task_id, step_id, context_id, detail, decided_us)
SELECT ?1 || '/overrun/' || o.window_id, 'budget', 'overrun',
  'a call cost more than was held for it, and budget ' || o.budget || ' is spent beyond its limit', ?2, ?1, ?3,
  json_object('budget', o.budget, 'scope', o.scope, 'overrun_nanousd', min(o.spent_nanousd - o.limit_amount, ?5)), ?4
FROM (
  SELECT w.window_id, w.budget, w.scope, b.unit, b.limit_amount,
    CASE WHEN b.period LIKE 'rolling %' THEN (
      SELECT sum(p.spent_nanousd) FROM windows AS p WHERE p.budget = w.budget AND p.scope = w.scope
        AND p.start_us BETWEEN w.start_us - {ROLLING_PARTS} * (w.end_us - w.start_us) AND w.start_us
    ) ELSE w.spent_nanousd END AS spent_nanousd
  FROM windows AS w JOIN budgets AS b ON b.budget = w.budget
  WHERE w.window_id = ?6 ORDER BY b.version DESC LIMIT 1
) AS o
WHERE o.unit = 'nanousd' AND o.spent_nanousd > o.limit_amount
ON CONFLICT DO NOTHING"""  # noqa: S608 - names are this package's own

STATEMENTS: Final[dict[type, tuple[str, ...]]] = {
    StepRow: (INSERT_STEP,),
    ContextRow: (_insert("contexts", "context_id", ContextRow._fields),),
    PriceRow: (_insert("prices", "price_id", PriceRow._fields),),
    DecisionRow: (_insert("decisions", "decision_id", DecisionRow._fields),),
    TaskStart: (_TASK_START, _SUPERSEDE),
    TaskEnd: (_TASK_END,),
    TaskOutcome: (_TASK_OUTCOME,),
}
"""The statements that write each type of record, with the record as their parameters."""

STEPS_AT_ONCE: Final[dict[int, str]] = {
    rows: _insert("steps", "step_id", StepRow._fields, rows) for rows in (256, 128, 64, 32, 16, 8, 4, 2)
}
"""Statements that write so many steps each, the longest first.

sqlite3 releases the interpreter's lock around each statement, and a thread beside a busy event loop waits
milliseconds to get it back: few statements mean that the ledger's write lock is held briefly.
"""

AGAIN: Final[dict[type, tuple[str, ...]]] = {**STATEMENTS, TaskStart: (f"{_INSERT_TASK}NOTHING",)}
"""The same for records that may have been written before: a task that has ended since is not begun again."""
