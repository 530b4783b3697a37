"""What somebody was told, or is still to be told."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger.migrations.ordered import migrations
from spendgraph.ledger.migrations.sql import iso

if TYPE_CHECKING:
    from sqlite_utils import Database

_FACTS: Final = (
    "alert_id, kind, severity, budget, scope, window_start_us, threshold, unit, limit_amount, spent, task_id, told, title,"
    " message, raised_us"
)


@migrations()
def m009_create_alerts(db: Database) -> None:
    """One row per alert, whichever process raised it; of a row only how its delivery went is changed."""
    db.execute("""\
CREATE TABLE alerts (
  alert_id TEXT NOT NULL PRIMARY KEY, -- hash of what makes it this alert: raised by two processes, it is one
  kind TEXT NOT NULL CHECK (kind <> ''), -- threshold, overrun, pace, blocked, approval, dear_call, breaker, ...
  severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  budget TEXT NOT NULL, -- of the budget or breaker
  scope TEXT NOT NULL,
  window_start_us INTEGER,
  threshold INTEGER, -- in unit, the spending from which it is raised
  unit TEXT NOT NULL CHECK (unit IN ('', 'nanousd', 'tokens', 'calls')),
  limit_amount INTEGER, -- when it was raised, as spent
  spent INTEGER,
  task_id TEXT NOT NULL, -- empty unless it is about one task
  told TEXT NOT NULL CHECK (json_valid(told)), -- names of the policy's notify, JSON; an empty list: nobody
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  raised_us INTEGER NOT NULL,
  waiting TEXT NOT NULL CHECK (json_valid(waiting)), -- channels it has not reached yet, JSON
  delivered_us INTEGER, -- when it had reached every channel
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', -- of the last attempt: the channel and the class of the error, never its address
  lease_until_us INTEGER NOT NULL -- until then a process is delivering it; afterwards another may
) STRICT""")
    db.execute("CREATE INDEX alerts_waiting ON alerts (raised_us) WHERE waiting <> '[]'")
    db.execute("CREATE INDEX alerts_by_budget ON alerts (budget, scope, kind, window_start_us)")
    db.execute(f"""\
CREATE TRIGGER alerts_refuse_update BEFORE UPDATE OF {_FACTS} ON alerts
BEGIN
  SELECT raise(ABORT, 'of an alert only its delivery is updated');
END""")
    db.execute("""\
CREATE TRIGGER alerts_refuse_delete BEFORE DELETE ON alerts
BEGIN
  SELECT raise(ABORT, 'alerts are kept: delete refused');
END""")
    # REPLACE deletes the old row without firing the trigger above, so it has to be stopped before.
    db.execute("""\
CREATE TRIGGER alerts_keep_first BEFORE INSERT ON alerts
WHEN EXISTS (SELECT 1 FROM alerts WHERE alert_id = NEW.alert_id)
BEGIN
  SELECT raise(IGNORE);
END""")
    db.execute(f"""\
CREATE VIEW alert_log AS -- what was raised, who was told, and whether it got there
SELECT
  {iso("a.raised_us")} AS raised, a.kind, a.severity, a.budget, a.scope, a.title, a.message, a.told,
  CASE a.unit WHEN 'nanousd' THEN 'usd' ELSE a.unit END AS unit,
  CASE a.unit WHEN 'nanousd' THEN round(a.limit_amount / 1e9, 9) ELSE a.limit_amount END AS limit_amount,
  CASE a.unit WHEN 'nanousd' THEN round(a.spent / 1e9, 9) ELSE a.spent END AS spent,
  {iso("a.delivered_us")} AS delivered, a.waiting, a.attempts, a.error, a.task_id, a.alert_id
FROM alerts AS a""")
