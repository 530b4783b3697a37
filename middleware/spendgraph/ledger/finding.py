"""Finding a task by what a person types: the start of its id, or nothing for the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendgraph.ledger.reader import LedgerReader

_BY_START = """\
SELECT task_id FROM tasks WHERE substr(task_id, 1, length(?1)) = ?1
ORDER BY task_id <> ?1, started_us DESC, task_id LIMIT ?2"""

_LATEST = "SELECT task_id FROM tasks WHERE parent_task_id IS NULL ORDER BY started_us DESC, task_id LIMIT 1"


def find_tasks(reader: LedgerReader, start: str, *, limit: int = 10) -> list[str]:
    """Ids of tasks that begin with `start`, a full match first, then the latest first."""
    with reader._reading() as connection:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the same room
        return [task_id for (task_id,) in connection.execute(_BY_START, (start, limit))]


def latest_task(reader: LedgerReader) -> str | None:
    """Id of the task of a user that started last; `None` in a ledger without tasks."""
    with reader._reading() as connection:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the same room
        row = connection.execute(_LATEST).fetchone()
        return None if row is None else str(row[0])
