"""What may be spent: budgets, windows, holds, and what people decide about them."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger.migrations.ordered import migrations
from spendgraph.ledger.migrations.sql import iso, refuse_changes

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m006_create_budgets(db: Database) -> None:
    """What may be spent, what is spent, and what is set aside for calls under way."""
    db.execute("""\
CREATE TABLE budgets (
  budget TEXT NOT NULL,
  version INTEGER NOT NULL, -- the latest counts now; a window is compared with the limit of its own time
  owner TEXT NOT NULL,
  signed_off_by TEXT NOT NULL, -- empty: nobody has signed it off
  signed_off_on TEXT NOT NULL, -- ISO date
  unit TEXT NOT NULL CHECK (unit IN ('nanousd', 'tokens', 'calls')),
  limit_amount INTEGER NOT NULL, -- in unit; 1 US dollar is 1,000,000,000
  period TEXT NOT NULL,
  timezone TEXT NOT NULL,
  definition TEXT NOT NULL CHECK (json_valid(definition)), -- the policy's entry, JSON
  valid_from_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  PRIMARY KEY (budget, version)
) STRICT""")
    refuse_changes(db, "budgets", "budget", "version")
    db.execute("""\
CREATE TABLE windows (
  window_id INTEGER PRIMARY KEY,
  budget TEXT NOT NULL,
  scope TEXT NOT NULL, -- tenant=acme, task=..., or empty for one in all
  start_us INTEGER NOT NULL, -- the window is [start, end)
  end_us INTEGER, -- empty: it never ends
  spent_nanousd INTEGER NOT NULL DEFAULT 0, -- of the steps in step_windows
  held_nanousd INTEGER NOT NULL DEFAULT 0, -- by the holds of calls under way
  spent_tokens INTEGER NOT NULL DEFAULT 0,
  held_tokens INTEGER NOT NULL DEFAULT 0,
  spent_calls INTEGER NOT NULL DEFAULT 0,
  held_calls INTEGER NOT NULL DEFAULT 0,
  UNIQUE (budget, scope, start_us)
) STRICT""")
    db.execute("""\
CREATE TABLE holds (
  hold_id TEXT NOT NULL PRIMARY KEY, -- the step's id
  holder TEXT NOT NULL, -- the process that makes the call
  windows TEXT NOT NULL CHECK (json_valid(windows)), -- ids, a JSON list
  held_nanousd INTEGER NOT NULL,
  held_tokens INTEGER NOT NULL,
  step TEXT NOT NULL CHECK (json_valid(step)), -- the row to book should the end never be heard, JSON
  lease_until_us INTEGER NOT NULL -- renewed while the process lives; afterwards anybody books the step
) STRICT, WITHOUT ROWID""")
    db.execute("""\
CREATE TABLE step_windows (
  step_id TEXT NOT NULL,
  window_id INTEGER NOT NULL REFERENCES windows (window_id),
  PRIMARY KEY (step_id, window_id)
) STRICT, WITHOUT ROWID""")
    db.execute(f"""\
CREATE VIEW budget_status AS -- one row per window; held is set aside for calls under way
SELECT
  w.budget, w.scope, b.owner, b.signed_off_by, b.period, b.timezone,
  {iso("w.start_us")} AS started, {iso("w.end_us")} AS ends,
  CASE b.unit WHEN 'nanousd' THEN 'usd' ELSE b.unit END AS unit,
  CASE b.unit WHEN 'nanousd' THEN round(b.limit_amount / 1e9, 9) ELSE b.limit_amount END AS limit_amount,
  CASE b.unit WHEN 'nanousd' THEN round(w.spent_nanousd / 1e9, 9) WHEN 'tokens' THEN w.spent_tokens ELSE w.spent_calls END AS spent,
  CASE b.unit WHEN 'nanousd' THEN round(w.held_nanousd / 1e9, 9) WHEN 'tokens' THEN w.held_tokens ELSE w.held_calls END AS held,
  w.window_id, b.version
FROM windows AS w
JOIN budgets AS b ON b.budget = w.budget AND b.version = (
  SELECT max(version) FROM budgets AS v
  WHERE v.budget = w.budget AND (v.valid_from_us < coalesce(w.end_us, 9e18) OR v.version = 1)
)""")


@migrations()
def m007_create_approvals(db: Database) -> None:
    """What people were asked for, what they said, and the room they gave."""
    db.execute("""\
CREATE TABLE approvals (
  approval_id TEXT NOT NULL PRIMARY KEY, -- 32 hex digits, the id of LangGraph's interrupt too
  kind TEXT NOT NULL CHECK (kind IN ('approve', 'acknowledge')), -- more room, or taking note of what is spent
  threshold INTEGER NOT NULL, -- of an acknowledgement: the spending from which it is wanted; else 0
  round INTEGER NOT NULL, -- how often this task had asked for this window before
  budget TEXT NOT NULL,
  scope TEXT NOT NULL,
  window_start_us INTEGER NOT NULL,
  task_id TEXT NOT NULL,
  thread_id TEXT NOT NULL,
  graph TEXT NOT NULL,
  context_id TEXT NOT NULL REFERENCES contexts (context_id),
  unit TEXT NOT NULL CHECK (unit IN ('nanousd', 'tokens', 'calls')),
  limit_amount INTEGER NOT NULL, -- when it was asked, as spent and held
  spent INTEGER NOT NULL,
  held INTEGER NOT NULL,
  asked INTEGER NOT NULL, -- for all branches that wait for the answer
  branches TEXT NOT NULL CHECK (json_valid(branches)), -- what each asks for, by checkpoint namespace, JSON
  approvers TEXT NOT NULL CHECK (json_valid(approvers)), -- who may decide, JSON; an empty list: anybody
  state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired')),
  asked_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL, -- from then on silence means no
  decided_by TEXT NOT NULL,
  decided_why TEXT NOT NULL,
  granted INTEGER, -- empty unless approved
  decided_us INTEGER,
  UNIQUE (budget, scope, window_start_us, task_id, kind, threshold, round)
) STRICT""")
    db.execute("CREATE INDEX approvals_pending ON approvals (expires_us) WHERE state = 'pending'")
    db.execute("""\
CREATE TRIGGER approvals_decided_once BEFORE UPDATE ON approvals WHEN OLD.state <> 'pending'
BEGIN
  SELECT raise(ABORT, 'approvals are decided once');
END""")
    db.execute("""\
CREATE TABLE grants (
  grant_id TEXT NOT NULL PRIMARY KEY, -- the approval's id, where there is one
  budget TEXT NOT NULL,
  scope TEXT NOT NULL,
  window_start_us INTEGER NOT NULL, -- room in this window alone
  task_id TEXT NOT NULL, -- for this task alone; empty: for everybody
  unit TEXT NOT NULL CHECK (unit IN ('nanousd', 'tokens', 'calls')),
  amount INTEGER NOT NULL,
  used INTEGER NOT NULL DEFAULT 0, -- of the amount, spent and held beyond the limit
  granted_by TEXT NOT NULL,
  why TEXT NOT NULL,
  granted_us INTEGER NOT NULL,
  expires_us INTEGER -- from then on nothing more may be drawn; empty: with its window
) STRICT""")
    db.execute("CREATE INDEX grants_by_window ON grants (budget, scope, window_start_us)")
    db.execute(f"""\
CREATE VIEW approval_inbox AS -- what waits for a person, and what people said
SELECT
  a.approval_id, a.kind, a.state, a.budget, a.scope, c.feature, c.team, c.tenant, c.environment, a.task_id, a.thread_id, a.graph,
  CASE a.unit WHEN 'nanousd' THEN 'usd' ELSE a.unit END AS unit,
  CASE a.unit WHEN 'nanousd' THEN round(a.limit_amount / 1e9, 9) ELSE a.limit_amount END AS limit_amount,
  CASE a.unit WHEN 'nanousd' THEN round(a.spent / 1e9, 9) ELSE a.spent END AS spent,
  CASE a.unit WHEN 'nanousd' THEN round(a.asked / 1e9, 9) ELSE a.asked END AS asked,
  CASE a.unit WHEN 'nanousd' THEN round(a.granted / 1e9, 9) ELSE a.granted END AS granted,
  {iso("a.asked_us")} AS asked_at, {iso("a.expires_us")} AS expires, a.decided_by, a.decided_why,
  {iso("a.decided_us")} AS decided
FROM approvals AS a
JOIN contexts AS c ON c.context_id = a.context_id""")
