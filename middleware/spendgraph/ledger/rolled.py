"""Questions to the rollups, with the steps that are not in them yet: one statement, so of one moment."""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

_FEW: Final = 10
"""Accounts are few if they are less than such a part of all."""

_BUCKETS: Final = ("quarter_us", "hour", "day", "month")
_OF_ACCOUNTS: Final = frozenset({*sql.ACCOUNT_TAGS, *SERIES, "hour", "day", "month"})
"""What the hours and months of accounts tell apart."""

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
    levels = _levels({*by, *filters})
    is_selective = bool(filters) and _is_selective(connection, levels, filters)
    branches, parameters = list[str](), Parameters()
    for part in _parts(start, end, levels):
        source = _source(part, by, needed, is_selective=is_selective)
        values = {name: f"{'-' if part.is_taken_away else ''}q.{name}" for name in needed}
        (select, own), (where, own_where) = _branch(
            by, sums, filters, part.level.dimensions, source.buckets, values
        )
        branches.append(f"SELECT {select} FROM {source.sql} WHERE {where}")
        parameters += [*own, *source.parameters, *own_where]
    (select, own), (where, own_where) = _branch(
        by, sums, filters, "s", _bucketed(f"({sql.QUARTER})", by), sql.SUMS
    )
    branches.append(
        f"SELECT {select} FROM steps AS s {_way(connection)} CROSS JOIN contexts AS c ON c.context_id = s.context_id"
        f" WHERE s.seq > {sql.ROLLED_SEQ} AND s.started_us >= ? AND s.started_us < ? AND {where}"
    )
    parameters += [*own, start, end, *own_where]
    positions = [str(position) for position in range(1, len(by) + 1)]
    group = f" GROUP BY {', '.join(positions)}" if by else ""
    columns = [*map(_shown, by), *(f"sum({name}) AS {name}" for name in sums)]
    query = (
        f"SELECT {', '.join(columns)} FROM ({' UNION ALL '.join(branch + group for branch in branches)})"
        f"{group} HAVING sum(counted_) > 0 ORDER BY {', '.join([f'{len(by) + 1} DESC', *positions])}"
    )
    return [dict(row) for row in connection.execute(query, parameters)]


def read_span(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """From the quarter of an hour of the first step, pruned or not, to the end of the last one's."""
    # Each end by itself: asked for both, SQLite would read a whole index.
    found = connection.execute(
        "SELECT (SELECT min(quarter_us) FROM rollup_15min), (SELECT min(started_us) FROM steps),"
        " (SELECT max(quarter_us) FROM rollup_15min), (SELECT max(started_us) FROM steps)"
    ).fetchone()
    times: list[int] = [at for at in found if at is not None]
    if not times:
        return None
    first, last = (at - at % sql.QUARTER_US for at in (min(times), max(times)))
    return first, last + sql.QUARTER_US


class _Level(NamedTuple):
    """One of the tables of sums over time: how its times are called, and where the columns of a series are."""

    table: str
    column: str
    dimensions: str


_QUARTERS: Final = _Level("rollup_15min", "quarter_us", "r")
_HOURS: Final = _Level("rollup_hours", "hour_us", "c")
_MONTHS: Final = _Level("rollup_months", "month_us", "c")


class _Part(NamedTuple):
    """A part of the time asked for, from one of the tables; some are taken away again."""

    level: _Level
    is_taken_away: bool
    start: int
    end: int


def _levels(names: set[str]) -> tuple[_Level, ...]:
    """The tables that know these names, the one with the fewest rows first."""
    if not names <= _OF_ACCOUNTS:
        return (_QUARTERS,)
    return (_HOURS, _QUARTERS) if names & {"hour", "day"} else (_MONTHS, _HOURS, _QUARTERS)


def _parts(start: int, end: int, levels: Sequence[_Level], *, is_taken_away: bool = False) -> Iterator[_Part]:
    """The time asked for in whole months as far as it goes, and the hours and quarters of one that are missing or too many.

    A month of another time zone begins and ends some hours beside one of UTC's.
    """
    level, *finer = levels
    if not finer:
        yield _Part(level, is_taken_away, start, end)
        return
    first, last = (_nearest(at, level) for at in (start, end))
    if first >= last:
        yield from _parts(start, end, finer, is_taken_away=is_taken_away)
        return
    yield _Part(level, is_taken_away, first, last)
    for is_too_much, from_us_, to_us_ in (
        (False, start, first),
        (True, first, start),
        (False, last, end),
        (True, end, last),
    ):
        if from_us_ < to_us_:
            yield from _parts(from_us_, to_us_, finer, is_taken_away=is_taken_away != is_too_much)


def _nearest(at: int, level: _Level) -> int:
    """The hour or month that starts nearest to a time."""
    if at == _END:
        return at
    if level is _HOURS:
        return (at + sql.HOUR_US // 2) // sql.HOUR_US * sql.HOUR_US
    moment = from_us(at)
    month = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (month + timedelta(days=32)).replace(day=1)
    return min(to_us(month), to_us(following), key=lambda each: abs(each - at))


class _Source(NamedTuple):
    """Where the rows of a part come from, with the parameters of that, and the time buckets in them."""

    sql: str
    parameters: Parameters
    buckets: dict[str, str]


def _source(part: _Part, by: Sequence[str], needed: Sequence[str], *, is_selective: bool) -> _Source:
    """How a part is read.

    Args:
        part: The part.
        by: What is grouped by.
        needed: The sums that are needed.
        is_selective: Few accounts or payers are asked for.
    """
    table, column, _ = part.level
    buckets = _bucketed(f"q.{column}", by, part.level)
    between = f"q.{column} >= ? AND q.{column} < ?"
    times: Parameters = [part.start, part.end]
    if part.level is _MONTHS:
        sql_ = f"rollup_accounts AS c CROSS JOIN {table} AS q ON q.account_id = c.account_id AND {between}"
        return _Source(sql_, times, buckets)
    if part.level is _HOURS:
        weeks: Parameters = [part.start - (part.start + 3 * sql.DAY_US) % sql.WEEK_US, part.end]
        if is_selective:
            sql_ = (
                f"rollup_accounts AS c CROSS JOIN ({_WEEKS}) AS w"
                f" CROSS JOIN {table} AS q ON q.week_us = w.week_us AND q.account_id = c.account_id AND {between}"
            )
            return _Source(sql_, [*weeks, *times], buckets)
        between += " AND q.week_us >= ? AND q.week_us < ?"
        times += weeks
        if "hour" in by:
            sql_ = (
                f"{table} AS q CROSS JOIN rollup_accounts AS c ON c.account_id = q.account_id AND {between}"
            )
            return _Source(sql_, times, buckets)
    elif is_selective and part.end - part.start > sql.WEEK_US:
        # From the payer to its series to their times, each by an index.
        sql_ = (
            "contexts AS c CROSS JOIN rollup_series AS r ON r.context_id = c.context_id"
            f" CROSS JOIN {table} AS q ON q.series_id = r.series_id AND {between}"
        )
        return _Source(sql_, times, buckets)
    # First the sums of each account or series, then whose they are: a name is looked up once.
    key, names = (
        ("account_id", "rollup_accounts AS c ON c.account_id = q.account_id")
        if part.level is _HOURS
        else (
            "series_id",
            "rollup_series AS r ON r.series_id = q.series_id CROSS JOIN contexts AS c ON c.context_id = r.context_id",
        )
    )
    own = "".join(f", {found} AS {name}_" for name, found in buckets.items())
    summed = "".join(f", sum(q.{name}) AS {name}" for name in needed)
    keys = ", ".join(str(number) for number in range(1, len(buckets) + 2))
    sql_ = f"(SELECT q.{key}{own}{summed} FROM {table} AS q WHERE {between} GROUP BY {keys}) AS q CROSS JOIN {names}"
    return _Source(sql_, times, {name: f"q.{name}_" for name in buckets})


_WEEKS: Final = f"""\
WITH RECURSIVE weeks(week_us) AS (
  SELECT max(?, (SELECT min(week_us) FROM rollup_hours))
  UNION ALL
  SELECT week_us + {sql.WEEK_US} FROM weeks
  WHERE week_us + {sql.WEEK_US} < min(?, (SELECT max(week_us) + 1 FROM rollup_hours))
) SELECT week_us FROM weeks"""
"""The weeks of a part, from the first to the last of all in which there is something."""


Branch = tuple[str, Parameters]


def _is_selective(
    connection: sqlite3.Connection, levels: Sequence[_Level], filters: dict[str, object]
) -> bool:
    """Whether to look up what each account or payer has: if few are asked for, that is quicker than to read all of a time."""
    if levels == (_QUARTERS,):
        return any(name in ("user", "tenant") or name.startswith("extra.") for name in filters)
    where, parameters = _where(filters, "c")
    found, total = connection.execute(
        f"SELECT (SELECT count(*) FROM rollup_accounts AS c WHERE {where}), max(account_id) FROM rollup_accounts",
        parameters,
    ).fetchone()
    return total is not None and found * _FEW < total


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
) -> tuple[Branch, Branch]:
    """What one side of the union selects, and on which condition, each with its parameters."""
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
    return (", ".join(selected), select_parameters), _where(filters, dimensions)


def _where(filters: dict[str, object], dimensions: str) -> Branch:
    """The condition of the filters."""
    conditions, parameters = ["1"], Parameters()
    for name, value in filters.items():
        condition, own = matches(*_name(name, dimensions), value)
        conditions.append(condition)
        parameters += own
    return " AND ".join(conditions), parameters


def _name(name: str, dimensions: str) -> tuple[str, Parameters]:
    if name in SERIES:
        return f"{dimensions}.{name}", []
    if name in TAGS or name.startswith("extra."):
        return expression(name)
    known = ", ".join([*TAGS, *SERIES, "extra.<key>", *_BUCKETS])
    raise ValueError(f"the rollups do not tell {name!r} apart; they have {known}")


def _bucketed(time: str, names: Iterable[str], level: _Level | None = None) -> dict[str, str]:
    """When each bucket starts in which a time is, as a number: text is made of those that are left in the end."""
    found = {
        "quarter_us": time,
        "hour": f"{time} - {time} % {sql.HOUR_US}",
        "day": f"{time} - {time} % {sql.DAY_US}",
        "month": time if level is _MONTHS else sql.month(time),
    }
    return {name: found[name] for name in names if name in found}


def _shown(name: str) -> str:
    """What is grouped by, as it is given back."""
    if name not in _BUCKETS or name == "quarter_us":
        return f'"{name}"'
    shown = expression(name)[0].replace("s.started_us", name)
    return f'{shown} AS "{name}"'


def _aligned(moment: datetime | int | None, default: int) -> int:
    if moment is None:
        return default
    found = microseconds(moment)
    if found % sql.QUARTER_US:
        raise ValueError(
            f"expected the start of a quarter of an hour, such as {found - found % sql.QUARTER_US}, found {moment}"
        )
    return found
