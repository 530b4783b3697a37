"""What was written before and after the books of a period closed.

A close is a place in the order of writing: the first row of a step that started at that time or later. What is written
before that row came before the close, what is written after it came after, and no row that comes tomorrow changes that:
whatever its times say (a journal folded in after a crash has old ones), it has a higher `seq`.
"""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.columns import expression, where
from spendgraph.ledger.rolled import read_rolled

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

_LAST: Final = 2**62

_SUMS: Final = {
    **sql.SUMS,
    "unattributed_nanousd": "CASE WHEN s.missing_tags <> '' THEN s.cost_nanousd ELSE 0 END",
    "not_reported_nanousd": "CASE WHEN s.cost_basis IN ('estimated', 'upper_bound') THEN s.cost_nanousd ELSE 0 END",
    "unpriced_steps": "s.entry = 'charge' AND s.cost_basis = 'unpriced'",
}
"""What a step adds to each sum that `LedgerReader.rolled` knows."""

# The index holds the start and the place in the order of writing: wide rows are read only where they count.
_LATE: Final = """\
(SELECT seq FROM steps INDEXED BY steps_started WHERE started_us >= ? AND started_us < ? AND seq >= ? AND seq < ?) AS l
  CROSS JOIN steps AS s ON s.seq = l.seq CROSS JOIN contexts AS c ON c.context_id = s.context_id"""

_FIRST: Final = "SELECT min(seq) FROM steps INDEXED BY steps_started WHERE started_us >= ?"

_SPAN: Final = """\
SELECT min(started_us), max(started_us) FROM steps INDEXED BY steps_started
WHERE started_us >= ? AND started_us < ? AND seq >= ? AND seq < ?"""


class Closings:
    """Asks a ledger for what was written by a close, and since; pruned steps count as written before every close.

    Args:
        reading: Opens a connection that only reads.
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._reading = reading

    def seq_at(self, close_us: int) -> int | None:
        """The first row after a close; `None` while no step has started since, so that everything is before it."""
        with self._reading() as connection:
            found: int | None = connection.execute(_FIRST, (close_us,)).fetchone()[0]
        return found

    def before(
        self,
        by: Sequence[str],
        *,
        since: int | None,
        until: int | None,
        sums: Sequence[str],
        before_seq: int | None,
        **filters: object,
    ) -> list[dict[str, Any]]:
        """Sums as `LedgerReader.rolled` makes them, without what was written later; of one moment.

        Args:
            by: Tags and dimensions, as there.
            since: Only steps that started then or later.
            until: Only steps that started earlier.
            sums: Which sums; the one to sort by first.
            before_seq: Only rows before this one; all if it is not said.
            **filters: As there.

        Raises:
            ValueError: There is no such name, or a time is within a quarter of an hour.
        """
        wanted = list(dict.fromkeys([*sums, "steps", "corrections"]))
        with self._reading() as connection:
            if not connection.in_transaction:
                connection.execute("BEGIN")  # both answers are of one moment
            rows = read_rolled(connection, by, since, until, wanted, filters)
            late = (
                []
                if before_seq is None
                else _read_late(connection, by, (since, until), (before_seq, None), wanted, filters)
            )
        later = {tuple(row[name] for name in by): row for row in late}
        found: list[dict[str, Any]] = []
        for row in rows:
            less = later.get(tuple(row[name] for name in by))
            if less is not None:
                row |= {name: row[name] - less[name] for name in wanted}
                if not any(row[name] for name in wanted):
                    continue
            found.append({name: row[name] for name in (*by, *sums)})
        # Whoever divides rows, unit by unit, does it in their order: what came late must not change that.
        return sorted(found, key=lambda row: (-row[sums[0]], *(row[name] for name in by)))

    def after(
        self,
        by: Sequence[str],
        *,
        since: int | None,
        until: int | None,
        sums: Sequence[str],
        from_seq: int,
        before_seq: int | None,
        **filters: object,
    ) -> list[dict[str, Any]]:
        """Sums of what was written from one row on and before another, if its steps are still there.

        Args:
            by: As in `before`.
            since: The same.
            until: The same.
            sums: The same.
            from_seq: The first row.
            before_seq: The first row that is not meant any more; all if it is not said.
            **filters: As in `before`.

        Raises:
            ValueError: There is no such name.
        """
        with self._reading() as connection:
            return _read_late(connection, by, (since, until), (from_seq, before_seq), sums, filters)

    def span(self, until: int, from_seq: int, before_seq: int | None) -> tuple[int, int] | None:
        """When the first and the last step started of those that started earlier and were written from a row on; `None` without any."""
        parameters = _bounds((None, until), (from_seq, before_seq))
        with self._reading() as connection:
            first, last = connection.execute(_SPAN, parameters).fetchone()
        return None if first is None else (first, last)


def _read_late(
    connection: sqlite3.Connection,
    by: Sequence[str],
    started: tuple[int | None, int | None],
    written: tuple[int, int | None],
    sums: Sequence[str],
    filters: dict[str, object],
) -> list[dict[str, Any]]:
    selected, parameters = list[str](), list[object]()
    for name in by:
        found, own = expression(name)
        selected.append(f'{found} AS "{name}"')
        parameters += own
    for name in sums:
        if name not in _SUMS:
            raise ValueError(f"the rollups have no sum {name!r}; they have {', '.join(_SUMS)}")
        selected.append(f"sum({_SUMS[name]}) AS {name}")
    condition, own = where(filters)
    parameters += [*_bounds(started, written), *own]
    positions = ", ".join(str(position) for position in range(1, len(by) + 1))
    group = f"GROUP BY {positions} ORDER BY {len(by) + 1} DESC, {positions}" if by else "HAVING count(*) > 0"
    query = f"SELECT {', '.join(selected)} FROM {_LATE} WHERE {condition} {group}"
    return [dict(row) for row in connection.execute(query, parameters)]


def _bounds(started: tuple[int | None, int | None], written: tuple[int, int | None]) -> list[object]:
    (since, until), (from_seq, before_seq) = started, written
    return [
        -_LAST if since is None else since,
        _LAST if until is None else until,
        from_seq,
        _LAST if before_seq is None else before_seq,
    ]
