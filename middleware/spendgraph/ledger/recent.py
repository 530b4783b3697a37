"""What the latest calls cost, by feature and model or tool: what a new process goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

LOOKS_AT: Final = 50_000
"""So many of the latest steps are looked at, however many there are."""

TOLD: Final = ("reported", "estimated", "configured")
"""The bases of a cost that say what such a call costs; an upper bound or an unknown price does not."""

# By `seq`, which is the table's own order: nothing is sorted but what is looked at, and no other index is needed.
_RECENT: Final = """\
SELECT feature, what, cost_nanousd FROM (
  SELECT feature, what, cost_nanousd, seq, row_number() OVER (PARTITION BY feature, what ORDER BY seq DESC) AS nth
  FROM (
    SELECT c.feature, s.cost_nanousd, s.seq,
      CASE WHEN s.kind = 'model' OR s.kind = 'embedding' OR s.kind = 'rerank' THEN s.model_requested ELSE s.name END AS what
    FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id
    WHERE s.seq > (SELECT max(seq) FROM steps) - ?1 AND s.recorded_us < ?2
      AND s.entry = 'charge' AND s.status = 'ok' AND s.cost_basis IN ('reported', 'estimated', 'configured')
  )
)
WHERE nth <= ?3 ORDER BY seq"""

Cost = tuple[str, str, int]
"""A feature, a model as it was asked for or a tool, and nano-USD."""


def recent_costs(
    connection: sqlite3.Connection, before_us: int, each: int, *, looks_at: int = LOOKS_AT
) -> list[Cost]:
    """What the latest calls that went well cost, the oldest first.

    Args:
        connection: Of a ledger.
        before_us: Only steps that were recorded before then.
        each: At most so many of a feature and model or tool.
        looks_at: How many of the latest steps are looked at.
    """
    rows = connection.execute(_RECENT, (looks_at, before_us, each)).fetchall()
    return [(feature, what, cost) for feature, what, cost in rows]
