"""Finding the task that a resumed thread goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spendgraph.ledger.records import ContextRow

if TYPE_CHECKING:
    import sqlite3


class PausedTask(NamedTuple):
    """An unfinished task.

    Attributes:
        task_id: Its id.
        context: Its tags.
        started_us: When it started.
        paid: How many steps it has paid for, by checkpoint namespace and kind, replays left out: paying as
            many again, there, is a replay.
    """

    task_id: str
    context: ContextRow
    started_us: int
    paid: dict[tuple[str, str], int]


_COLUMNS = ", ".join(f"c.{name}" for name in ContextRow._fields)

# A task opened inside another one of the same thread goes on with that one.
_FIND = f"""\
WITH open AS (
  SELECT task_id, parent_task_id, context_id, started_us, status FROM tasks
  WHERE resumable = 1 AND thread_id <> '' AND thread_id = ? AND graph = ?
)
SELECT open.status = 'finished', open.task_id, open.started_us, {_COLUMNS}
FROM open JOIN contexts AS c ON c.context_id = open.context_id
WHERE parent_task_id IS NULL OR parent_task_id NOT IN (SELECT task_id FROM open)
LIMIT 64"""  # noqa: S608 - names are this package's own

# What is paid again is what ran last: the latest steps are enough, and keep the answer quick for any task.
_PAID = """\
SELECT checkpoint_ns, kind, count(*) FROM (
  SELECT checkpoint_ns, kind, entry, is_replay FROM steps WHERE task_id = ? ORDER BY seq DESC LIMIT 2000
)
WHERE checkpoint_ns <> '' AND entry = 'charge' AND is_replay = 0
GROUP BY checkpoint_ns, kind"""


def find_unfinished(connection: sqlite3.Connection, graph: str, thread_id: str) -> PausedTask | None:
    """The one task that a thread goes on with; `None` when there is none, or more than one.

    An unfinished one, or where none is unfinished a finished one: see
    docs/decisions/0002-resume-goes-on-with-the-threads-last-task.md.
    """
    rows = connection.execute(_FIND, (thread_id, graph)).fetchall()
    candidates = [row for row in rows if not row[0]] or rows
    if len(candidates) != 1:
        return None
    _, task_id, started_us, *tags = candidates[0]
    paid = {(namespace, kind): n for namespace, kind, n in connection.execute(_PAID, (task_id,))}
    return PausedTask(task_id, ContextRow(*tags), started_us, paid)
