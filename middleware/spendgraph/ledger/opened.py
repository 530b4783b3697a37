"""Questions to the tasks as they were opened: those in which nothing was ever booked, and which opened which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spendgraph.ledger.columns import TAGS, Parameters, expression, names
from spendgraph.ledger.rolled_tasks import OWN

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_END: Final = 2**62

_WITHOUT_STEPS: Final = """\
FROM tasks AS t JOIN contexts AS c ON c.context_id = t.context_id
WHERE t.started_us >= ? AND t.started_us < ?
  AND NOT EXISTS (SELECT 1 FROM rollup_tasks AS r WHERE r.task_id = t.task_id)
  AND NOT EXISTS (SELECT 1 FROM steps AS s WHERE s.task_id = t.task_id)
ORDER BY t.started_us, t.task_id"""

# From each child up, one parent at a time; a parent that nobody has announced is no task. Tasks that claim to have opened each other
# have no root: UNION, not UNION ALL, ends their circle.
_ROOTS: Final = """\
WITH RECURSIVE up(task_id, root_id) AS (
  SELECT t.task_id, p.task_id FROM tasks AS t JOIN tasks AS p ON p.task_id = t.parent_task_id
  UNION
  SELECT up.task_id, g.task_id
  FROM up JOIN tasks AS p ON p.task_id = up.root_id JOIN tasks AS g ON g.task_id = p.parent_task_id
)"""
_OF_ROOTS: Final = """\
FROM up JOIN tasks AS t ON t.task_id = up.root_id JOIN contexts AS c ON c.context_id = t.context_id
WHERE NOT EXISTS (SELECT 1 FROM tasks AS g WHERE g.task_id = t.parent_task_id)"""


def read_without_steps(
    connection: sqlite3.Connection, columns: Sequence[str], since: int | None, until: int | None
) -> list[dict[str, Any]]:
    """Tasks in which nothing was booked; see `LedgerReader.tasks_without_steps`.

    Raises:
        ValueError: There is no such name.
    """
    selected, parameters = _selected(columns)
    found = connection.execute(
        f"SELECT {selected} {_WITHOUT_STEPS}",
        [*parameters, 0 if since is None else since, _END if until is None else until],
    )
    return [dict(row) for row in found]


def read_roots(connection: sqlite3.Connection, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The outermost task of every child task; see `LedgerReader.task_roots`.

    Raises:
        ValueError: There is no such name.
    """
    selected, parameters = _selected(("task_id", *columns))
    found = connection.execute(f"{_ROOTS} SELECT up.task_id AS child_, {selected} {_OF_ROOTS}", parameters)
    roots = [dict(row) for row in found]
    return {row.pop("child_"): row for row in roots}


def _selected(columns: Sequence[str]) -> tuple[str, Parameters]:
    selected, parameters = list[str](), Parameters()
    for name in names(columns):
        sql, own = _expression(name)
        selected.append(f'{sql} AS "{name}"')
        parameters += own
    return ", ".join(selected), parameters


def _expression(name: str) -> tuple[str, Parameters]:
    if name in {"task_id", "context_id", "started_us", "ended_us", *OWN}:
        return f"t.{name}", []
    if name in TAGS or name.startswith("extra."):
        return expression(name)
    known = ", ".join(["task_id", "context_id", "started_us", "ended_us", *OWN, *TAGS, "extra.<key>"])
    raise ValueError(f"a task has no column {name!r}; it has {known}")
