"""Sums per quarter of an hour and per task, kept beside the steps they are the sums of.

They follow `steps.seq`, never time: whatever is booked gets a higher `seq` than all before it, so a late step or a
correction is simply among those to come. Each transaction adds the next steps and moves `rolled_seq` with them: killed at any
moment, or run by several processes at once, a step is added once. What was pruned is in the sums and nowhere else;
only sums of what is still in `steps` are ever made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.pace import Pace

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator

    from spendgraph.clock import Clock
    from spendgraph.ledger.statements import Execute

Progress = Callable[[int, int], None]
"""Called with how much is done, and how much there is."""

Table = Literal["rollup_15min", "rollup_months", "rollup_tasks"]

_SLICE: Final = 5_000
"""About so many steps are summed anew at once."""

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
        start: The first quarter of an hour, or the id before the first series or task.
        end: The first quarter after it, or the last series' or task's id.
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
    execute(sql.ADD_SERIES, chunk)
    execute(sql.ADD_QUARTERS, chunk)
    execute(sql.ADD_MONTHS, chunk)
    execute(sql.ADD_TASKS, chunk)
    execute(sql.SET_STATE, (end, now_us))
    return start, end, last


def wrong_slices(
    connection: sqlite3.Connection, size: int = _SLICE, progress: Progress | None = None
) -> Iterator[Slice]:
    """Sum the steps anew, slice by slice, and name the parts of the rollups that are not the same; of months, the quarters.

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
    if found.table != "rollup_15min":
        is_tasks = found.table == "rollup_tasks"
        execute(sql.DROP_TASKS if is_tasks else sql.DROP_MONTHS, (found.start, found.end))
        execute(sql.FILL_TASKS if is_tasks else sql.FILL_MONTHS, (found.start, found.end))
        return
    (pruned,) = execute(f"SELECT {sql.PRUNED_BEFORE}").fetchone()
    part = (max(found.start, pruned), found.end)  # somebody may have pruned since it was compared
    execute(sql.FILL_SERIES, part)
    execute(sql.DROP_QUARTERS, part)
    execute(sql.FILL_QUARTERS, part)


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
    for start in range(0, last + 1, size):
        yield start, start + size


def _compare(connection: sqlite3.Connection, table: Table, start: Any, end: Any) -> Slice | None:
    stored, fresh = _QUERIES[table]
    with _one_moment(connection):
        wrong = {tuple(row) for row in connection.execute(stored, (start, end))} ^ {
            tuple(row) for row in connection.execute(fresh, (start, end))
        }
    if not wrong:
        return None
    keys = {row[: 1 if table == "rollup_tasks" else 2] for row in wrong}
    return Slice(table, start, end, len(keys), min(keys, key=repr))


_SLICES: Final[dict[Table, Callable[[sqlite3.Connection, int], Iterator[tuple[Any, Any]]]]] = {
    "rollup_15min": _quarter_slices,
    "rollup_months": _series_slices,  # of the quarters: they come first
    "rollup_tasks": _task_slices,
}


_QUERIES: Final[dict[Table, tuple[str, str]]] = {
    "rollup_15min": (sql.STORED_QUARTERS, sql.FRESH_QUARTERS),
    "rollup_months": (sql.STORED_MONTHS, sql.FRESH_MONTHS),
    "rollup_tasks": (sql.STORED_TASKS, sql.FRESH_TASKS),
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
