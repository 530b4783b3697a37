"""Questions to the rollups, with the steps that are not in them yet: one statement, so of one moment."""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from spendgraph.clock import to_us
from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.columns import TAGS, Parameters, expression

if TYPE_CHECKING:
    import sqlite3

SERIES: Final = tuple(name for name in sql.DIMENSIONS if name != "context_id")
"""The columns of steps that the rollups tell apart, beside the tags."""

_END: Final = 2**62
_MUCH: Final = 100_000

_BUCKETS: Final = ("quarter_us", "hour", "day", "month")

_PARTS: Final = {
    "unattributed_nanousd": ("cost_nanousd", "{0}.missing_tags <> ''"),
    "not_reported_nanousd": ("cost_nanousd", "{0}.cost_basis IN ('estimated', 'upper_bound')"),
    "unpriced_steps": ("steps", "{0}.cost_basis = 'unpriced'"),
}
"""Parts of a sum: which, and of which series."""

SUMS: Final = (*sql.SUMS, *_PARTS)
"""What can be summed."""


def read_rolled(
    connection: sqlite3.Connection,
    by: Sequence[str],
    since: datetime | int | None,
    until: datetime | int | None,
    sums: Sequence[str],
    filters: dict[str, object],
) -> list[dict[str, Any]]:
    """Sums by tags, series and time; see `LedgerReader.rolled`.

    Raises:
        ValueError: There is no such name, or a time is within a quarter of an hour.
    """
    start, end = _aligned(since, 0), _aligned(until, _END)
    for name in sums:
        if name not in SUMS:
            raise ValueError(f"the rollups have no sum {name!r}; they have {', '.join(SUMS)}")
    buckets = [name for name in by if name in _BUCKETS]
    needed = list(dict.fromkeys([*(_PARTS[name][0] if name in _PARTS else name for name in sums)]))
    quarters = _bucketed("q.quarter_us", buckets)
    if filters:
        # From the payer to its series to their quarters, each by an index.
        source = (
            "contexts AS c CROSS JOIN rollup_series AS r ON r.context_id = c.context_id CROSS JOIN rollup_15min AS q"
            " ON q.series_id = r.series_id AND q.quarter_us >= ? AND q.quarter_us < ?"
        )
    else:
        # First the sums of each series, then whose they are: a name is looked up once.
        own = "".join(f", {quarters[name]} AS {name}_" for name in buckets)
        summed = "".join(f", sum(q.{name}) AS {name}" for name in needed)
        keys = ", ".join(["1", *(str(number) for number in range(2, len(buckets) + 2))])
        source = (
            f"(SELECT q.series_id{own}{summed} FROM rollup_15min AS q WHERE q.quarter_us >= ? AND q.quarter_us < ?"
            f" GROUP BY {keys}) AS q CROSS JOIN rollup_series AS r ON r.series_id = q.series_id"
            " CROSS JOIN contexts AS c ON c.context_id = r.context_id"
        )
        quarters = {name: f"q.{name}_" for name in buckets}
    rolled, rolled_parameters = _branch(
        by, sums, filters, "r", quarters, {name: f"q.{name}" for name in needed}
    )
    tail, tail_parameters = _branch(by, sums, filters, "s", _bucketed(f"({sql.QUARTER})", buckets), sql.SUMS)
    names = [f'"{name}"' for name in by]
    positions = [str(position) for position in range(1, len(by) + 1)]
    group = f"GROUP BY {', '.join(positions)}" if by else "HAVING count(*) > 0"
    inner = f" GROUP BY {', '.join(positions)}" if by else " HAVING count(*) > 0"
    query = f"""\
SELECT {", ".join([*names, *(f"sum({name}) AS {name}" for name in sums)])} FROM (
  SELECT {rolled[0]} FROM {source} WHERE {rolled[1]}{inner}
  UNION ALL
  SELECT {tail[0]} FROM steps AS s {_by(connection)} CROSS JOIN contexts AS c ON c.context_id = s.context_id
  WHERE s.seq > {sql.ROLLED_SEQ} AND s.started_us >= ? AND s.started_us < ? AND {tail[1]}{inner}
) {group}
ORDER BY {", ".join([f"{len(by) + 1} DESC", *positions])}"""
    select, where = rolled_parameters
    tail_select, tail_where = tail_parameters
    parameters = [*select, start, end, *where, *tail_select, start, end, *tail_where]
    return [dict(row) for row in connection.execute(query, parameters)]


Branch = tuple[str, str]


def _by(connection: sqlite3.Connection) -> str:
    """How what is not rolled is found: by `seq`, unless it is so much that its index on the start is better."""
    waiting: int = connection.execute(f"SELECT max(seq) - {sql.ROLLED_SEQ} FROM steps").fetchone()[0] or 0
    return "NOT INDEXED" if waiting < _MUCH else ""


def _branch(
    by: Sequence[str],
    sums: Sequence[str],
    filters: dict[str, object],
    dimensions: str,
    buckets: dict[str, str],
    values: dict[str, str],
) -> tuple[Branch, tuple[Parameters, Parameters]]:
    """What one side of the union selects, and on which condition, with the parameters of both."""
    selected, select_parameters = list[str](), Parameters()
    for name in by:
        found, own = (buckets[name], Parameters()) if name in buckets else _name(name, dimensions)
        selected.append(f'{found} AS "{name}"')
        select_parameters += own
    for name in sums:
        if name in _PARTS:
            of, condition = _PARTS[name]
            selected.append(
                f"sum(CASE WHEN {condition.format(dimensions)} THEN {values[of]} ELSE 0 END) AS {name}"
            )
        else:
            selected.append(f"sum({values[name]}) AS {name}")
    conditions, where_parameters = ["1"], Parameters()
    for name, value in filters.items():
        found, own = _name(name, dimensions)
        wanted: list[object] = (
            list(value)  # pyright: ignore[reportUnknownArgumentType] - any values
            if isinstance(value, Iterable) and not isinstance(value, str)
            else [value]
        )
        conditions.append(f"{found} IN ({', '.join('?' * len(wanted))})")
        where_parameters += [*own, *wanted]
    return (", ".join(selected), " AND ".join(conditions)), (select_parameters, where_parameters)


def _name(name: str, dimensions: str) -> tuple[str, Parameters]:
    if name in SERIES:
        return f"{dimensions}.{name}", []
    if name in TAGS or name.startswith("extra."):
        return expression(name)
    known = ", ".join([*TAGS, *SERIES, "extra.<key>", *_BUCKETS])
    raise ValueError(f"the rollups do not tell {name!r} apart; they have {known}")


def _bucketed(quarter: str, names: Iterable[str]) -> dict[str, str]:
    return {
        name: quarter if name == "quarter_us" else expression(name)[0].replace("s.started_us", quarter)
        for name in names
    }


def _aligned(moment: datetime | int | None, default: int) -> int:
    if moment is None:
        return default
    found = to_us(moment) if isinstance(moment, datetime) else moment
    if found % sql.QUARTER_US:
        raise ValueError(
            f"expected the start of a quarter of an hour, such as {found - found % sql.QUARTER_US}, found {moment}"
        )
    return found
