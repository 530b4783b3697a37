"""Calls as DuckDB is asked about them: each step with its corrections folded in, by names that rollups have too.

For what the rollups do not tell apart. Pruned steps are not there, and reports that need them say so.
"""

# ruff: noqa: S608 - names are checked here, values are parameters
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph.clock import from_us
from spendgraph.ledger import ContextRow
from spendgraph_reports.amounts import dollars
from spendgraph_reports.months import closed

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

SERIES: Final = (
    "kind",
    "name",
    "provider",
    "model",
    "service_tier",
    "owner_team",
    "missing_tags",
    "cost_basis",
    "status",
    "is_replay",
)
"""The columns of steps by which rollups and calls can be summed, beside the tags."""

QUARTER: Final = "quarter_us"
"""When the quarter of an hour begins in which a step started."""

_QUARTER_US: Final = 900_000_000
_TAGS: Final = frozenset(ContextRow._fields) - {"context_id", "extra"}
_EXTRA: Final = re.compile(r"extra\.([a-z][a-z0-9_]{0,39})")
TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_tokens",
)
"""The counts of a step, in the order of `Usage`."""

_FOLDED: Final = ("cost_nanousd", *TOKENS)

CALLS: Final = f"""\
within AS (
  SELECT * FROM steps WHERE started_us >= getvariable('since_us') AND started_us < getvariable('until_us')
), late AS (
  SELECT corrects_step_id, arg_max(status, seq) AS status, arg_max(cost_basis, seq) AS cost_basis,
    arg_max(price_id, seq) AS price_id, {", ".join(f"sum({name})::BIGINT AS {name}" for name in _FOLDED)}
  FROM within WHERE entry = 'correction' GROUP BY corrects_step_id
), calls AS (
  SELECT s.* REPLACE (
      coalesce(k.status, s.status) AS status, coalesce(k.cost_basis, s.cost_basis) AS cost_basis,
      coalesce(k.price_id, s.price_id) AS price_id,
      {", ".join(f"s.{name} + coalesce(k.{name}, 0) AS {name}" for name in _FOLDED)}
    ), k.corrects_step_id IS NOT NULL AS is_corrected
  FROM within AS s LEFT JOIN late AS k ON k.corrects_step_id = s.step_id
  WHERE s.entry = 'charge'
)"""
"""`calls`: one row for each step of the period, as its corrections left it; a correction has its step's start."""


def bounds(period: Period) -> dict[str, int]:
    """The parameters of `CALLS` for a closed period."""
    since, until = closed(period)
    return {"since_us": since, "until_us": until}


def column(name: str) -> str:
    """A tag or dimension in DuckDB's SQL; steps are aliased `s`, contexts `c`.

    Raises:
        ValueError: There is no such name.
    """
    if name in _TAGS:
        return f'c."{name}"'
    if name in SERIES:
        return f's."{name}"'
    if name == QUARTER:
        return f"(s.started_us - s.started_us % {_QUARTER_US})"
    if match := _EXTRA.fullmatch(name):
        return f"coalesce(json_extract_string(c.extra, '$.\"{match[1]}\"'), '')"
    known = ", ".join([*sorted(_TAGS), *SERIES, QUARTER, "extra.<key>"])
    raise ValueError(f"calls are not told apart by {name!r}, but by {known}")


def columns(names: Iterable[str]) -> str:
    """The same of several, each under its own name, with a comma behind it."""
    return "".join(f'{column(name)} AS "{name}", ' for name in names)


def called(
    books: Books, by: Sequence[str], period: Period, sums: dict[str, str], *, more: str = ""
) -> list[dict[str, Any]]:
    """Sums over the calls of a period that are still in `steps`, by who pays according to the organisation.

    Args:
        books: The ledger.
        by: Tags and dimensions, as in `Books.rows`.
        period: Calls by their start.
        sums: Names and SQL over a call `s` and its payer `c`: whole numbers.
        more: Further tables for the SQL, joined to `calls`.

    Raises:
        ValueError: There is no such name.
        QueryError: The question failed.
    """
    selected = ", ".join(f"coalesce(sum({sql}), 0)::BIGINT AS {name}" for name, sql in sums.items())

    def read(names: Sequence[str], part: Period) -> list[dict[str, Any]]:
        group = f" GROUP BY {', '.join(str(at) for at in range(1, len(names) + 1))}" if names else ""
        return books.ask(
            f"WITH {CALLS} SELECT {columns(names)}{selected}"
            f" FROM calls AS s JOIN contexts AS c ON c.context_id = s.context_id {more}{group}",
            **bounds(part),
        )

    return books.seen(by, period, read, sums=list(sums))


def pruned(books: Books, period: Period, cost_nanousd: int) -> tuple[str, ...]:
    """What to say where steps of a period were pruned, so that calls are not all there.

    Args:
        books: The ledger.
        period: The report's.
        cost_nanousd: What the ledger says it cost.
    """
    before_us = books.reader.rollup_status().pruned_before_us
    if period.since_us is not None and before_us <= period.since_us:
        return ()
    (found,) = books.ask(
        "SELECT coalesce(sum(cost_nanousd), 0)::BIGINT AS cost_nanousd FROM steps"
        " WHERE started_us >= getvariable('since_us') AND started_us < getvariable('until_us')",
        **bounds(period),
    )
    said = (
        f"Steps that started before {from_us(before_us):%Y-%m-%d %H:%M} UTC may be pruned: of {dollars(cost_nanousd)},"
        f" calls over {dollars(found['cost_nanousd'])} can still be asked about."
    )
    return (said,)
