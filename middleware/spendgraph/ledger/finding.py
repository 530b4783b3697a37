"""Finding a task by what a person types: the start of its id, or nothing for the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendgraph.ledger.reader import LedgerReader

_BY_START = """\
SELECT task_id FROM tasks WHERE substr(task_id, 1, length(?1)) = ?1
ORDER BY task_id <> ?1, started_us DESC, task_id LIMIT ?2"""

_LATEST = "SELECT task_id FROM tasks WHERE parent_task_id IS NULL ORDER BY started_us DESC, task_id LIMIT 1"

_REFUSED = """\
WITH RECURSIVE below(task_id) AS (
  VALUES (?) UNION SELECT t.task_id FROM tasks AS t JOIN below ON t.parent_task_id = below.task_id
)
SELECT count(*) FROM decisions WHERE outcome = 'refused' AND task_id IN (SELECT task_id FROM below)"""


def find_tasks(reader: LedgerReader, start: str, *, limit: int = 10) -> list[str]:
    """Ids of tasks that begin with `start`, a full match first, then the latest first."""
    with reader._reading() as connection:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the same room
        return [task_id for (task_id,) in connection.execute(_BY_START, (start, limit))]


def count_refused(reader: LedgerReader, task_id: str) -> int:
    """How many calls were refused in a task and in the tasks below it."""
    with reader._reading() as connection:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the same room
        return int(connection.execute(_REFUSED, (task_id,)).fetchone()[0])


def latest_task(reader: LedgerReader) -> str | None:
    """Id of the task of a user that started last; `None` in a ledger without tasks."""
    with reader._reading() as connection:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the same room
        row = connection.execute(_LATEST).fetchone()
        return None if row is None else str(row[0])
