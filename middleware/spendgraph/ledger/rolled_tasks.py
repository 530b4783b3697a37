"""Questions to the sums of each task, with the steps that are not in them yet: one statement, so of one moment.

A task is in a period if its first step started in it, whenever that was booked. A task without steps is in no answer.
"""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

from array import array
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from spendgraph.clock import to_us
from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.columns import TAGS, Parameters, expression, matches

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

SUMS: Final = ("task_id", "context_id", *sql.TASK_COLUMNS, "pruned_steps")
"""The columns of `rollup_tasks`."""

OWN: Final = ("parent_task_id", "thread_id", "graph", "status", "outcome", "value_nanousd")
"""The columns of `tasks` beside them; of a task that nobody has announced they are empty."""

ALL: Final = (*SUMS, *OWN, *TAGS, "extra")
"""What is read of a task where nobody says."""

_TIMES: Final = ("hour", "day", "month")
_NULLABLE: Final = frozenset({"parent_task_id", "value_nanousd"})
_INDEXED: Final = ("task_id", "context_id", "first_started_us", "cost_nanousd")
_END: Final = 2**62

_MERGED: Final = ", ".join(
    f"g.{name} + coalesce(r.{name}, 0) AS {name}"
    if how == "sum"
    else f"{how}(g.{name}, coalesce(r.{name}, g.{name})) AS {name}"
    for name, (how, _) in sql.TASK_COLUMNS.items()
)

# Tasks whose steps are not all rolled. Those are found by `seq`: the index by task would be read from end to end.
_TAIL: Final = f"""\
tail AS MATERIALIZED (
  SELECT g.task_id, coalesce(r.context_id, g.context_id) AS context_id, {_MERGED}, coalesce(r.pruned_steps, 0) AS pruned_steps
  FROM ({sql.tasks(f"s.seq > {sql.ROLLED_SEQ}", "NOT INDEXED")}) AS g
  LEFT JOIN rollup_tasks AS r ON r.task_id = g.task_id
)"""

_BESIDE: Final = """\
LEFT JOIN tasks AS t ON t.task_id = r.task_id
LEFT JOIN contexts AS c ON c.context_id = r.context_id"""


def read_task_costs(
    connection: sqlite3.Connection,
    by: Sequence[str],
    since: datetime | int | None,
    until: datetime | int | None,
    quantiles: Sequence[float],
    filters: dict[str, object],
) -> list[dict[str, Any]]:
    """What tasks cost; see `LedgerReader.task_costs`.

    Raises:
        ValueError: There is no such name, or a quantile is not from 0 to 1.
    """
    shares = {_quantile_name(share): share for share in quantiles}
    costs: defaultdict[tuple[Any, ...], array[int]] = defaultdict(lambda: array("q"))
    for *group, cost in _rows(connection, (*by, "cost_nanousd"), since, until, filters):
        costs[tuple(group)].append(cost)
    rows: list[dict[str, Any]] = []
    for group, unordered in costs.items():
        ordered, total = sorted(unordered), sum(unordered)
        rows.append(
            {
                **dict(zip(by, group, strict=True)),
                "tasks": len(ordered),
                "cost_nanousd": total,
                "mean_nanousd": round(Fraction(total, len(ordered))),
                **{name: nearest_rank(ordered, share) for name, share in shares.items()},
                "largest_nanousd": ordered[-1],
            }
        )
    return sorted(rows, key=lambda row: (-row["cost_nanousd"], *(str(row[name]) for name in by)))


def nearest_rank(ordered: Sequence[int], share: float) -> int:
    """The least of some ordered numbers that at least this share of them do not pass: one of them, never between two."""
    # 0.07 of 100 is 7; in floats it is 7.000000000000001, which would be the eighth.
    return ordered[max(ceil(Decimal(str(share)) * len(ordered)), 1) - 1]


def read_dearest(
    connection: sqlite3.Connection,
    limit: int,
    since: datetime | int | None,
    until: datetime | int | None,
    filters: dict[str, object],
) -> list[dict[str, Any]]:
    """The tasks that cost most; see `LedgerReader.dearest_tasks`.

    Raises:
        ValueError: There is no such name, or the limit is below 1.
    """
    if limit < 1:
        raise ValueError(f"expected how many tasks to read, 1 or more, found {limit}")
    rows = _rows(connection, ALL, since, until, filters, "r.cost_nanousd DESC, r.task_id", limit)
    return [dict(zip(ALL, row, strict=True)) for row in rows]


def read_tasks(
    connection: sqlite3.Connection,
    columns: Sequence[str],
    since: datetime | int | None,
    until: datetime | int | None,
    filters: dict[str, object],
) -> Iterator[dict[str, Any]]:
    """Tasks in the order of their starts; see `LedgerReader.tasks_rolled`.

    Raises:
        ValueError: There is no such name.
    """
    rows = _rows(connection, columns, since, until, filters, "r.first_started_us, r.task_id").fetchall()
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _rows(
    connection: sqlite3.Connection,
    columns: Sequence[str],
    since: datetime | int | None,
    until: datetime | int | None,
    filters: dict[str, object],
    order: str = "",
    limit: int | None = None,
) -> sqlite3.Cursor:
    """The columns of the tasks that are asked for, as tuples. With a limit, only of those within it is more read than an index holds."""
    selected, select_parameters = list[str](), Parameters()
    for name in columns:
        found, own = _expression(name)
        selected.append(found)
        select_parameters += own
    which, parameters, own_which, own_parameters = _conditions(since, until, filters)
    with_, ordered = _TAIL, f" ORDER BY {order}" if order else ""
    if limit is not None:
        with_ += (
            f", chosen AS MATERIALIZED (SELECT r.task_id FROM ({_source(_INDEXED, which)}) AS r {_BESIDE}"
            f" WHERE {own_which}{ordered} LIMIT ?)"
        )
        select_parameters = [*parameters, *parameters, *own_parameters, limit, *select_parameters]
        which, parameters, own_which, own_parameters = (
            "r.task_id IN (SELECT task_id FROM chosen)",
            [],
            "true",
            [],
        )
    source = _source([name for name in SUMS if name in {*_INDEXED, *columns}], which)
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(
        f"WITH {with_} SELECT {', '.join(selected)} FROM ({source}) AS r {_BESIDE} WHERE {own_which}{ordered}",
        [*select_parameters, *parameters, *parameters, *own_parameters],
    )


def _source(columns: Iterable[str], which: str) -> str:
    """Tasks that are rolled up whole, and the others."""
    select = f"SELECT {', '.join(f'r.{name}' for name in columns)}"
    return (
        f"{select} FROM rollup_tasks AS r WHERE r.task_id NOT IN (SELECT task_id FROM tail) AND {which}"
        f" UNION ALL {select} FROM tail AS r WHERE {which}"
    )


def _conditions(
    since: datetime | int | None, until: datetime | int | None, filters: dict[str, object]
) -> tuple[str, Parameters, str, Parameters]:
    """The condition on what a task has in the rollup, and that on its own row."""
    start, end = (to_us(at) if isinstance(at, datetime) else at for at in (since, until))
    which = ["r.first_started_us >= ? AND r.first_started_us < ?"]
    parameters: Parameters = [0 if start is None else start, _END if end is None else end]
    own_which, own_parameters = ["true"], Parameters()
    payers, payer_parameters = list[str](), Parameters()
    for name, value in filters.items():
        if name in SUMS or name in _TIMES:
            raise ValueError(
                f"tasks are not chosen by {name!r}, but by {', '.join([*TAGS, 'extra.<key>', *OWN])}"
            )
        condition, own = matches(*_expression(name), value)
        (own_which if name in OWN else payers).append(condition)
        (own_parameters if name in OWN else payer_parameters).extend(own)
    if payers:  # found once, where each task's payer would be looked up
        which.append(f"r.context_id IN (SELECT c.context_id FROM contexts AS c WHERE {' AND '.join(payers)})")
    return " AND ".join(which), [*parameters, *payer_parameters], " AND ".join(own_which), own_parameters


def _expression(name: str) -> tuple[str, Parameters]:
    if name in SUMS:
        return f"r.{name}", []
    if name in OWN:
        return f"t.{name}" if name in _NULLABLE else f"coalesce(t.{name}, '')", []
    if name == "extra":
        return "c.extra", []
    if name in TAGS or name.startswith("extra."):
        return expression(name)
    if name in _TIMES:
        return expression(name)[0].replace("s.started_us", "r.first_started_us"), []
    raise ValueError(f"a task has no column {name!r}; it has {', '.join([*ALL, 'extra.<key>', *_TIMES])}")


def _quantile_name(share: float) -> str:
    """`p95_nanousd` for 0.95, `p99.9_nanousd` for 0.999."""
    if not 0 <= share <= 1:
        raise ValueError(f"expected a quantile from 0 to 1, such as 0.95, found {share!r}")
    return f"p{(Decimal(str(share)) * 100).normalize():f}_nanousd"
