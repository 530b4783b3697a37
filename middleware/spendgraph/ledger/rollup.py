"""Sums per quarter of an hour and per task, kept beside the steps they are the sums of.

They follow `steps.seq`, never time: whatever is booked gets a higher `seq` than all before it, so a late step or a
correction is simply among those to come. Each transaction adds the next steps and moves `rolled_seq` with them: killed at any
moment, or run by several processes at once, a step is added once. What was pruned is in the sums and nowhere else;
only sums of what is still in `steps` are ever made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from spendgraph.clock import from_us, to_us
from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.pace import Pace

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator

    from spendgraph.clock import Clock
    from spendgraph.ledger.statements import Execute

Progress = Callable[[int, int], None]
"""Called with how much is done, and how much there is."""

Table = Literal["rollup_15min", "rollup_series", "rollup_hours", "rollup_months", "rollup_tasks"]

_SLICE: Final = 5_000
"""About so many steps are summed anew at once."""

_ADD_CHUNK: Final = (
    sql.ADD_ACCOUNTS,
    sql.ADD_SERIES,
    sql.FIND_SERIES,
    sql.ADD_QUARTERS,
    sql.ADD_HOURS,
    sql.ADD_MONTHS,
    sql.EMPTY_CHUNK,
)

_END: Final = 2**62
_LAST_ID: Final = "\U0010ffff"


class RollupStatus(NamedTuple):
    """How far the rollups are.

    Attributes:
        rolled_seq: The last step that is in them; 0 before the first rollup.
        last_seq: The last step there is.
        waiting: How many steps and corrections are not in them yet.
        waiting_since_us: When the first of those was booked.
        rolled_us: When they were last brought up to date.
        pruned_before_us: Steps that started before then may be pruned; 0 if none was.
    """

    rolled_seq: int
    last_seq: int
    waiting: int
    waiting_since_us: int | None
    rolled_us: int | None
    pruned_before_us: int


class Slice(NamedTuple):
    """A part of a rollup that is not what the steps say.

    Attributes:
        table: Which rollup.
        start: When it starts, or the id before the first series or task.
        end: When it is over, or the last id.
        wrong: How many rows are wrong, missing or too many.
        example: One of them.
    """

    table: Table
    start: Any
    end: Any
    wrong: int
    example: tuple[Any, ...]


_STATUS: Final = f"""\
SELECT {sql.ROLLED_SEQ}, coalesce((SELECT max(seq) FROM steps), 0), (SELECT max(rolled_us) FROM rollup_state),
  {sql.PRUNED_BEFORE}"""  # noqa: S608 - names are this package's own


def read_status(connection: sqlite3.Connection) -> RollupStatus:
    """How far the rollups are."""
    rolled, last, rolled_us, pruned = connection.execute(_STATUS).fetchone()
    # Beyond `rolled` nothing is ever deleted, and SQLite counts on by one.
    since = connection.execute(
        "SELECT recorded_us FROM steps WHERE seq > ? ORDER BY seq LIMIT 1", (rolled,)
    ).fetchone()
    return RollupStatus(
        rolled, last, max(0, last - rolled), None if since is None else since[0], rolled_us, pruned
    )


def roll(pace: Pace, clock: Clock, progress: Progress | None = None) -> int:
    """Add every step that is not in the rollups yet, some at a time; how many this process added.

    Steps that are booked meanwhile are left for the next time.
    """
    target: int | None = None
    begin = added = 0

    def part(execute: Execute, rows: int) -> tuple[int, int, int]:
        return _add(execute, rows, target, clock())

    while True:
        start, end, last = pace.run(part)
        if target is None:
            begin, target = start, last
        added += end - start
        if progress is not None:
            progress(min(end, target) - begin, target - begin)
        if end >= target:
            return added


def _add(execute: Execute, rows: int, until: int | None, now_us: int) -> tuple[int, int, int]:
    """Add the next steps; from which to which, and the last there is."""
    start, last = execute(
        f"SELECT {sql.ROLLED_SEQ}, coalesce((SELECT max(seq) FROM steps), 0)"  # noqa: S608 - names are this package's own
    ).fetchone()
    end = min(start + rows, last if until is None else until)
    if start >= end:  # another process has added what was left
        return start, start, last
    chunk = (start, end)
    execute(sql.CREATE_CHUNK)
    execute(sql.FILL_CHUNK, chunk)
    for statement in _ADD_CHUNK:
        execute(statement)
    execute(sql.ADD_TASKS, chunk)
    execute(sql.SET_STATE, (end, now_us))
    return start, end, last


def wrong_slices(
    connection: sqlite3.Connection, size: int = _SLICE, progress: Progress | None = None
) -> Iterator[Slice]:
    """Sum the steps anew, slice by slice, and name the parts of the rollups that are not the same; of hours, the quarters, and of months, the hours.

    What may have been pruned is left out: quarters of an hour before it, and tasks of which steps are gone.
    """
    (total,) = connection.execute("SELECT count(*) * 2 FROM steps").fetchone()
    done = 0
    for table, bounds in _SLICES.items():
        for start, end in bounds(connection, size):
            found = _compare(connection, table, start, end)
            done = min(total, done + size)
            if progress is not None:
                progress(done, total)
            if found is not None:
                yield found
    if progress is not None:
        progress(total, total)


def rebuild_slice(execute: Execute, found: Slice) -> None:
    """Make a part of a rollup anew from the steps."""
    start = found.start
    if found.table == "rollup_15min":  # somebody may have pruned since it was compared
        start = max(start, execute(f"SELECT {sql.PRUNED_BEFORE}").fetchone()[0])
    for statement in _REPAIRS[found.table]:
        execute(statement, (start, found.end))


def _quarter_slices(connection: sqlite3.Connection, size: int) -> Iterator[tuple[int, int]]:
    (start,) = connection.execute(f"SELECT {sql.PRUNED_BEFORE}").fetchone()
    while start < _END:
        row = connection.execute(
            "SELECT started_us FROM steps WHERE started_us >= ? ORDER BY started_us LIMIT 1 OFFSET ?",
            (start, size),
        ).fetchone()
        end = _END if row is None else row[0] - row[0] % sql.QUARTER_US + sql.QUARTER_US
        yield start, end
        start = end


def _task_slices(connection: sqlite3.Connection, size: int) -> Iterator[tuple[str, str]]:
    start = ""
    while start < _LAST_ID:
        row = connection.execute(
            "SELECT task_id FROM steps WHERE task_id > ? ORDER BY task_id LIMIT 1 OFFSET ?", (start, size)
        ).fetchone()
        end = _LAST_ID if row is None else row[0]
        yield start, end
        start = end


def _series_slices(connection: sqlite3.Connection, size: int) -> Iterator[tuple[int, int]]:
    (last,) = connection.execute("SELECT coalesce(max(series_id), 0) FROM rollup_series").fetchone()
    for start in range(0, last, size):
        yield start, start + size


def _week_slices(connection: sqlite3.Connection, size: int) -> Iterator[tuple[int, int]]:
    start = -sql.WEEK_US
    while start < _END:
        row = connection.execute(
            f"SELECT {sql.week('quarter_us')} FROM rollup_15min WHERE quarter_us >= ?"  # noqa: S608 - names are this package's own
            " ORDER BY quarter_us LIMIT 1 OFFSET ?",
            (start, size),
        ).fetchone()
        end = _END if row is None else row[0] + sql.WEEK_US
        yield start, end
        start = end


def _month_slices(connection: sqlite3.Connection, _: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < _END:
        (week,) = connection.execute(
            "SELECT min(week_us) FROM rollup_hours WHERE week_us >= ?", (start,)
        ).fetchone()
        end = (
            _END
            if week is None
            else to_us((from_us(week).replace(day=1) + timedelta(days=32)).replace(day=1))
        )
        yield start, end
        start = end


def _compare(connection: sqlite3.Connection, table: Table, start: Any, end: Any) -> Slice | None:
    stored, fresh = _QUERIES[table]
    with _one_moment(connection):
        wrong = {tuple(row) for row in connection.execute(stored, (start, end))} ^ {
            tuple(row) for row in connection.execute(fresh, (start, end))
        }
    if not wrong:
        return None
    keys = {row[: _KEYS[table]] for row in wrong}
    return Slice(table, start, end, len(keys), min(keys, key=repr))


_SLICES: Final[dict[Table, Callable[[sqlite3.Connection, int], Iterator[tuple[Any, Any]]]]] = {
    "rollup_15min": _quarter_slices,
    "rollup_series": _series_slices,
    "rollup_hours": _week_slices,  # of the quarters: they come first
    "rollup_months": _month_slices,  # and of the hours
    "rollup_tasks": _task_slices,
}

_QUERIES: Final[dict[Table, tuple[str, str]]] = {
    "rollup_15min": (sql.STORED_QUARTERS, sql.FRESH_QUARTERS),
    "rollup_series": (sql.STORED_SERIES, sql.FRESH_SERIES),
    "rollup_hours": (sql.STORED_HOURS, sql.FRESH_HOURS),
    "rollup_months": (sql.STORED_MONTHS, sql.FRESH_MONTHS),
    "rollup_tasks": (sql.STORED_TASKS, sql.FRESH_TASKS),
}

_KEYS: Final[dict[Table, int]] = {
    "rollup_15min": 2,
    "rollup_series": 1,
    "rollup_hours": 3,
    "rollup_months": 2,
    "rollup_tasks": 1,
}
"""How many columns name a row."""

_REPAIRS: Final[dict[Table, tuple[str, ...]]] = {
    "rollup_15min": (sql.FILL_ACCOUNTS, sql.FILL_SERIES, sql.DROP_QUARTERS, sql.FILL_QUARTERS),
    "rollup_series": (sql.FILL_ACCOUNTS_OF_SERIES, sql.SET_ACCOUNTS),
    "rollup_hours": (sql.DROP_HOURS, sql.FILL_HOURS),
    "rollup_months": (sql.DROP_MONTHS, sql.FILL_MONTHS),
    "rollup_tasks": (sql.DROP_TASKS, sql.FILL_TASKS),
}


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Everything read inside is of one moment, whatever others write meanwhile."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
