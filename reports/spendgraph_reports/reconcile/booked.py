"""What the ledger has of a provider in a period, by day and model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from spendgraph_reports.engine import Question, ask
from spendgraph_reports.period import DAY_US, Period

_EPOCH: Final = date(1970, 1, 1)
_TOKENS: Final = "s.input_tokens + s.output_tokens"

_BOOKED: Final = f"""\
SELECT
  s.started_us // {DAY_US} AS day,
  coalesce(nullif(s.model, ''), nullif(s.model_requested, ''), nullif(s.name, ''), s.kind) AS model,
  sum(s.cost_nanousd)::BIGINT AS cost_nanousd,
  sum({_TOKENS})::BIGINT AS tokens,
  coalesce(sum(s.cost_nanousd) FILTER (WHERE s.missing_tags <> ''), 0)::BIGINT AS unattributed_nanousd,
  coalesce(sum({_TOKENS}) FILTER (WHERE s.missing_tags <> ''), 0)::BIGINT AS unattributed_tokens,
  coalesce(sum(s.cost_nanousd) FILTER (WHERE s.cost_basis IN ('estimated', 'upper_bound')), 0)::BIGINT
    AS estimated_nanousd,
  coalesce(sum({_TOKENS}) FILTER (WHERE s.cost_basis IN ('estimated', 'upper_bound')), 0)::BIGINT AS estimated_tokens,
  count(*) FILTER (WHERE s.cost_basis = 'unpriced' AND s.entry = 'charge') AS unpriced_steps
FROM steps AS s
WHERE (getvariable('provider') IS NULL OR s.provider = getvariable('provider'))
  AND (getvariable('since') IS NULL OR s.started_us >= getvariable('since'))
  AND (getvariable('until') IS NULL OR s.started_us < getvariable('until'))
  AND NOT (s.status = 'cache_hit' AND s.cost_nanousd = 0)
GROUP BY ALL
ORDER BY ALL"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Booked:
    """A day's steps of one model (of what has none: of its name), in nano-USD and in tokens."""

    day: date
    model: str
    cost_nanousd: int
    tokens: int
    unattributed_nanousd: int
    unattributed_tokens: int
    estimated_nanousd: int
    estimated_tokens: int
    unpriced_steps: int


def booked(ledger: str | Path, period: Period, provider: str | None) -> Iterator[Booked]:
    """The ledger's side of a reconciliation, corrections folded in; UTC days, as providers have them.

    Raises:
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        QueryError: DuckDB failed.
        LedgerError: It is not a ledger in a file, or not of this version.
    """
    parameters = {"since": period.since_us, "until": period.until_us, "provider": provider}
    for row in ask(ledger, Question(_BOOKED, parameters)):
        yield Booked(day=_EPOCH + timedelta(days=row.pop("day")), **row)
