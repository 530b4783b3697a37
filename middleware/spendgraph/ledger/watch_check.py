"""`verify` for the anomaly watch: incidents are called what they are, and series are not ahead of what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger.incidents import incident_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_SERIES: Final = """\
SELECT s.series_id, s.watch, s.scope, s.through_seq, length(s.state) AS bytes,
  (SELECT coalesce(max(seq), 0) FROM steps) AS last_seq
FROM watched_series AS s"""

_MUTED: Final = """\
SELECT i.incident_id FROM incidents AS i JOIN verdicts AS v ON v.verdict_id = i.muted_by
JOIN incidents AS o ON o.incident_id = v.incident_id WHERE v.verdict = 'real' OR o.watch <> i.watch OR o.scope <> i.scope"""

_OPENED: Final = """\
SELECT i.incident_id, i.breaker, i.scope FROM incidents AS i WHERE i.breaker <> '' AND NOT EXISTS (
  SELECT 1 FROM decisions AS d WHERE d.kind = 'breaker' AND d.outcome = 'tripped' AND d.decided_us = i.suspended_us
    AND json_extract(d.detail, '$.breaker') = i.breaker AND json_extract(d.detail, '$.incident') = i.incident_id
)"""


def check_watch(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """What is wrong with the watch's tables: the row concerned, and how."""
    for row in connection.execute("SELECT incident_id, watch, scope, start_us, tags FROM incidents"):
        expected = incident_id(row["watch"], row["scope"], row["start_us"])
        if expected != row["incident_id"]:
            yield (
                f"incident {row['incident_id']}",
                f"its watch, scope and start hash to {expected}: it was changed",
            )
    for row in connection.execute(_SERIES):
        subject = f"series {row['series_id']} of {row['watch']}"
        if not row["bytes"]:
            yield subject, "has no state: its detector cannot go on"
        if row["through_seq"] > row["last_seq"]:
            yield subject, f"is scored up to row {row['through_seq']}, there are {row['last_seq']}"
    for (named,) in connection.execute(_MUTED):
        yield f"incident {named}", "is muted by a word on another scope, or on one that was real"
    for named, breaker, scope in connection.execute(_OPENED):
        yield f"incident {named}", f"says that it opened {breaker} for {scope!r}, but no decision does"
