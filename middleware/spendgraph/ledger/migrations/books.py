"""What is spent: contexts, prices, tasks, steps, decisions, and the views people read."""

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
def m001_create_contexts_and_prices(db: Database) -> None:
    """Who pays, and at what price: both content-addressed, written once."""
    db.execute("""\
CREATE TABLE contexts (
  context_id TEXT NOT NULL PRIMARY KEY, -- hash of the tags below: equal tags are one row
  feature TEXT NOT NULL,
  team TEXT NOT NULL,
  workload_class TEXT NOT NULL, -- interactive, batch, eval, background, or empty
  tenant TEXT NOT NULL,
  environment TEXT NOT NULL,
  user TEXT NOT NULL, -- as given, or a pseudonym (u_...) where the policy says hashed
  version TEXT NOT NULL,
  template TEXT NOT NULL,
  template_version TEXT NOT NULL,
  workspace TEXT NOT NULL,
  project TEXT NOT NULL,
  cost_center TEXT NOT NULL,
  priority TEXT NOT NULL,
  extra TEXT NOT NULL CHECK (json_valid(extra)) -- further tags, a JSON object
) STRICT""")
    db.execute("""\
CREATE TABLE prices (
  price_id TEXT NOT NULL PRIMARY KEY, -- hash of the columns below
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  source TEXT NOT NULL, -- policy, or the price list and its version
  effective_from TEXT NOT NULL, -- ISO date, or empty
  rates TEXT NOT NULL CHECK (json_valid(rates)), -- US dollars per unit, JSON
  note TEXT NOT NULL -- why it is not the exact price, or empty
) STRICT""")
    refuse_changes(db, "contexts", "context_id")
    refuse_changes(db, "prices", "price_id")


@migrations()
def m002_create_tasks(db: Database) -> None:
    """One user action each, the root of a tree of steps."""
    db.execute("""\
CREATE TABLE tasks (
  task_id TEXT NOT NULL PRIMARY KEY,
  parent_task_id TEXT, -- the task that opened this one
  context_id TEXT NOT NULL REFERENCES contexts (context_id),
  thread_id TEXT NOT NULL,
  graph TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'paused', 'finished', 'failed', 'refused', 'cancelled')),
  resumable INTEGER NOT NULL CHECK (resumable IN (0, 1)), -- 1 while the thread can still go on with this task
  outcome TEXT NOT NULL CHECK (outcome IN ('', 'success', 'failure')),
  value_nanousd INTEGER, -- what the outcome was worth
  started_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  ended_us INTEGER -- empty while it runs or is paused
) STRICT""")
    db.execute(
        "CREATE INDEX tasks_of_thread ON tasks (thread_id, graph) WHERE resumable = 1 AND thread_id <> ''"
    )
    db.execute("CREATE INDEX tasks_of_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL")


@migrations()
def m003_create_steps(db: Database) -> None:
    """The journal: one row per billable step, never changed afterwards.

    Few indexes on purpose: each one is another page that every insert writes to the WAL. The checks say
    `a OR b`, not `IN (a, b)`: for a list SQLite fills a table of its own at every insert.
    """
    db.execute("""\
CREATE TABLE steps (
  seq INTEGER PRIMARY KEY, -- order of writing
  step_id TEXT NOT NULL UNIQUE CHECK (step_id <> ''),
  task_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (
    kind = 'model' OR kind = 'tool' OR kind = 'retriever' OR kind = 'embedding' OR kind = 'rerank' OR kind = 'other'
  ),
  context_id TEXT NOT NULL REFERENCES contexts (context_id), -- who pays
  started_us INTEGER NOT NULL, -- microseconds since 1970 UTC; a step belongs to its start
  ended_us INTEGER NOT NULL,
  recorded_us INTEGER NOT NULL,
  entry TEXT NOT NULL CHECK (entry = 'charge' OR entry = 'correction'), -- a correction carries signed differences
  corrects_step_id TEXT,
  parent_step_id TEXT, -- the step (a tool's, say) inside which this one ran
  thread_id TEXT NOT NULL,
  graph TEXT NOT NULL,
  node TEXT NOT NULL,
  path TEXT NOT NULL, -- the nodes from the root graph down to this one
  checkpoint_ns TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  is_replay INTEGER NOT NULL CHECK (is_replay = 0 OR is_replay = 1), -- 1: paid again after an interrupt or a retry
  name TEXT NOT NULL, -- the tool, the retriever, the model's class, or the caller's word for the step
  provider TEXT NOT NULL,
  model_requested TEXT NOT NULL,
  model TEXT NOT NULL, -- the model that answered, and that was priced
  service_tier TEXT NOT NULL,
  response_id TEXT NOT NULL,
  owner_team TEXT NOT NULL, -- who provides the step; the context's team consumes it
  missing_tags TEXT NOT NULL, -- required tags nobody gave; not empty means unattributed
  input_tokens INTEGER NOT NULL, -- all of them, cached ones included
  output_tokens INTEGER NOT NULL, -- all of them, reasoning included
  cache_read_tokens INTEGER NOT NULL,
  cache_write_5m_tokens INTEGER NOT NULL,
  cache_write_1h_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  audio_input_tokens INTEGER NOT NULL,
  audio_output_tokens INTEGER NOT NULL,
  image_tokens INTEGER NOT NULL,
  quantity REAL, -- of unit, for steps not counted in tokens
  unit TEXT NOT NULL,
  cost_nanousd INTEGER NOT NULL, -- 1 US dollar is 1,000,000,000
  cost_basis TEXT NOT NULL CHECK (
    cost_basis = 'reported' OR cost_basis = 'estimated' OR cost_basis = 'upper_bound'
    OR cost_basis = 'configured' OR cost_basis = 'free' OR cost_basis = 'unpriced'
  ),
  estimate_nanousd INTEGER, -- what the call was expected to cost
  reserved_nanousd INTEGER, -- what was set aside for it
  saved_nanousd INTEGER NOT NULL, -- by the prompt cache; negative where writing cost more than reading saved
  price_id TEXT REFERENCES prices (price_id),
  usage_note TEXT NOT NULL, -- why the counts are doubtful, or why a correction was made
  status TEXT NOT NULL CHECK (
    status = 'ok' OR status = 'error' OR status = 'cut' OR status = 'cancelled' OR status = 'cache_hit'
  ),
  error_class TEXT NOT NULL,
  CHECK ((entry = 'correction') = (corrects_step_id IS NOT NULL))
) STRICT""")
    db.execute("CREATE INDEX steps_started ON steps (started_us)")
    db.execute("CREATE INDEX steps_of_task ON steps (task_id)")
    db.execute(
        "CREATE INDEX steps_corrections ON steps (corrects_step_id) WHERE corrects_step_id IS NOT NULL"
    )
    refuse_changes(db, "steps", "step_id")


@migrations()
def m004_create_decisions_and_settings(db: Database) -> None:
    """What was decided other than *allow*, and the ledger's own settings."""
    db.execute("""\
CREATE TABLE decisions (
  decision_id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL, -- context, attribution, price, usage
  outcome TEXT NOT NULL, -- ignored, recorded, refused
  reason TEXT NOT NULL,
  task_id TEXT NOT NULL,
  step_id TEXT,
  context_id TEXT,
  detail TEXT NOT NULL CHECK (json_valid(detail)),
  decided_us INTEGER NOT NULL -- microseconds since 1970 UTC
) STRICT""")
    db.execute("CREATE INDEX decisions_decided ON decisions (decided_us)")
    refuse_changes(db, "decisions", "decision_id")
    db.execute("""\
CREATE TABLE settings (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL -- the row `secret` is the key of pseudonyms: whoever has it can test guessed user names
) STRICT""")


@migrations()
def m005_create_views(db: Database) -> None:
    """Dollars and readable times for people; `_usd` columns are rounded for reading, `_nanousd` are exact."""
    db.execute(f"""\
CREATE VIEW spend AS -- one row per step; _usd is for reading, sum cost_nanousd for exact totals
SELECT
  s.seq, s.step_id, s.entry, {iso("s.started_us")} AS started,
  round((s.ended_us - s.started_us) / 1e6, 3) AS seconds,
  c.feature, c.team, c.workload_class, c.tenant, c.environment, c.user, c.version, c.template,
  c.template_version, c.workspace, c.project, c.cost_center, c.priority, c.extra,
  s.missing_tags, s.missing_tags <> '' AS unattributed, s.owner_team,
  s.kind, s.name, s.provider, s.model, s.service_tier, s.graph, s.node, s.path,
  s.task_id, s.parent_step_id, s.thread_id, s.attempt, s.is_replay,
  s.input_tokens, s.output_tokens, s.cache_read_tokens,
  s.cache_write_5m_tokens + s.cache_write_1h_tokens AS cache_write_tokens, s.reasoning_tokens,
  s.quantity, s.unit,
  round(s.cost_nanousd / 1e9, 9) AS cost_usd, s.cost_nanousd, s.cost_basis,
  round(s.saved_nanousd / 1e9, 9) AS saved_usd, s.status, s.error_class, s.usage_note
FROM steps AS s
JOIN contexts AS c ON c.context_id = s.context_id""")
    db.execute(f"""\
CREATE VIEW task_costs AS -- one row per task with the steps booked on it (its child tasks have their own rows)
SELECT
  t.task_id, t.parent_task_id, t.status, t.outcome,
  {iso("t.started_us")} AS started, {iso("t.ended_us")} AS ended,
  round((t.ended_us - t.started_us) / 1e6, 3) AS seconds,
  c.feature, c.team, c.workload_class, c.tenant, c.environment, t.thread_id, t.graph,
  count(s.seq) FILTER (WHERE s.entry = 'charge') AS steps,
  coalesce(sum(s.input_tokens), 0) AS input_tokens,
  coalesce(sum(s.output_tokens), 0) AS output_tokens,
  round(coalesce(sum(s.cost_nanousd), 0) / 1e9, 9) AS cost_usd,
  coalesce(sum(s.cost_nanousd), 0) AS cost_nanousd,
  round(t.value_nanousd / 1e9, 9) AS value_usd
FROM tasks AS t
JOIN contexts AS c ON c.context_id = t.context_id
LEFT JOIN steps AS s ON s.task_id = t.task_id
GROUP BY t.task_id""")
    db.execute(f"""\
CREATE VIEW daily_spend AS -- by UTC day and payer; unattributed_usd and not_reported_usd are parts of cost_usd
SELECT
  substr({iso("s.started_us")}, 1, 10) AS day, c.feature, c.team, c.tenant, c.environment,
  count(*) FILTER (WHERE s.entry = 'charge') AS steps,
  round(sum(s.cost_nanousd) / 1e9, 9) AS cost_usd,
  sum(s.cost_nanousd) AS cost_nanousd,
  round(coalesce(sum(s.cost_nanousd) FILTER (WHERE s.missing_tags <> ''), 0) / 1e9, 9) AS unattributed_usd,
  round(coalesce(
    sum(s.cost_nanousd) FILTER (WHERE s.cost_basis IN ('estimated', 'upper_bound')), 0
  ) / 1e9, 9) AS not_reported_usd,
  count(*) FILTER (WHERE s.cost_basis = 'unpriced' AND s.entry = 'charge') AS unpriced_steps
FROM steps AS s
JOIN contexts AS c ON c.context_id = s.context_id
GROUP BY day, c.feature, c.team, c.tenant, c.environment""")
    db.execute(f"""\
CREATE VIEW decision_log AS -- everything decided other than allow
SELECT
  {iso("d.decided_us")} AS decided, d.kind, d.outcome, d.reason,
  c.feature, c.team, c.tenant, c.environment, d.task_id, d.step_id, d.detail
FROM decisions AS d
LEFT JOIN contexts AS c ON c.context_id = d.context_id""")
