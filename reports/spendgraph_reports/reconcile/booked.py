"""What the ledger has of a provider in a period, by day and model: of its steps or, once they are pruned, of the rollups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from spendgraph.ledger import Ledger, LedgerReader
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

_SUMS: Final = (
    "cost_nanousd",
    "tokens",
    "unattributed_nanousd",
    "unattributed_tokens",
    "estimated_nanousd",
    "estimated_tokens",
    "unpriced_steps",
)


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

    Args:
        ledger: The ledger.
        period: Whole UTC days.
        provider: Whose steps; None: everybody's.

    Raises:
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        QueryError: DuckDB failed.
        LedgerError: It is not a ledger in a file, or not of this version.
    """
    with Ledger.open_readonly(ledger) as reader:
        if (period.since_us or 0) < reader.rollup_status().pruned_before_us:
            yield from _rolled(reader, period, provider)
            return
    parameters = {"since": period.since_us, "until": period.until_us, "provider": provider}
    for row in ask(ledger, Question(_BOOKED, parameters)):
        yield Booked(day=_EPOCH + timedelta(days=row.pop("day")), **row)


def _rolled(reader: LedgerReader, period: Period, provider: str | None) -> Iterator[Booked]:
    """The same from the rollups, which do not know what model was asked for where none answered."""
    filters = {} if provider is None else {"provider": provider}
    found: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SUMS, 0))
    for row in reader.rolled(
        ("day", "model", "name", "kind", "missing_tags", "cost_basis", "status"),
        since=period.since_us,
        until=period.until_us,
        sums=("cost_nanousd", "input_tokens", "output_tokens", "unpriced_steps"),
        **filters,
    ):
        cost, tokens = row["cost_nanousd"], row["input_tokens"] + row["output_tokens"]
        if row["status"] == "cache_hit" and not cost:
            continue
        sums = found[row["day"], row["model"] or row["name"] or row["kind"]]
        sums["cost_nanousd"] += cost
        sums["tokens"] += tokens
        sums["unpriced_steps"] += row["unpriced_steps"]
        for part, is_in in {
            "unattributed": row["missing_tags"] != "",
            "estimated": row["cost_basis"] in {"estimated", "upper_bound"},
        }.items():
            sums[f"{part}_nanousd"] += cost if is_in else 0
            sums[f"{part}_tokens"] += tokens if is_in else 0
    for (day, model), sums in sorted(found.items()):
        yield Booked(date.fromisoformat(day), model, **sums)
