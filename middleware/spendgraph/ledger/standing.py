"""Where budgets stand: what is spent and held in a window, and of a rolling budget in all of its parts that count together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spendgraph.ledger.asks import ROLLING_PARTS
from spendgraph.ledger.budget_history import GRANTED, read_windows

if TYPE_CHECKING:
    import sqlite3

_ROLLING: Final = """\
SELECT * FROM budgets AS b WHERE period LIKE 'rolling %' AND version = (
  SELECT max(version) FROM budgets AS v WHERE v.budget = b.budget AND (v.valid_from_us <= ? OR v.version = 1)
)"""

_PARTS: Final = f"""\
SELECT w.*, {GRANTED}
FROM (
  SELECT scope, ?3 AS start_us, NULL AS end_us,
    coalesce(sum(spent_nanousd) FILTER (WHERE start_us >= ?3), 0) AS spent_nanousd,
    coalesce(sum(held_nanousd) FILTER (WHERE start_us >= ?3), 0) AS held_nanousd,
    coalesce(sum(spent_tokens) FILTER (WHERE start_us >= ?3), 0) AS spent_tokens,
    coalesce(sum(held_tokens) FILTER (WHERE start_us >= ?3), 0) AS held_tokens,
    coalesce(sum(spent_calls) FILTER (WHERE start_us >= ?3), 0) AS spent_calls,
    coalesce(sum(held_calls) FILTER (WHERE start_us >= ?3), 0) AS held_calls
  FROM windows WHERE budget = ?2 AND start_us BETWEEN ?4 AND ?1 GROUP BY scope
) AS w
LEFT JOIN grants AS g ON g.budget = ?2 AND g.scope = w.scope AND g.window_start_us BETWEEN ?3 AND ?1 AND g.unit = ?5
GROUP BY w.scope ORDER BY w.scope"""  # noqa: S608 - our own text


def read_standing(connection: sqlite3.Connection, at_us: int, *, every: bool) -> list[dict[str, Any]]:
    """Where budgets stand at a time; see `LedgerReader.standing`."""
    from spendgraph.policy.periods import rolling_us

    rolling = connection.execute(_ROLLING, (at_us,)).fetchall()
    names = {budget["budget"] for budget in rolling}
    found = [
        row for row in read_windows(connection, None if every else at_us, at_us) if row["budget"] not in names
    ]
    for budget in rolling:
        part_us = rolling_us(budget["period"]) // ROLLING_PARTS
        since_us = at_us - at_us % part_us - ROLLING_PARTS * part_us
        begin_us = 0 if every else since_us
        sums = connection.execute(_PARTS, (at_us, budget["budget"], since_us, begin_us, budget["unit"]))
        found += [{**budget, **row} for row in sums]
    return sorted(found, key=lambda row: (row["budget"], row["start_us"], row["scope"]))
