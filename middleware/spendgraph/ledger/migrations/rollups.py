"""What is summed for reports, and what was pruned."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger.migrations.ordered import migrations
from spendgraph.ledger.migrations.sql import iso

if TYPE_CHECKING:
    from sqlite_utils import Database

_SUMS: Final = """\
  steps INTEGER NOT NULL, -- charges
  corrections INTEGER NOT NULL,
  cost_nanousd INTEGER NOT NULL, -- corrections included, as in all sums
  saved_nanousd INTEGER NOT NULL,
  took_us INTEGER NOT NULL, -- from start to end, of charges
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_5m_tokens INTEGER NOT NULL,
  cache_write_1h_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  audio_input_tokens INTEGER NOT NULL,
  audio_output_tokens INTEGER NOT NULL,
  image_tokens INTEGER NOT NULL"""

_TAGS: Final = """\
c.feature, c.team, c.workload_class, c.tenant, c.environment, c.user, c.version, c.template,
  c.template_version, c.workspace, c.project, c.cost_center, c.priority, c.extra"""

_DIMENSIONS: Final = """\
{0}.kind, {0}.name, {0}.provider, {0}.model, {0}.service_tier, {0}.owner_team, {0}.missing_tags,
  {0}.cost_basis, {0}.status, {0}.is_replay"""

_TOKENS: Final = """\
{0}.input_tokens, {0}.output_tokens, {0}.cache_read_tokens, {0}.cache_write_5m_tokens, {0}.cache_write_1h_tokens,
  {0}.reasoning_tokens, {0}.audio_input_tokens, {0}.audio_output_tokens, {0}.image_tokens"""

_NOT_ROLLED: Final = "s.seq > (SELECT coalesce(max(rolled_seq), 0) FROM rollup_state)"


@migrations()
def m011_create_rollups(db: Database) -> None:
    """Sums per quarter of an hour and per task, kept by `seq`, and what is left of pruned steps."""
    db.execute("""\
CREATE TABLE rollup_state (
  state_id INTEGER NOT NULL PRIMARY KEY CHECK (state_id = 1), -- there is one row, or none before the first rollup
  rolled_seq INTEGER NOT NULL, -- steps up to here are in the rollups, those after it are not
  rolled_us INTEGER NOT NULL -- when the rollups were last brought up to date
) STRICT""")
    db.execute("""\
CREATE TABLE rollup_accounts (
  account_id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, -- this and the next eight as in contexts: tags that have few values
  feature TEXT NOT NULL,
  team TEXT NOT NULL,
  workload_class TEXT NOT NULL,
  environment TEXT NOT NULL,
  workspace TEXT NOT NULL,
  project TEXT NOT NULL,
  cost_center TEXT NOT NULL,
  priority TEXT NOT NULL,
  kind TEXT NOT NULL, -- this and the rest as in steps
  name TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  service_tier TEXT NOT NULL,
  owner_team TEXT NOT NULL,
  missing_tags TEXT NOT NULL,
  cost_basis TEXT NOT NULL,
  status TEXT NOT NULL,
  is_replay INTEGER NOT NULL,
  UNIQUE (tenant, feature, team, workload_class, environment, workspace, project, cost_center, priority, kind, name, provider, model,
    service_tier, owner_team, missing_tags, cost_basis, status, is_replay)
) STRICT""")
    db.execute("""\
CREATE TABLE rollup_series (
  series_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES rollup_accounts (account_id), -- series of one differ by user, version, template or extra tags
  context_id TEXT NOT NULL REFERENCES contexts (context_id),
  kind TEXT NOT NULL, -- this and the rest as in steps
  name TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  service_tier TEXT NOT NULL,
  owner_team TEXT NOT NULL,
  missing_tags TEXT NOT NULL,
  cost_basis TEXT NOT NULL,
  status TEXT NOT NULL,
  is_replay INTEGER NOT NULL,
  UNIQUE (context_id, kind, name, provider, model, service_tier, owner_team, missing_tags, cost_basis, status, is_replay)
) STRICT""")
    db.execute(f"""\
CREATE TABLE rollup_15min (
  quarter_us INTEGER NOT NULL, -- when the quarter of an hour starts in which the steps started
  series_id INTEGER NOT NULL REFERENCES rollup_series (series_id),
{_SUMS},
  PRIMARY KEY (quarter_us, series_id)
) STRICT, WITHOUT ROWID""")
    db.execute("CREATE INDEX rollup_15min_of_series ON rollup_15min (series_id, quarter_us)")
    db.execute(f"""\
CREATE TABLE rollup_hours (
  week_us INTEGER NOT NULL, -- when its week starts, on a Monday in UTC: what is written together lies together
  account_id INTEGER NOT NULL REFERENCES rollup_accounts (account_id),
  hour_us INTEGER NOT NULL, -- when the hour starts: the sums of rollup_15min in it
{_SUMS},
  PRIMARY KEY (week_us, account_id, hour_us)
) STRICT, WITHOUT ROWID""")
    db.execute(f"""\
CREATE TABLE rollup_months (
  account_id INTEGER NOT NULL REFERENCES rollup_accounts (account_id),
  month_us INTEGER NOT NULL, -- when the month starts in UTC: the sums of rollup_15min in it
{_SUMS},
  PRIMARY KEY (account_id, month_us)
) STRICT, WITHOUT ROWID""")
    db.execute("""\
CREATE TABLE rollup_tasks (
  task_id TEXT NOT NULL PRIMARY KEY,
  context_id TEXT NOT NULL REFERENCES contexts (context_id), -- of the task
  first_started_us INTEGER NOT NULL, -- of its steps
  last_ended_us INTEGER NOT NULL,
  steps INTEGER NOT NULL, -- charges
  corrections INTEGER NOT NULL,
  model_steps INTEGER NOT NULL,
  tool_steps INTEGER NOT NULL,
  failed_steps INTEGER NOT NULL, -- that ended in an error, were cut or cancelled
  unpriced_steps INTEGER NOT NULL,
  cost_nanousd INTEGER NOT NULL, -- corrections included
  model_nanousd INTEGER NOT NULL, -- this and the next five are parts of cost_nanousd
  tool_nanousd INTEGER NOT NULL,
  replay_nanousd INTEGER NOT NULL,
  failed_nanousd INTEGER NOT NULL,
  unattributed_nanousd INTEGER NOT NULL,
  not_reported_nanousd INTEGER NOT NULL, -- estimated, or an upper bound
  saved_nanousd INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  largest_input_tokens INTEGER NOT NULL, -- of one step
  dearest_nanousd INTEGER NOT NULL, -- what its dearest step cost
  pruned_steps INTEGER NOT NULL DEFAULT 0 -- rows of it that are not in steps any more
) STRICT, WITHOUT ROWID""")
    db.execute(
        "CREATE INDEX rollup_tasks_started ON rollup_tasks (first_started_us, context_id, cost_nanousd)"
    )
    db.execute("CREATE INDEX contexts_of_tenant ON contexts (tenant)")
    db.execute("""\
CREATE TABLE prunes (
  prune_id INTEGER PRIMARY KEY,
  before_us INTEGER NOT NULL, -- steps that started earlier were deleted
  steps INTEGER NOT NULL DEFAULT 0, -- charges
  corrections INTEGER NOT NULL DEFAULT 0,
  cost_nanousd INTEGER NOT NULL DEFAULT 0,
  first_seq INTEGER, -- of what was deleted
  last_seq INTEGER,
  first_started_us INTEGER,
  last_started_us INTEGER,
  begun_us INTEGER NOT NULL,
  ended_us INTEGER -- empty: it was interrupted; another one goes on
) STRICT""")
    db.execute("""\
CREATE TABLE prune_windows (
  prune_id INTEGER NOT NULL REFERENCES prunes (prune_id),
  window_id INTEGER NOT NULL REFERENCES windows (window_id),
  spent_nanousd INTEGER NOT NULL, -- of the deleted steps, in this window
  spent_tokens INTEGER NOT NULL,
  spent_calls INTEGER NOT NULL,
  PRIMARY KEY (prune_id, window_id)
) STRICT, WITHOUT ROWID""")
    _create_views(db)


def _create_views(db: Database) -> None:
    """Sums that stay whole when steps are pruned."""
    db.execute(f"""\
CREATE VIEW spend_15min AS -- rolled sums, and a row for each step that is not rolled yet: together, everything ever booked
SELECT
  {iso("q.quarter_us")} AS quarter, q.quarter_us, {_TAGS},
  {_DIMENSIONS.format("r")},
  q.steps, q.corrections, q.cost_nanousd, q.saved_nanousd, q.took_us,
  {_TOKENS.format("q")}
FROM rollup_15min AS q
JOIN rollup_series AS r ON r.series_id = q.series_id
JOIN contexts AS c ON c.context_id = r.context_id
UNION ALL
SELECT
  {iso("(s.started_us - s.started_us % 900000000)")}, s.started_us - s.started_us % 900000000, {_TAGS},
  {_DIMENSIONS.format("s")},
  s.entry = 'charge', s.entry = 'correction', s.cost_nanousd, s.saved_nanousd,
  CASE WHEN s.entry = 'charge' THEN s.ended_us - s.started_us ELSE 0 END,
  {_TOKENS.format("s")}
FROM steps AS s
JOIN contexts AS c ON c.context_id = s.context_id
WHERE {_NOT_ROLLED}""")
    db.execute("DROP VIEW daily_spend")
    db.execute(f"""\
CREATE VIEW daily_spend AS -- by UTC day and payer; unattributed_usd and not_reported_usd are parts of cost_usd
SELECT
  strftime('%Y-%m-%d', q.time_us / 1000000, 'unixepoch') AS day, q.feature, q.team, q.tenant, q.environment,
  sum(q.steps) AS steps,
  round(sum(q.cost_nanousd) / 1e9, 9) AS cost_usd,
  sum(q.cost_nanousd) AS cost_nanousd,
  round(coalesce(sum(q.cost_nanousd) FILTER (WHERE q.missing_tags <> ''), 0) / 1e9, 9) AS unattributed_usd,
  round(coalesce(
    sum(q.cost_nanousd) FILTER (WHERE q.cost_basis IN ('estimated', 'upper_bound')), 0
  ) / 1e9, 9) AS not_reported_usd,
  coalesce(sum(q.steps) FILTER (WHERE q.cost_basis = 'unpriced'), 0) AS unpriced_steps
FROM (
  SELECT h.hour_us AS time_us, a.feature, a.team, a.tenant, a.environment, a.missing_tags, a.cost_basis, h.steps, h.cost_nanousd
  FROM rollup_hours AS h
  JOIN rollup_accounts AS a ON a.account_id = h.account_id
  UNION ALL
  SELECT s.started_us, c.feature, c.team, c.tenant, c.environment, s.missing_tags, s.cost_basis, s.entry = 'charge', s.cost_nanousd
  FROM steps AS s
  JOIN contexts AS c ON c.context_id = s.context_id
  WHERE {_NOT_ROLLED}
) AS q
GROUP BY day, q.feature, q.team, q.tenant, q.environment""")
    db.execute("DROP VIEW task_costs")
    db.execute(f"""\
CREATE VIEW task_costs AS -- one row per task with the steps booked on it (its child tasks have their own rows)
SELECT
  t.task_id, t.parent_task_id, t.status, t.outcome,
  {iso("t.started_us")} AS started, {iso("t.ended_us")} AS ended,
  round((t.ended_us - t.started_us) / 1e6, 3) AS seconds,
  c.feature, c.team, c.workload_class, c.tenant, c.environment, t.thread_id, t.graph,
  coalesce(r.steps, 0) + count(s.seq) FILTER (WHERE s.entry = 'charge') AS steps,
  coalesce(r.input_tokens, 0) + coalesce(sum(s.input_tokens), 0) AS input_tokens,
  coalesce(r.output_tokens, 0) + coalesce(sum(s.output_tokens), 0) AS output_tokens,
  round((coalesce(r.cost_nanousd, 0) + coalesce(sum(s.cost_nanousd), 0)) / 1e9, 9) AS cost_usd,
  coalesce(r.cost_nanousd, 0) + coalesce(sum(s.cost_nanousd), 0) AS cost_nanousd,
  round(t.value_nanousd / 1e9, 9) AS value_usd
FROM tasks AS t
JOIN contexts AS c ON c.context_id = t.context_id
LEFT JOIN rollup_tasks AS r ON r.task_id = t.task_id
LEFT JOIN steps AS s ON s.task_id = t.task_id AND {_NOT_ROLLED}
GROUP BY t.task_id""")
