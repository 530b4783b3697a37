-- Generated from the migrations by `python -m spendgraph.ledger.schema`: do not edit.

CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);

CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");

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
) STRICT;

CREATE TABLE prices (
  price_id TEXT NOT NULL PRIMARY KEY, -- hash of the columns below
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  source TEXT NOT NULL, -- policy, or the price list and its version
  effective_from TEXT NOT NULL, -- ISO date, or empty
  rates TEXT NOT NULL CHECK (json_valid(rates)), -- US dollars per unit, JSON
  note TEXT NOT NULL -- why it is not the exact price, or empty
) STRICT;

CREATE TRIGGER contexts_refuse_update BEFORE UPDATE ON contexts
BEGIN
  SELECT raise(ABORT, 'contexts is append-only: update refused, rows are written once');
END;

CREATE TRIGGER contexts_refuse_delete BEFORE DELETE ON contexts
BEGIN
  SELECT raise(ABORT, 'contexts is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER contexts_keep_first BEFORE INSERT ON contexts
WHEN EXISTS (SELECT 1 FROM contexts WHERE context_id = NEW.context_id)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TRIGGER prices_refuse_update BEFORE UPDATE ON prices
BEGIN
  SELECT raise(ABORT, 'prices is append-only: update refused, rows are written once');
END;

CREATE TRIGGER prices_refuse_delete BEFORE DELETE ON prices
BEGIN
  SELECT raise(ABORT, 'prices is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER prices_keep_first BEFORE INSERT ON prices
WHEN EXISTS (SELECT 1 FROM prices WHERE price_id = NEW.price_id)
BEGIN
  SELECT raise(IGNORE);
END;

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
) STRICT;

CREATE INDEX tasks_of_thread ON tasks (thread_id, graph) WHERE resumable = 1 AND thread_id <> '';

CREATE INDEX tasks_of_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;

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
) STRICT;

CREATE INDEX steps_started ON steps (started_us);

CREATE INDEX steps_of_task ON steps (task_id);

CREATE INDEX steps_corrections ON steps (corrects_step_id) WHERE corrects_step_id IS NOT NULL;

CREATE TRIGGER steps_refuse_update BEFORE UPDATE ON steps
BEGIN
  SELECT raise(ABORT, 'steps is append-only: update refused, corrections are new rows');
END;

CREATE TRIGGER steps_refuse_delete BEFORE DELETE ON steps
BEGIN
  SELECT raise(ABORT, 'steps is append-only: delete refused, corrections are new rows');
END;

CREATE TRIGGER steps_keep_first BEFORE INSERT ON steps
WHEN EXISTS (SELECT 1 FROM steps WHERE step_id = NEW.step_id)
BEGIN
  SELECT raise(IGNORE);
END;

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
) STRICT;

CREATE INDEX decisions_decided ON decisions (decided_us);

CREATE TRIGGER decisions_refuse_update BEFORE UPDATE ON decisions
BEGIN
  SELECT raise(ABORT, 'decisions is append-only: update refused, rows are written once');
END;

CREATE TRIGGER decisions_refuse_delete BEFORE DELETE ON decisions
BEGIN
  SELECT raise(ABORT, 'decisions is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER decisions_keep_first BEFORE INSERT ON decisions
WHEN EXISTS (SELECT 1 FROM decisions WHERE decision_id = NEW.decision_id)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TABLE settings (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL -- the row `secret` is the key of pseudonyms: whoever has it can test guessed user names
) STRICT;

CREATE VIEW spend AS -- one row per step; _usd is for reading, sum cost_nanousd for exact totals
SELECT
  s.seq, s.step_id, s.entry, strftime('%Y-%m-%dT%H:%M:%S', s.started_us / 1000000, 'unixepoch') || printf('.%06dZ', s.started_us % 1000000) AS started,
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
JOIN contexts AS c ON c.context_id = s.context_id;

CREATE VIEW decision_log AS -- everything decided other than allow
SELECT
  strftime('%Y-%m-%dT%H:%M:%S', d.decided_us / 1000000, 'unixepoch') || printf('.%06dZ', d.decided_us % 1000000) AS decided, d.kind, d.outcome, d.reason,
  c.feature, c.team, c.tenant, c.environment, d.task_id, d.step_id, d.detail
FROM decisions AS d
LEFT JOIN contexts AS c ON c.context_id = d.context_id;

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
) STRICT;

CREATE TRIGGER budgets_refuse_update BEFORE UPDATE ON budgets
BEGIN
  SELECT raise(ABORT, 'budgets is append-only: update refused, rows are written once');
END;

CREATE TRIGGER budgets_refuse_delete BEFORE DELETE ON budgets
BEGIN
  SELECT raise(ABORT, 'budgets is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER budgets_keep_first BEFORE INSERT ON budgets
WHEN EXISTS (SELECT 1 FROM budgets WHERE budget = NEW.budget AND version = NEW.version)
BEGIN
  SELECT raise(IGNORE);
END;

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
) STRICT;

CREATE TABLE holds (
  hold_id TEXT NOT NULL PRIMARY KEY, -- the step's id
  holder TEXT NOT NULL, -- the process that makes the call
  windows TEXT NOT NULL CHECK (json_valid(windows)), -- ids, a JSON list
  held_nanousd INTEGER NOT NULL,
  held_tokens INTEGER NOT NULL,
  step TEXT NOT NULL CHECK (json_valid(step)), -- the row to book should the end never be heard, JSON
  lease_until_us INTEGER NOT NULL -- renewed while the process lives; afterwards anybody books the step
) STRICT, WITHOUT ROWID;

CREATE TABLE step_windows (
  step_id TEXT NOT NULL,
  window_id INTEGER NOT NULL REFERENCES windows (window_id),
  PRIMARY KEY (step_id, window_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW budget_status AS -- one row per window; held is set aside for calls under way
SELECT
  w.budget, w.scope, b.owner, b.signed_off_by, b.period, b.timezone,
  strftime('%Y-%m-%dT%H:%M:%S', w.start_us / 1000000, 'unixepoch') || printf('.%06dZ', w.start_us % 1000000) AS started, strftime('%Y-%m-%dT%H:%M:%S', w.end_us / 1000000, 'unixepoch') || printf('.%06dZ', w.end_us % 1000000) AS ends,
  CASE b.unit WHEN 'nanousd' THEN 'usd' ELSE b.unit END AS unit,
  CASE b.unit WHEN 'nanousd' THEN round(b.limit_amount / 1e9, 9) ELSE b.limit_amount END AS limit_amount,
  CASE b.unit WHEN 'nanousd' THEN round(w.spent_nanousd / 1e9, 9) WHEN 'tokens' THEN w.spent_tokens ELSE w.spent_calls END AS spent,
  CASE b.unit WHEN 'nanousd' THEN round(w.held_nanousd / 1e9, 9) WHEN 'tokens' THEN w.held_tokens ELSE w.held_calls END AS held,
  w.window_id, b.version
FROM windows AS w
JOIN budgets AS b ON b.budget = w.budget AND b.version = (
  SELECT max(version) FROM budgets AS v
  WHERE v.budget = w.budget AND (v.valid_from_us < coalesce(w.end_us, 9e18) OR v.version = 1)
);

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
) STRICT;

CREATE INDEX approvals_pending ON approvals (expires_us) WHERE state = 'pending';

CREATE TRIGGER approvals_decided_once BEFORE UPDATE ON approvals WHEN OLD.state <> 'pending'
BEGIN
  SELECT raise(ABORT, 'approvals are decided once');
END;

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
) STRICT;

CREATE INDEX grants_by_window ON grants (budget, scope, window_start_us);

CREATE VIEW approval_inbox AS -- what waits for a person, and what people said
SELECT
  a.approval_id, a.kind, a.state, a.budget, a.scope, c.feature, c.team, c.tenant, c.environment, a.task_id, a.thread_id, a.graph,
  CASE a.unit WHEN 'nanousd' THEN 'usd' ELSE a.unit END AS unit,
  CASE a.unit WHEN 'nanousd' THEN round(a.limit_amount / 1e9, 9) ELSE a.limit_amount END AS limit_amount,
  CASE a.unit WHEN 'nanousd' THEN round(a.spent / 1e9, 9) ELSE a.spent END AS spent,
  CASE a.unit WHEN 'nanousd' THEN round(a.asked / 1e9, 9) ELSE a.asked END AS asked,
  CASE a.unit WHEN 'nanousd' THEN round(a.granted / 1e9, 9) ELSE a.granted END AS granted,
  strftime('%Y-%m-%dT%H:%M:%S', a.asked_us / 1000000, 'unixepoch') || printf('.%06dZ', a.asked_us % 1000000) AS asked_at, strftime('%Y-%m-%dT%H:%M:%S', a.expires_us / 1000000, 'unixepoch') || printf('.%06dZ', a.expires_us % 1000000) AS expires, a.decided_by, a.decided_why,
  strftime('%Y-%m-%dT%H:%M:%S', a.decided_us / 1000000, 'unixepoch') || printf('.%06dZ', a.decided_us % 1000000) AS decided
FROM approvals AS a
JOIN contexts AS c ON c.context_id = a.context_id;

CREATE TABLE breakers (
  breaker TEXT NOT NULL,
  scope TEXT NOT NULL, -- tenant=acme, task=..., or empty for one in all
  state TEXT NOT NULL CHECK (state IN ('open', 'half_open', 'closed')), -- half_open: one call is under way to try
  reason TEXT NOT NULL, -- why it tripped last
  trips INTEGER NOT NULL, -- how often it has tripped
  tripped_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  tripped_by TEXT NOT NULL, -- who tripped it; empty: it did by itself
  open_until_us INTEGER NOT NULL, -- from then on one call is let through to try
  probe_step_id TEXT NOT NULL, -- the call that tries; when its hold is gone, another may
  probe_us INTEGER,
  closed_us INTEGER,
  closed_by TEXT NOT NULL, -- empty: the call that tried went well
  closed_why TEXT NOT NULL,
  reset_us INTEGER, -- when a person closed it last: what was counted until then counts no more
  forgiven_nanousd INTEGER NOT NULL, -- of the window that was open then
  PRIMARY KEY (breaker, scope)
) STRICT, WITHOUT ROWID;

CREATE VIEW breaker_status AS -- where every breaker stands that has ever tripped
SELECT
  breaker, scope, state, reason, trips, strftime('%Y-%m-%dT%H:%M:%S', tripped_us / 1000000, 'unixepoch') || printf('.%06dZ', tripped_us % 1000000) AS tripped, tripped_by, strftime('%Y-%m-%dT%H:%M:%S', open_until_us / 1000000, 'unixepoch') || printf('.%06dZ', open_until_us % 1000000) AS open_until,
  strftime('%Y-%m-%dT%H:%M:%S', closed_us / 1000000, 'unixepoch') || printf('.%06dZ', closed_us % 1000000) AS closed, closed_by, closed_why
FROM breakers;

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
) STRICT;

CREATE INDEX alerts_waiting ON alerts (raised_us) WHERE waiting <> '[]';

CREATE INDEX alerts_by_budget ON alerts (budget, scope, kind, window_start_us);

CREATE TRIGGER alerts_refuse_update BEFORE UPDATE OF alert_id, kind, severity, budget, scope, window_start_us, threshold, unit, limit_amount, spent, task_id, told, title, message, raised_us ON alerts
BEGIN
  SELECT raise(ABORT, 'of an alert only its delivery is updated');
END;

CREATE TRIGGER alerts_refuse_delete BEFORE DELETE ON alerts
BEGIN
  SELECT raise(ABORT, 'alerts are kept: delete refused');
END;

CREATE TRIGGER alerts_keep_first BEFORE INSERT ON alerts
WHEN EXISTS (SELECT 1 FROM alerts WHERE alert_id = NEW.alert_id)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE VIEW alert_log AS -- what was raised, who was told, and whether it got there
SELECT
  strftime('%Y-%m-%dT%H:%M:%S', a.raised_us / 1000000, 'unixepoch') || printf('.%06dZ', a.raised_us % 1000000) AS raised, a.kind, a.severity, a.budget, a.scope, a.title, a.message, a.told,
  CASE a.unit WHEN 'nanousd' THEN 'usd' ELSE a.unit END AS unit,
  CASE a.unit WHEN 'nanousd' THEN round(a.limit_amount / 1e9, 9) ELSE a.limit_amount END AS limit_amount,
  CASE a.unit WHEN 'nanousd' THEN round(a.spent / 1e9, 9) ELSE a.spent END AS spent,
  strftime('%Y-%m-%dT%H:%M:%S', a.delivered_us / 1000000, 'unixepoch') || printf('.%06dZ', a.delivered_us % 1000000) AS delivered, a.waiting, a.attempts, a.error, a.task_id, a.alert_id
FROM alerts AS a;

CREATE TABLE envelopes (
  envelope_id TEXT NOT NULL PRIMARY KEY,
  task_id TEXT NOT NULL, -- whose calls draw from it
  gate TEXT NOT NULL, -- which gate took it: one envelope for each gate of a task
  holder TEXT NOT NULL, -- the process that runs the task
  windows TEXT NOT NULL CHECK (json_valid(windows)), -- ids, a JSON list
  amount_nanousd INTEGER NOT NULL, -- when it was taken
  held_nanousd INTEGER NOT NULL, -- what is left; what its calls hold is theirs
  draws TEXT NOT NULL CHECK (json_valid(draws)), -- of the amount, what grants gave: ids and amounts, JSON
  lease_until_us INTEGER NOT NULL, -- renewed while the process lives; afterwards anybody gives the rest back
  UNIQUE (task_id, gate)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_state (
  state_id INTEGER NOT NULL PRIMARY KEY CHECK (state_id = 1), -- there is one row, or none before the first rollup
  rolled_seq INTEGER NOT NULL, -- steps up to here are in the rollups, those after it are not
  rolled_us INTEGER NOT NULL -- when the rollups were last brought up to date
) STRICT;

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
) STRICT;

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
) STRICT;

CREATE TABLE rollup_15min (
  quarter_us INTEGER NOT NULL, -- when the quarter of an hour starts in which the steps started
  series_id INTEGER NOT NULL REFERENCES rollup_series (series_id),
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
  image_tokens INTEGER NOT NULL,
  PRIMARY KEY (quarter_us, series_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX rollup_15min_of_series ON rollup_15min (series_id, quarter_us);

CREATE TABLE rollup_hours (
  week_us INTEGER NOT NULL, -- when its week starts, on a Monday in UTC: what is written together lies together
  account_id INTEGER NOT NULL REFERENCES rollup_accounts (account_id),
  hour_us INTEGER NOT NULL, -- when the hour starts: the sums of rollup_15min in it
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
  image_tokens INTEGER NOT NULL,
  PRIMARY KEY (week_us, account_id, hour_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_months (
  account_id INTEGER NOT NULL REFERENCES rollup_accounts (account_id),
  month_us INTEGER NOT NULL, -- when the month starts in UTC: the sums of rollup_15min in it
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
  image_tokens INTEGER NOT NULL,
  PRIMARY KEY (account_id, month_us)
) STRICT, WITHOUT ROWID;

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
) STRICT, WITHOUT ROWID;

CREATE INDEX rollup_tasks_started ON rollup_tasks (first_started_us, context_id, cost_nanousd);

CREATE INDEX contexts_of_tenant ON contexts (tenant);

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
) STRICT;

CREATE TABLE prune_windows (
  prune_id INTEGER NOT NULL REFERENCES prunes (prune_id),
  window_id INTEGER NOT NULL REFERENCES windows (window_id),
  spent_nanousd INTEGER NOT NULL, -- of the deleted steps, in this window
  spent_tokens INTEGER NOT NULL,
  spent_calls INTEGER NOT NULL,
  PRIMARY KEY (prune_id, window_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW spend_15min AS -- rolled sums, and a row for each step that is not rolled yet: together, everything ever booked
SELECT
  strftime('%Y-%m-%dT%H:%M:%S', q.quarter_us / 1000000, 'unixepoch') || printf('.%06dZ', q.quarter_us % 1000000) AS quarter, q.quarter_us, c.feature, c.team, c.workload_class, c.tenant, c.environment, c.user, c.version, c.template,
  c.template_version, c.workspace, c.project, c.cost_center, c.priority, c.extra,
  r.kind, r.name, r.provider, r.model, r.service_tier, r.owner_team, r.missing_tags,
  r.cost_basis, r.status, r.is_replay,
  q.steps, q.corrections, q.cost_nanousd, q.saved_nanousd, q.took_us,
  q.input_tokens, q.output_tokens, q.cache_read_tokens, q.cache_write_5m_tokens, q.cache_write_1h_tokens,
  q.reasoning_tokens, q.audio_input_tokens, q.audio_output_tokens, q.image_tokens
FROM rollup_15min AS q
JOIN rollup_series AS r ON r.series_id = q.series_id
JOIN contexts AS c ON c.context_id = r.context_id
UNION ALL
SELECT
  strftime('%Y-%m-%dT%H:%M:%S', (s.started_us - s.started_us % 900000000) / 1000000, 'unixepoch') || printf('.%06dZ', (s.started_us - s.started_us % 900000000) % 1000000), s.started_us - s.started_us % 900000000, c.feature, c.team, c.workload_class, c.tenant, c.environment, c.user, c.version, c.template,
  c.template_version, c.workspace, c.project, c.cost_center, c.priority, c.extra,
  s.kind, s.name, s.provider, s.model, s.service_tier, s.owner_team, s.missing_tags,
  s.cost_basis, s.status, s.is_replay,
  s.entry = 'charge', s.entry = 'correction', s.cost_nanousd, s.saved_nanousd,
  CASE WHEN s.entry = 'charge' THEN s.ended_us - s.started_us ELSE 0 END,
  s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_5m_tokens, s.cache_write_1h_tokens,
  s.reasoning_tokens, s.audio_input_tokens, s.audio_output_tokens, s.image_tokens
FROM steps AS s
JOIN contexts AS c ON c.context_id = s.context_id
WHERE s.seq > (SELECT coalesce(max(rolled_seq), 0) FROM rollup_state);

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
  WHERE s.seq > (SELECT coalesce(max(rolled_seq), 0) FROM rollup_state)
) AS q
GROUP BY day, q.feature, q.team, q.tenant, q.environment;

CREATE VIEW task_costs AS -- one row per task with the steps booked on it (its child tasks have their own rows)
SELECT
  t.task_id, t.parent_task_id, t.status, t.outcome,
  strftime('%Y-%m-%dT%H:%M:%S', t.started_us / 1000000, 'unixepoch') || printf('.%06dZ', t.started_us % 1000000) AS started, strftime('%Y-%m-%dT%H:%M:%S', t.ended_us / 1000000, 'unixepoch') || printf('.%06dZ', t.ended_us % 1000000) AS ended,
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
LEFT JOIN steps AS s ON s.task_id = t.task_id AND s.seq > (SELECT coalesce(max(rolled_seq), 0) FROM rollup_state)
GROUP BY t.task_id;

CREATE TABLE imports (
  import_id INTEGER PRIMARY KEY, -- order of importing
  kind TEXT NOT NULL CHECK (kind IN ('contracts', 'plans', 'invoice')),
  subject TEXT NOT NULL CHECK (subject <> ''), -- what it is a version of: the newest import of a subject counts
  files TEXT NOT NULL CHECK (json_valid(files)), -- names and SHA-256 of the files, a JSON list of objects
  rows INTEGER NOT NULL CHECK (rows > 0), -- how many rows of contracts, plans or invoice_lines came with it
  imported_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  imported_by TEXT NOT NULL -- who brought it in, or empty
) STRICT;

CREATE INDEX imports_of_subject ON imports (subject, import_id);

CREATE TABLE plans (
  import_id INTEGER NOT NULL REFERENCES imports (import_id),
  plan TEXT NOT NULL CHECK (plan <> ''),
  valid_from TEXT NOT NULL CHECK (valid_from = '' OR valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'), -- ISO date from which it is listed; empty: always
  monthly_list_price_nanousd INTEGER NOT NULL CHECK (monthly_list_price_nanousd >= 0),
  PRIMARY KEY (import_id, plan, valid_from)
) STRICT, WITHOUT ROWID;

CREATE TABLE contracts (
  import_id INTEGER NOT NULL REFERENCES imports (import_id),
  tenant TEXT NOT NULL CHECK (tenant <> ''), -- as the tag of steps
  valid_from TEXT NOT NULL CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'), -- ISO date, the first day
  valid_until TEXT NOT NULL CHECK (valid_until = '' OR (valid_until > valid_from AND valid_until GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]')), -- the first day after it; empty: it goes on
  plan TEXT NOT NULL CHECK (plan <> ''),
  monthly_revenue_nanousd INTEGER NOT NULL CHECK (monthly_revenue_nanousd >= 0),
  PRIMARY KEY (import_id, tenant, valid_from)
) STRICT, WITHOUT ROWID;

CREATE TABLE invoices (
  import_id INTEGER NOT NULL PRIMARY KEY REFERENCES imports (import_id),
  provider TEXT NOT NULL CHECK (provider <> ''), -- as in steps
  month TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'), -- of UTC days, such as 2026-08
  form TEXT NOT NULL CHECK (form <> ''), -- openai, anthropic or csv
  unit TEXT NOT NULL CHECK (unit IN ('nanousd', 'tokens')), -- what its lines count: an invoice or cost export, a usage export
  amount INTEGER NOT NULL, -- the sum of its lines, in unit
  lines INTEGER NOT NULL CHECK (lines > 0), -- of the month in the files
  outside_lines INTEGER NOT NULL CHECK (outside_lines >= 0) -- of other months, left out
) STRICT;

CREATE TABLE invoice_lines (
  import_id INTEGER NOT NULL REFERENCES invoices (import_id),
  day TEXT NOT NULL CHECK (day = '' OR day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'), -- ISO date in UTC; empty: the file has months only
  model TEXT NOT NULL, -- as the invoice names it
  item TEXT NOT NULL, -- what of it is billed, in the invoice's words, or empty
  lines INTEGER NOT NULL CHECK (lines > 0), -- of the files that are added up here
  cost_nanousd INTEGER, -- empty in a usage export
  input_tokens INTEGER, -- all of them, cached ones included; empty, as the next ones, unless it is a usage export
  output_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_5m_tokens INTEGER,
  cache_write_1h_tokens INTEGER,
  PRIMARY KEY (import_id, day, model, item),
  CHECK ((cost_nanousd IS NULL) = (input_tokens IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER imports_refuse_update BEFORE UPDATE ON imports
BEGIN
  SELECT raise(ABORT, 'imports is append-only: update refused, rows are written once');
END;

CREATE TRIGGER imports_refuse_delete BEFORE DELETE ON imports
BEGIN
  SELECT raise(ABORT, 'imports is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER imports_keep_first BEFORE INSERT ON imports
WHEN EXISTS (SELECT 1 FROM imports WHERE import_id = NEW.import_id)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TRIGGER plans_refuse_update BEFORE UPDATE ON plans
BEGIN
  SELECT raise(ABORT, 'plans is append-only: update refused, rows are written once');
END;

CREATE TRIGGER plans_refuse_delete BEFORE DELETE ON plans
BEGIN
  SELECT raise(ABORT, 'plans is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER plans_keep_first BEFORE INSERT ON plans
WHEN EXISTS (SELECT 1 FROM plans WHERE import_id = NEW.import_id AND plan = NEW.plan AND valid_from = NEW.valid_from)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TRIGGER contracts_refuse_update BEFORE UPDATE ON contracts
BEGIN
  SELECT raise(ABORT, 'contracts is append-only: update refused, rows are written once');
END;

CREATE TRIGGER contracts_refuse_delete BEFORE DELETE ON contracts
BEGIN
  SELECT raise(ABORT, 'contracts is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER contracts_keep_first BEFORE INSERT ON contracts
WHEN EXISTS (SELECT 1 FROM contracts WHERE import_id = NEW.import_id AND tenant = NEW.tenant AND valid_from = NEW.valid_from)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TRIGGER invoices_refuse_update BEFORE UPDATE ON invoices
BEGIN
  SELECT raise(ABORT, 'invoices is append-only: update refused, rows are written once');
END;

CREATE TRIGGER invoices_refuse_delete BEFORE DELETE ON invoices
BEGIN
  SELECT raise(ABORT, 'invoices is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER invoices_keep_first BEFORE INSERT ON invoices
WHEN EXISTS (SELECT 1 FROM invoices WHERE import_id = NEW.import_id)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TRIGGER invoice_lines_refuse_update BEFORE UPDATE ON invoice_lines
BEGIN
  SELECT raise(ABORT, 'invoice_lines is append-only: update refused, rows are written once');
END;

CREATE TRIGGER invoice_lines_refuse_delete BEFORE DELETE ON invoice_lines
BEGIN
  SELECT raise(ABORT, 'invoice_lines is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER invoice_lines_keep_first BEFORE INSERT ON invoice_lines
WHEN EXISTS (SELECT 1 FROM invoice_lines WHERE import_id = NEW.import_id AND day = NEW.day AND model = NEW.model AND item = NEW.item)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE VIEW import_log AS -- what was brought in; of each subject the newest counts
SELECT
  i.import_id, i.kind, i.subject, strftime('%Y-%m-%dT%H:%M:%S', i.imported_us / 1000000, 'unixepoch') || printf('.%06dZ', i.imported_us % 1000000) AS imported, i.imported_by, i.files, i.rows,
  NOT EXISTS (SELECT 1 FROM imports AS n WHERE n.subject = i.subject AND n.import_id > i.import_id) AS counts
FROM imports AS i;

CREATE TABLE forgiven (
  window_id INTEGER NOT NULL PRIMARY KEY REFERENCES windows (window_id), -- of a breaker that a person has closed
  spent_nanousd INTEGER NOT NULL, -- of what is spent in it, what counts no more
  up_to_seq INTEGER NOT NULL -- the steps up to here are forgiven, each at what it cost then or, if less, costs now
) STRICT;

CREATE TABLE watches (
  watch TEXT NOT NULL CHECK (watch <> ''), -- the name of a cut under the policy's watch
  definition TEXT NOT NULL, -- hash of what its states depend on: with another one it begins anew
  through_us INTEGER NOT NULL, -- bins that start earlier are scored, whatever comes late
  seen_seq INTEGER NOT NULL, -- of the steps up to here it is known which came late
  scored_us INTEGER NOT NULL, -- when
  PRIMARY KEY (watch, definition)
) STRICT, WITHOUT ROWID;

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
) STRICT;

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
) STRICT;

CREATE INDEX incidents_of_watch ON incidents (watch, until_us);

CREATE INDEX incidents_going_on ON incidents (watch) WHERE end_us IS NULL;

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
) STRICT;

CREATE INDEX verdicts_of_incident ON verdicts (incident_id);

CREATE TABLE watch_changes (
  watch TEXT NOT NULL,
  definition TEXT NOT NULL,
  scope TEXT NOT NULL,
  bin_us INTEGER NOT NULL, -- start of a bin that was scored before
  rows INTEGER NOT NULL, -- of steps, late ones and corrections
  change_nanousd INTEGER NOT NULL, -- what they changed it by, in all
  noted_us INTEGER NOT NULL,
  PRIMARY KEY (watch, definition, scope, bin_us)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER verdicts_refuse_update BEFORE UPDATE ON verdicts
BEGIN
  SELECT raise(ABORT, 'verdicts is append-only: update refused, rows are written once');
END;

CREATE TRIGGER verdicts_refuse_delete BEFORE DELETE ON verdicts
BEGIN
  SELECT raise(ABORT, 'verdicts is append-only: delete refused, rows are written once');
END;

CREATE TRIGGER verdicts_keep_first BEFORE INSERT ON verdicts
WHEN EXISTS (SELECT 1 FROM verdicts WHERE verdict_id = NEW.verdict_id)
BEGIN
  SELECT raise(IGNORE);
END;

CREATE TRIGGER incidents_refuse_update BEFORE UPDATE OF incident_id, watch, scope, tags, every, start_us, found_us ON incidents
BEGIN
  SELECT raise(ABORT, 'of an incident only how it goes on is updated');
END;

CREATE TRIGGER incidents_refuse_delete BEFORE DELETE ON incidents
BEGIN
  SELECT raise(ABORT, 'incidents are kept: delete refused');
END;

CREATE VIEW incident_log AS -- what stood out, what it cost beyond what is usual, and the newest word on it
SELECT
  strftime('%Y-%m-%dT%H:%M:%S', i.start_us / 1000000, 'unixepoch') || printf('.%06dZ', i.start_us % 1000000) AS started, strftime('%Y-%m-%dT%H:%M:%S', i.end_us / 1000000, 'unixepoch') || printf('.%06dZ', i.end_us % 1000000) AS ended, i.watch, i.scope, i.kind, i.severity,
  round(i.expected_nanousd / 1e9, 9) AS expected_usd, round(i.observed_nanousd / 1e9, 9) AS observed_usd,
  round(i.excess_nanousd / 1e9, 9) AS excess_usd, strftime('%Y-%m-%dT%H:%M:%S', i.told_us / 1000000, 'unixepoch') || printf('.%06dZ', i.told_us % 1000000) AS told, strftime('%Y-%m-%dT%H:%M:%S', i.suspended_us / 1000000, 'unixepoch') || printf('.%06dZ', i.suspended_us % 1000000) AS suspended, i.breaker,
  coalesce(v.verdict, '') AS verdict, coalesce(v.said_by, '') AS said_by, coalesce(v.why, '') AS why, i.explanation, i.incident_id
FROM incidents AS i
LEFT JOIN verdicts AS v ON v.verdict_id = (SELECT max(n.verdict_id) FROM verdicts AS n WHERE n.incident_id = i.incident_id);

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (1, 'spendgraph', 'm001_create_contexts_and_prices', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (2, 'spendgraph', 'm002_create_tasks', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (3, 'spendgraph', 'm003_create_steps', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (4, 'spendgraph', 'm004_create_decisions_and_settings', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (5, 'spendgraph', 'm005_create_views', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (6, 'spendgraph', 'm006_create_budgets', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (7, 'spendgraph', 'm007_create_approvals', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (8, 'spendgraph', 'm008_create_breakers', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (9, 'spendgraph', 'm009_create_alerts', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (10, 'spendgraph', 'm010_create_envelopes', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (11, 'spendgraph', 'm011_create_rollups', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (12, 'spendgraph', 'm012_create_imports', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (13, 'spendgraph', 'm013_create_forgiven', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));

INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)
VALUES (14, 'spendgraph', 'm014_create_watch', strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'));
