"""What finished tasks have cost, to compare a task with, or to guess what the next one will."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.ledger.columns import Parameters, expression

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

LOOKED_AT: Final = 50_000
"""Of so many latest tasks those that fit are compared with: however large the ledger, the work is bounded."""

COMPARED: Final = 500
"""The most tasks that are compared with: the latest."""


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


class Median(NamedTuple):
    """The middle cost of some finished tasks, in nano-USD."""

    nanousd: int
    tasks: int


def median_task_cost(connection: sqlite3.Connection, tags: Mapping[str, Sequence[str]]) -> Median:
    """The median of what the latest finished tasks of a payer have cost; corrections count, what was free does not.

    Args:
        connection: Where to look.
        tags: Tags, extra ones as `x_<key>`, and their values, of which one must match.
    """
    conditions, parameters = ["t.status = 'finished'"], Parameters()
    for tag, values in tags.items():
        sql, own = expression(f"extra.{tag[2:]}" if tag.startswith("x_") else tag)
        conditions.append(f"{sql} IN ({', '.join('?' * len(values))})")
        parameters += [*own, *values]
    query = (
        "SELECT (SELECT sum(s.cost_nanousd) FROM steps AS s WHERE s.task_id = t.task_id) FROM tasks AS t"  # noqa: S608 - from the whitelist
        " CROSS JOIN contexts AS c ON c.context_id = t.context_id"
        f" WHERE t.rowid > (SELECT max(rowid) FROM tasks) - {LOOKED_AT} AND {' AND '.join(conditions)}"
        " ORDER BY t.rowid DESC"
    )
    costs: list[int] = []
    for (cost,) in connection.execute(query, parameters):
        if cost:
            costs.append(cost)
            if len(costs) == COMPARED:
                break
    if not costs:
        return Median(0, 0)
    costs.sort()
    middle = len(costs) // 2
    return Median(costs[middle] if len(costs) % 2 else (costs[middle - 1] + costs[middle]) // 2, len(costs))


def finished_task_costs(connection: sqlite3.Connection, feature: str) -> list[int]:
    """What the latest finished tasks of a feature have cost in nano-USD, at most 256 of them, in no order."""
    return [row[0] for row in connection.execute(_COSTS, (feature,))]
