"""The charges of a FOCUS export, summed in the ledger: one row per day, price, payer and provider.

Users and extra tags are not among the columns: they would make a row of nearly every call, and a billing file
travels further than a ledger.
"""

from __future__ import annotations

from typing import Final

from spendgraph_reports.engine import Question
from spendgraph_reports.period import DAY_US, Period

TAGS: Final = (
    "feature",
    "team",
    "workload_class",
    "tenant",
    "environment",
    "version",
    "template",
    "template_version",
    "workspace",
    "project",
    "cost_center",
    "priority",
)

_COUNTED_IN_TOKENS: Final = "('model', 'embedding', 'rerank')"

_CHARGES: Final = f"""\
SELECT
  s.started_us // {DAY_US} AS day,
  s.provider, s.kind, s.owner_team, s.service_tier, s.cost_basis, s.entry,
  CASE WHEN s.kind IN {_COUNTED_IN_TOKENS} THEN coalesce(nullif(s.model, ''), nullif(s.model_requested, ''), s.name)
    ELSE s.name END AS item,
  coalesce(s.price_id, '') AS price_id,
  CASE WHEN s.quantity IS NOT NULL AND s.unit <> '' THEN s.unit
    WHEN s.kind IN {_COUNTED_IN_TOKENS} THEN 'Tokens' ELSE 'Requests' END AS unit,
  s.missing_tags <> '' AS unattributed,
  {", ".join(f'c."{tag}"' for tag in TAGS)},
  count(*) FILTER (WHERE s.entry = 'charge') AS calls,
  sum(s.cost_nanousd)::BIGINT AS cost_nanousd,
  sum(s.input_tokens)::BIGINT AS input_tokens,
  sum(s.output_tokens)::BIGINT AS output_tokens,
  sum(s.cache_read_tokens)::BIGINT AS cache_read_tokens,
  sum(s.cache_write_5m_tokens + s.cache_write_1h_tokens)::BIGINT AS cache_write_tokens,
  sum(s.reasoning_tokens)::BIGINT AS reasoning_tokens,
  coalesce(sum(s.quantity), 0.0) AS quantity
FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id
WHERE (getvariable('since') IS NULL OR s.started_us >= getvariable('since'))
  AND (getvariable('until') IS NULL OR s.started_us < getvariable('until'))
  AND NOT (s.status = 'cache_hit' AND s.cost_nanousd = 0)
GROUP BY ALL
ORDER BY ALL"""  # noqa: S608 - our own names


def charges(period: Period) -> Question:
    """The question for a period. A call that LangChain's own cache answered bought nothing and is no charge."""
    return Question(_CHARGES, {"since": period.since_us, "until": period.until_us})
