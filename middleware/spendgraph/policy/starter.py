"""The policy that `spendgraph init` writes: it refuses nothing but a runaway, and shows what can be said.

Lines that start with `#` and text at once are examples: take the `#` away and they count.
"""

from __future__ import annotations

STARTER_POLICY = """\
# The spendgraph policy: who must be named for every dollar, and what things cost.
# All of it is optional. Unknown keys are errors, and each error names its line.
# Values are read as text: NO, 1e3 and 01 stay what they are. Dollars are exact, such as "0.25".
version: 1

# Which tags a task must carry.
attribution:
  # Standard tags: feature, team, workload_class, tenant, environment, user, version, template,
  # template_version, workspace, project, cost_center, priority. A tag of your own, such as region, is
  # written x_region.
  required: [feature, team, tenant, workload_class, environment]

  # record: calls without these tags go out and are booked as unattributed, visible on every report.
  # block:  they are refused before a single token is sent. Switch once `spendgraph top` shows none.
  on_missing: record

  # The only values a tag may have.
#  allowed:
#    environment: [production, staging, eval]

  # More that is required, in some cases only.
#  rules:
#    - when: {environment: production}
#      require: [cost_center]
#      message: Production runs require a cost_center tag.

  # May the metadata of a run set its tags? On a LangGraph server clients can send metadata: say false
  # there and set the tags in code.
  trust_metadata: true

  # Tags to accept from another service's baggage header.
#  trust_baggage: [tenant, task_id]

  # hashed: the ledger keeps a keyed pseudonym instead of the user.
  users: plain

# Who provides a step (the team in its tags consumes it). The first rule that matches counts; * is a wildcard.
owners:
#  - {kind: retriever, name: "kb*", team: search}
#  - {node: planner, team: agent-framework}

# Prices come from a well-kept public list. Yours come first.
prices:
  # record: a model without a price goes out and is booked as unpriced, never as free.
  # block:  it is refused before the call.
  unpriced: record
  models:
#    - provider: openai
#      model: "my-llama-*"
#      input_usd_per_mtok: "0.20"
#      output_usd_per_mtok: "0.60"
#      from: 2026-01-01

# Tools by name: who publishes them and what they cost. A tool that is not listed is free.
tools:
#  web_search: {owner: search-platform, usd_per_call: "0.005"}
#  ocr: {owner: documents, usd_per_unit: "0.0015", unit: page}
#  "billing-mcp/*": {owner: payments}

# What may be spent. Every budget that matches a call must have room for it before it goes out; without
# budgets nothing is refused for its cost.
budgets:
#  - name: tenant ceiling
#    owner: growth
#    signed_off: {by: cfo@example.com, on: 2026-10-01}
#    match: {environment: production}
#    per: [tenant]             # or call, task, thread; without it one counter in all
#    period: month             # hour, day, week, month, quarter, total, rolling 24h
#    timezone: Europe/Berlin
#    limit_usd: "500"          # or limit_tokens, limit_calls
#    reserve: expected         # strict: only calls with a proven ceiling, and never exceeded
#    quantile: "0.95"          # of what such calls have cost, once 20 are known: what `expected` holds
#    thresholds:
#      - {at: 50%, do: notify}         # the owner is told, and whoever is named: to: [team-lead]
#      - {at: 80%, do: [degrade]}      # calls are made cheaper, where an agent has BudgetMiddleware
#      - {at: 90%, do: acknowledge}    # the graph pauses until somebody takes note, once a window
#      - {at: 100%, do: approve}       # beyond the limit a person is asked instead of the call being refused
#    approvers: [lead@example.com]     # who may say yes; without it anybody who may write the ledger
#  - {name: single call, per: call, limit_usd: "0.05"}

# What calls are expected to use before anything is known of them.
estimates:
#  default_output_tokens: 1024    # of an answer, until 20 calls of the feature and model are known

# Teams reorganise: what reports show from a day on. Steps stay as they were booked.
mappings:
#  - {name: growth joins sales, from: 2026-07-01, when: {team: growth}, set: {team: sales, cost_center: cc-200}}

# Who shares, in reports, what serves several payers; after the mappings, the first that matches a row counts.
splits:
#  - name: document index
#    from: 2026-07-01          # to: the first day on which it no longer holds
#    when: {feature: document-index}
#    into:
#      - {share: 60%, set: {cost_center: cc-100}}
#      - {share: 40%, set: {cost_center: cc-200}}

# How people answer when a budget asks them.
approvals:
#  within: 24h                    # silence past this means no
#  decisions: inline              # recorded: only `spendgraph approvals` and the ledger's inbox decide

# Who is told, and where: Slack, mail and whatever else apprise knows. ${NAME} is an environment variable.
notify:
#  growth: "json://localhost/spend"
#  team-lead: ["mailto://localhost?to=lead@example.com", "json://localhost/lead"]

# What happens to calls of an environment while the ledger cannot be written. An environment not named blocks.
on_ledger_error:
#  production: block
#  eval: allow                    # they go out unheld and are booked later

# What stops calls for a while when something looks wrong; it says nothing about what may be spent in the long run.
breakers:
  # Nobody spends more than this within a minute: a loop is stopped within its first dollars. Set it to what your
  # busiest tenant needs; `spendgraph breakers` shows what is stopped.
  - {name: velocity, per: [tenant], usd_per_minute: "5", open_for: 15m}
#  - {name: tenant day, per: [tenant], limit_usd: "100", period: day}
#  - {name: task cost, per: [feature], times_median: 10, min_history: 20}
#  - {name: stuck loop, per: [task], identical_calls: 20}
#  - {name: suspended, per: [tenant], open_for: 1h}     # without a condition: a person or the watch opens it

# What `spendgraph watch` looks at: spending that is unlike the same hours of the weeks before.
watch:
#  timezone: Europe/Berlin
#  holidays: [2026-12-25, 2026-12-26]
#  cuts:
#    - name: tenants
#      per: [tenant]
#      every: hour               # or quarter, day
#      min_usd: "5"              # nobody hears of less
#      owner: growth             # told, if it stands under notify
#      breaker: suspended        # what an incident may open for its tenant
#      suspend: true             # by itself, once it has cost this much and still goes on this fast:
#      suspend_usd: "100"
#      suspend_usd_per_hour: "100"
"""
