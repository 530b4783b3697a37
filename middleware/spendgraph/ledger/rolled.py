"""Questions to the rollups, with the steps that are not in them yet: one statement, so of one moment."""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.clock import from_us, to_us
from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.columns import TAGS, Parameters, expression, matches, microseconds, names

if TYPE_CHECKING:
    import sqlite3

SERIES: Final = tuple(name for name in sql.DIMENSIONS if name != "context_id")
"""The columns of steps that the rollups tell apart, beside the tags."""

_END: Final = 2**62
_MUCH: Final = 100_000

_FINE: Final = frozenset({"quarter_us", "hour", "day"})
_BUCKETS: Final = (*sorted(_FINE), "month")

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
    by = names(by)
    for name in sums:
        if name not in SUMS:
            raise ValueError(f"the rollups have no sum {name!r}; they have {', '.join(SUMS)}")
    needed = list(
        dict.fromkeys(
            ["steps", "corrections", *(_PARTS[name][0] if name in _PARTS else name for name in sums)]
        )
    )
    branches, parameters = list[str](), Parameters()
    for part in _parts(start, end, is_fine=any(name in _FINE for name in by)):
        source, buckets = _source(part, by, needed, bool(filters))
        values = {name: f"{part.sign}q.{name}" for name in needed}
        (select, where), (own, own_where) = _branch(by, sums, filters, "r", buckets, values)
        branches.append(f"SELECT {select} FROM {source} WHERE {where}")
        parameters += [*own, part.start, part.end, *own_where]
    (select, where), (own, own_where) = _branch(
        by, sums, filters, "s", _bucketed(f"({sql.QUARTER})", by), sql.SUMS
    )
    branches.append(
        f"SELECT {select} FROM steps AS s {_way(connection)} CROSS JOIN contexts AS c ON c.context_id = s.context_id"
        f" WHERE s.seq > {sql.ROLLED_SEQ} AND s.started_us >= ? AND s.started_us < ? AND {where}"
    )
    parameters += [*own, start, end, *own_where]
    positions = [str(position) for position in range(1, len(by) + 1)]
    group = f" GROUP BY {', '.join(positions)}" if by else ""
    columns = [*(f'"{name}"' for name in by), *(f"sum({name}) AS {name}" for name in sums)]
    query = (
        f"SELECT {', '.join(columns)} FROM ({' UNION ALL '.join(branch + group for branch in branches)})"
        f"{group} HAVING sum(counted_) > 0 ORDER BY {', '.join([f'{len(by) + 1} DESC', *positions])}"
    )
    return [dict(row) for row in connection.execute(query, parameters)]


def read_span(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """From the quarter of an hour of the first step, pruned or not, to the end of the last one's."""
    # One question for each end: asked for both ends at once, SQLite reads a whole index.
    ends = ("quarter_us) FROM rollup_15min", "started_us) FROM steps")
    first, last = (
        [at for end in ends if (at := connection.execute(f"SELECT {which}({end}").fetchone()[0]) is not None]
        for which in ("min", "max")
    )
    if not first:
        return None
    return (
        min(first) - min(first) % sql.QUARTER_US,
        max(last) - max(last) % sql.QUARTER_US + sql.QUARTER_US,
    )


class _Part(NamedTuple):
    """A part of the time asked for, from one of the rollups; with a minus it is taken away again."""

    table: str
    column: str
    sign: str
    start: int
    end: int


def _parts(start: int, end: int, *, is_fine: bool) -> list[_Part]:
    """The time asked for in whole months as far as it goes, and the quarters of an hour that are missing or too many.

    A month of another time zone begins and ends some hours beside one of UTC's.
    """
    quarters = ("rollup_15min", "quarter_us")
    first, last = (_nearest_month(at) for at in (start, end))
    if is_fine or first >= last:
        return [_Part(*quarters, "", start, end)]
    parts = [_Part("rollup_months", "month_us", "", first, last)]
    for sign, from_us_, to_us_ in (
        ("", start, first),
        ("-", first, start),
        ("", last, end),
        ("-", end, last),
    ):
        if from_us_ < to_us_:
            parts.append(_Part(*quarters, sign, from_us_, to_us_))
    return parts


def _nearest_month(at: int) -> int:
    if at == _END:
        return at
    moment = from_us(at)
    month = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (month + timedelta(days=32)).replace(day=1)
    return min(to_us(month), to_us(following), key=lambda each: abs(each - at))


def _source(
    part: _Part, by: Sequence[str], needed: Sequence[str], has_filters: bool
) -> tuple[str, dict[str, str]]:
    """Where the rows of a part come from, and the time buckets in them."""
    buckets = _bucketed(f"q.{part.column}", by)
    between = f"q.{part.column} >= ? AND q.{part.column} < ?"
    if has_filters or part.table == "rollup_months":
        # From the payer to its series to their times, each by an index; a series has few months.
        return (
            "contexts AS c CROSS JOIN rollup_series AS r ON r.context_id = c.context_id"
            f" CROSS JOIN {part.table} AS q ON q.series_id = r.series_id AND {between}"
        ), buckets
    # First the sums of each series, then whose they are: a name is looked up once.
    own = "".join(f", {found} AS {name}_" for name, found in buckets.items())
    summed = "".join(f", sum(q.{name}) AS {name}" for name in needed)
    keys = ", ".join(str(number) for number in range(1, len(buckets) + 2))
    return (
        f"(SELECT q.series_id{own}{summed} FROM {part.table} AS q WHERE {between} GROUP BY {keys}) AS q"
        " CROSS JOIN rollup_series AS r ON r.series_id = q.series_id"
        " CROSS JOIN contexts AS c ON c.context_id = r.context_id"
    ), {name: f"q.{name}_" for name in buckets}


Branch = tuple[str, str]


def _way(connection: sqlite3.Connection) -> str:
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
    selected.append(f"sum({values['steps']}) + sum({values['corrections']}) AS counted_")
    conditions, where_parameters = ["1"], Parameters()
    for name, value in filters.items():
        condition, own = matches(*_name(name, dimensions), value)
        conditions.append(condition)
        where_parameters += own
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
        if name in _BUCKETS
    }


def _aligned(moment: datetime | int | None, default: int) -> int:
    if moment is None:
        return default
    found = microseconds(moment)
    if found % sql.QUARTER_US:
        raise ValueError(
            f"expected the start of a quarter of an hour, such as {found - found % sql.QUARTER_US}, found {moment}"
        )
    return found
