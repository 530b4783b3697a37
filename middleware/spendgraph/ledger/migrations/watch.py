"""What the anomaly watch knows of each series, what it has found, and what people have said of it."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger.migrations.ordered import migrations
from spendgraph.ledger.migrations.sql import iso, refuse_changes

if TYPE_CHECKING:
    from sqlite_utils import Database

_FACTS: Final = "incident_id, watch, scope, tags, every, start_us, found_us"


@migrations()
def m014_create_watch(db: Database) -> None:
    """How far each watch has scored, the state of each series, incidents, verdicts, and bins that changed after they were scored."""
    db.execute("""\
CREATE TABLE watches (
  watch TEXT NOT NULL CHECK (watch <> ''), -- the name of a cut under the policy's watch
  definition TEXT NOT NULL, -- hash of what its states depend on: with another one it begins anew
  through_us INTEGER NOT NULL, -- bins that start earlier are scored, whatever comes late
  seen_seq INTEGER NOT NULL, -- of the steps up to here it is known which came late
  scored_us INTEGER NOT NULL, -- when
  PRIMARY KEY (watch, definition)
) STRICT, WITHOUT ROWID""")
    db.execute("""\
CREATE TABLE watched_series (
  series_id INTEGER PRIMARY KEY,
  watch TEXT NOT NULL,
  definition TEXT NOT NULL,
  scope TEXT NOT NULL, -- tenant=acme, or empty for one in all
  through_us INTEGER NOT NULL, -- bins that start earlier are in the state; those from here to the watch's are empty
  through_seq INTEGER NOT NULL, -- the last step there was when they were scored
  state BLOB NOT NULL, -- what the detector has learnt of them
  open TEXT NOT NULL CHECK (json_valid(open)), -- the incident that goes on, JSON; an empty object: none does
  scored_us INTEGER NOT NULL,
  UNIQUE (watch, definition, scope)
) STRICT""")
    db.execute("""\
CREATE TABLE incidents (
  incident_id TEXT NOT NULL PRIMARY KEY, -- hash of watch, scope and start_us: found twice, it is one
  watch TEXT NOT NULL CHECK (watch <> ''),
  scope TEXT NOT NULL,
  tags TEXT NOT NULL CHECK (json_valid(tags)), -- the scope's, JSON
  every TEXT NOT NULL CHECK (every IN ('quarter', 'hour', 'day')), -- how long a bin is
  kind TEXT NOT NULL CHECK (kind <> ''), -- spike, shift, drift, ...: how it stood out most
  severity TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
  score REAL NOT NULL CHECK (score BETWEEN 0 AND 1), -- the highest of its bins: 1 is the most unusual
  start_us INTEGER NOT NULL, -- of the bin that raised the first alert
  until_us INTEGER NOT NULL CHECK (until_us > start_us), -- the end of its last bin so far
  end_us INTEGER CHECK (end_us >= until_us), -- from when on it was quiet again; empty: it goes on
  expected_nanousd INTEGER NOT NULL, -- what is usual in its bins
  observed_nanousd INTEGER NOT NULL, -- what they came to when they were scored
  excess_nanousd INTEGER NOT NULL, -- what it has cost beyond what is usual, and what led to its first alert with it
  may_suspend INTEGER NOT NULL CHECK (may_suspend IN (0, 1)), -- its detector is sure enough to stop somebody
  found_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  explanation TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(explanation)), -- what carries it and what changed, JSON
  explained_us INTEGER,
  muted_by INTEGER REFERENCES verdicts (verdict_id), -- what was said of another one, for which nobody is told of this one
  told_us INTEGER, -- when people were told, last
  told_severity TEXT NOT NULL DEFAULT '' CHECK (told_severity IN ('', 'low', 'medium', 'high')), -- as it was then
  breaker TEXT NOT NULL DEFAULT '', -- the breaker it has opened for its scope, or empty
  suspended_us INTEGER CHECK ((suspended_us IS NULL) = (breaker = '')), -- when, last
  suspended_excess_nanousd INTEGER NOT NULL DEFAULT 0 -- what it had come to then
) STRICT""")
    db.execute("CREATE INDEX incidents_of_watch ON incidents (watch, until_us)")
    db.execute("CREATE INDEX incidents_going_on ON incidents (watch) WHERE end_us IS NULL")
    db.execute("""\
CREATE TABLE verdicts (
  verdict_id INTEGER PRIMARY KEY, -- order of saying: of an incident the newest counts
  incident_id TEXT NOT NULL REFERENCES incidents (incident_id),
  verdict TEXT NOT NULL CHECK (verdict IN ('real', 'expected', 'noise')),
  said_us INTEGER NOT NULL,
  said_by TEXT NOT NULL CHECK (said_by <> ''),
  why TEXT NOT NULL CHECK (why <> ''),
  mute_below_nanousd INTEGER, -- up to this excess the scope's incidents tell nobody; empty, as the next three, when it is real
  mute_hours TEXT NOT NULL CHECK (json_valid(mute_hours)), -- hours of the week, 0 is Monday's first; a JSON list, empty: all
  mute_zone TEXT NOT NULL, -- whose hours
  mute_until_us INTEGER,
  CHECK ((verdict = 'real') = (mute_until_us IS NULL) AND (verdict = 'real') = (mute_below_nanousd IS NULL))
) STRICT""")
    db.execute("CREATE INDEX verdicts_of_incident ON verdicts (incident_id)")
    db.execute("""\
CREATE TABLE watch_changes (
  watch TEXT NOT NULL,
  definition TEXT NOT NULL,
  scope TEXT NOT NULL,
  bin_us INTEGER NOT NULL, -- start of a bin that was scored before
  rows INTEGER NOT NULL, -- of steps, late ones and corrections
  change_nanousd INTEGER NOT NULL, -- what they changed it by, in all
  noted_us INTEGER NOT NULL,
  PRIMARY KEY (watch, definition, scope, bin_us)
) STRICT, WITHOUT ROWID""")
    refuse_changes(db, "verdicts", "verdict_id")
    db.execute(f"""\
CREATE TRIGGER incidents_refuse_update BEFORE UPDATE OF {_FACTS} ON incidents
BEGIN
  SELECT raise(ABORT, 'of an incident only how it goes on is updated');
END""")
    db.execute("""\
CREATE TRIGGER incidents_refuse_delete BEFORE DELETE ON incidents
BEGIN
  SELECT raise(ABORT, 'incidents are kept: delete refused');
END""")
    db.execute(f"""\
CREATE VIEW incident_log AS -- what stood out, what it cost beyond what is usual, and the newest word on it
SELECT
  {iso("i.start_us")} AS started, {iso("i.end_us")} AS ended, i.watch, i.scope, i.kind, i.severity,
  round(i.expected_nanousd / 1e9, 9) AS expected_usd, round(i.observed_nanousd / 1e9, 9) AS observed_usd,
  round(i.excess_nanousd / 1e9, 9) AS excess_usd, {iso("i.told_us")} AS told, {iso("i.suspended_us")} AS suspended, i.breaker,
  coalesce(v.verdict, '') AS verdict, coalesce(v.said_by, '') AS said_by, coalesce(v.why, '') AS why, i.explanation, i.incident_id
FROM incidents AS i
LEFT JOIN verdicts AS v ON v.verdict_id = (SELECT max(n.verdict_id) FROM verdicts AS n WHERE n.incident_id = i.incident_id)""")
