"""What finished tasks have cost, for whoever has to guess what the next one will."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

# The latest steps lead to the latest tasks, however large the ledger is. A task counts with what it has opened; one that was opened
# by another of the same feature is part of that one.
_COSTS: Final = """\
WITH RECURSIVE
latest(task_id) AS (SELECT DISTINCT task_id FROM (SELECT task_id FROM steps ORDER BY seq DESC LIMIT 20000)),
seen(task_id) AS (
  SELECT task_id FROM latest
  UNION
  SELECT t.parent_task_id FROM seen JOIN tasks AS t ON t.task_id = seen.task_id WHERE t.parent_task_id IS NOT NULL
),
tops(task_id) AS (
  SELECT t.task_id
  FROM seen
  JOIN tasks AS t ON t.task_id = seen.task_id
  JOIN contexts AS c ON c.context_id = t.context_id
  LEFT JOIN tasks AS p ON p.task_id = t.parent_task_id
  LEFT JOIN contexts AS pc ON pc.context_id = p.context_id
  WHERE c.feature = ?1 AND t.status = 'finished' AND pc.feature IS NOT ?1
  ORDER BY t.started_us DESC LIMIT 256
),
inside(top, task_id) AS (
  SELECT task_id, task_id FROM tops
  UNION
  SELECT inside.top, t.task_id FROM inside JOIN tasks AS t ON t.parent_task_id = inside.task_id
)
SELECT coalesce(sum(s.cost_nanousd), 0) FROM inside LEFT JOIN steps AS s ON s.task_id = inside.task_id
GROUP BY inside.top"""


def finished_task_costs(connection: sqlite3.Connection, feature: str) -> list[int]:
    """What the latest finished tasks of a feature have cost in nano-USD, at most 256 of them, in no order."""
    return [row[0] for row in connection.execute(_COSTS, (feature,))]
