"""Incidents as the ledger has them: what stood out of a series, how it goes on, and what people have said of it.

An incident is known by its watch, its scope and its start, so of two watches that find it one writes it. What people say is
kept for ever; the newest word on an incident counts, and may mute what is like it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import sqlite3

    from spendgraph.ledger.statements import Execute

Verdict = Literal["real", "expected", "noise"]
Severity = Literal["low", "medium", "high"]
BinLength = Literal["quarter", "hour", "day"]

_RANK: Final = {"": 0, "low": 1, "medium": 2, "high": 3}


class IncidentRow(NamedTuple):
    """What stood out of a series, as the watch has it now.

    Attributes:
        incident_id: See `incident_id`.
        watch: The watch's name.
        scope: Whose spending, as `tenant=acme`.
        tags: The same as JSON.
        every: How long a bin is.
        kind: How it stood out most.
        severity: How bad it is.
        score: The highest of its bins, from 0 to 1.
        start_us: The start of the bin that raised the first alert.
        until_us: The end of its last bin so far.
        end_us: From when on it was quiet again; `None` while it goes on.
        expected_nanousd: What is usual in its bins.
        observed_nanousd: What these came to when they were scored.
        excess_nanousd: What it has cost beyond what is usual, and what led to its first alert with it.
        may_suspend: 1 where its detector is sure enough to stop somebody.
        found_us: When it was found.
    """

    incident_id: str
    watch: str
    scope: str
    tags: str
    every: BinLength
    kind: str
    severity: Severity
    score: float
    start_us: int
    until_us: int
    end_us: int | None
    expected_nanousd: int
    observed_nanousd: int
    excess_nanousd: int
    may_suspend: int
    found_us: int


class Mute(NamedTuple):
    """What a verdict mutes: incidents of its scope that tell nobody until a time.

    Attributes:
        below_nanousd: Those whose excess is not above this.
        until_us: Until when.
        hours: Hours of the week in which they lie, 0 is Monday's first; none: any.
        zone: Whose hours.
    """

    below_nanousd: int
    until_us: int
    hours: tuple[int, ...] = ()
    zone: str = "UTC"


class MuteRow(NamedTuple):
    """A mute that holds, and where it is from."""

    verdict_id: int
    incident_id: str
    verdict: Verdict
    watch: str
    scope: str
    kind: str
    said_by: str
    why: str
    mute: Mute


def incident_id(watch: str, scope: str, start_us: int) -> str:
    """What makes it this incident, hashed: 16 hex digits."""
    what = json.dumps([watch, scope, start_us])
    return hashlib.blake2b(what.encode(), digest_size=8).hexdigest()


def is_worse(severity: str, than: str) -> bool:
    """Whether one severity is above another; none is the least."""
    return _RANK[severity] > _RANK[than]


_COLUMNS: Final = ", ".join(IncidentRow._fields)
_GOES_ON: Final = (
    "kind",
    "severity",
    "score",
    "until_us",
    "end_us",
    "expected_nanousd",
    "observed_nanousd",
    "excess_nanousd",
    "may_suspend",
)

_KEEP: Final = f"""\
INSERT INTO incidents ({_COLUMNS}) VALUES ({", ".join("?" * len(IncidentRow._fields))})
ON CONFLICT (incident_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _GOES_ON)}"""  # noqa: S608 - names are this file's own

_NEWEST: Final = "(SELECT max(verdict_id) FROM verdicts AS n WHERE n.incident_id = i.incident_id)"

_INCIDENTS: Final = f"""\
SELECT i.*, coalesce(v.verdict, '') AS verdict, coalesce(v.said_by, '') AS said_by, coalesce(v.why, '') AS why, v.said_us
FROM incidents AS i LEFT JOIN verdicts AS v ON v.verdict_id = {_NEWEST}
WHERE {{}} ORDER BY i.start_us DESC, i.excess_nanousd DESC, i.incident_id"""  # noqa: S608 - as above

# A word on the same incident takes the place of the one before; that another one was real ends what mutes its scope.
_MUTES: Final = """\
SELECT v.verdict_id, v.incident_id, v.verdict, i.watch, i.scope, i.kind, v.said_by, v.why,
  v.mute_below_nanousd, v.mute_until_us, v.mute_hours, v.mute_zone
FROM verdicts AS v JOIN incidents AS i ON i.incident_id = v.incident_id
WHERE v.mute_until_us > ?1 AND (?2 IS NULL OR i.watch = ?2) AND NOT EXISTS (
  SELECT 1 FROM verdicts AS n JOIN incidents AS j ON j.incident_id = n.incident_id
  WHERE n.verdict_id > v.verdict_id
    AND (n.incident_id = v.incident_id OR (n.verdict = 'real' AND j.watch = i.watch AND j.scope = i.scope))
)
ORDER BY v.verdict_id"""


def keep(execute: Execute, row: IncidentRow) -> None:
    """Write an incident, or how it goes on."""
    execute(_KEEP, row)


def read_incidents(
    connection: sqlite3.Connection,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    watch: str | None = None,
    named: str | None = None,
    ended: bool = True,
) -> list[dict[str, Any]]:
    """Incidents with the newest word on them, the latest first; see `WatchReader.incidents`."""
    conditions = {
        "i.watch = ?": watch,
        "i.until_us > ?": since_us,
        "i.start_us < ?": until_us,
        "instr(i.incident_id, ?) = 1": named,
    }
    asked = {condition: value for condition, value in conditions.items() if value is not None}
    where = " AND ".join([*asked, "1" if ended else "i.end_us IS NULL"])
    found = connection.execute(_INCIDENTS.format(where), list(asked.values()))
    return [
        {**row, "tags": json.loads(row["tags"]), "explanation": json.loads(row["explanation"])}
        for row in map(dict, found)
    ]


def read_mutes(connection: sqlite3.Connection, now_us: int, watch: str | None = None) -> list[MuteRow]:
    """The mutes that hold at a time, in the order in which they were said."""
    names = MuteRow._fields[:-1]
    return [
        MuteRow(
            **{name: row[name] for name in names},
            mute=Mute(
                row["mute_below_nanousd"],
                row["mute_until_us"],
                tuple(json.loads(row["mute_hours"])),
                row["mute_zone"],
            ),
        )
        for row in connection.execute(_MUTES, (now_us, watch))
    ]
