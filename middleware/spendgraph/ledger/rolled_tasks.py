"""Questions to the sums of each task, with the steps that are not in them yet: one statement, so of one moment.

A task is in a period if its first step started in it, whenever that was booked. A task without steps is in no answer.
"""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from spendgraph.clock import to_us
from spendgraph.ledger import ranks
from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.columns import TAGS, Parameters, expression, matches

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

SUMS: Final = ("task_id", "context_id", *sql.TASK_COLUMNS, "pruned_steps")
"""The columns of `rollup_tasks`."""

OWN: Final = ("parent_task_id", "thread_id", "graph", "status", "outcome", "value_nanousd")
"""The columns of `tasks` beside them; of a task that nobody has announced they are empty."""

ALL: Final = (*SUMS, *OWN, *TAGS, "extra")
"""What is read of a task where nobody says."""

_TIMES: Final = ("hour", "day", "month")
_NULLABLE: Final = frozenset({"parent_task_id", "value_nanousd"})
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

_SOURCES: Final = (
    ("rollup_tasks", "(NOT EXISTS (SELECT 1 FROM tail) OR r.task_id NOT IN (SELECT task_id FROM tail))"),
    ("tail", "true"),
)
"""Each task is in one of the two."""

_TASK: Final = "LEFT JOIN tasks AS t ON t.task_id = r.task_id"
_CONTEXT: Final = "LEFT JOIN contexts AS c ON c.context_id = r.context_id"


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
    names = [_quantile_name(share) for share in quantiles]
    groups: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
    which = _which([name for name in by if not _is_tag(name)], since, until, filters)
    for *group, some in _costs(connection, by, which):
        groups[tuple(group)].append(some[1:-1])
    rows: list[dict[str, Any]] = []
    for group, found in groups.items():
        costs: list[int] = orjson.loads(f"[{','.join(filter(None, found))}]")
        if not costs:
            continue
        *at_shares, largest = ranks.quantiles(costs, [*quantiles, 1])
        total = sum(costs)
        rows.append(
            {
                **dict(zip(by, group, strict=True)),
                "tasks": len(costs),
                "cost_nanousd": total,
                "mean_nanousd": round(Fraction(total, len(costs))),
                **dict(zip(names, at_shares, strict=True)),
                "largest_nanousd": largest,
            }
        )
    return sorted(rows, key=lambda row: (-row["cost_nanousd"], *(str(row[name]) for name in by)))


def _costs(connection: sqlite3.Connection, by: Sequence[str], which: _Which) -> sqlite3.Cursor:
    """What is grouped by, and the costs as JSON: a number a row would take three times as long.

    Tags come last: a payer is looked up once, not for each of its tasks.
    """
    keys, selected, parameters = list[str](), list[str](), Parameters()
    own_parameters = Parameters()
    for name in by:
        found, own = _expression(name)
        if _is_tag(name):
            selected.append(found)
            parameters += own
        else:
            selected.append(f"r.key_{len(keys)}")
            keys.append(f"{found} AS key_{len(keys)}")
            own_parameters += own
    has_tags = len(keys) < len(by)
    if has_tags:
        keys.append("r.context_id")
    group = f" GROUP BY {', '.join(str(number + 1) for number in range(len(keys)))}" if keys else ""
    source, source_parameters = which.tasks(
        [*keys, "json_group_array(r.cost_nanousd) AS costs"], own_parameters, group
    )
    return _execute(
        connection,
        f"WITH {_TAIL} SELECT {', '.join([*selected, 'r.costs'])} FROM ({source}) AS r {_CONTEXT if has_tags else ''}",
        [*parameters, *source_parameters],
    )


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
    order = "cost_nanousd DESC, task_id"
    which = _which((), since, until, filters)
    # Of those that are not among them, no more is read than an index has.
    chosen, parameters = which.tasks(
        ["r.task_id", "r.cost_nanousd"], [], f" ORDER BY r.cost_nanousd DESC, r.task_id LIMIT {limit}"
    )
    ids = "r.task_id IN (SELECT task_id FROM chosen)"
    source, _ = _Which(f"{_TASK} {_CONTEXT}", ids, []).tasks(
        [f"{_expression(name)[0]} AS {name}" for name in ALL], []
    )
    rows = _execute(
        connection,
        f"WITH {_TAIL}, chosen AS MATERIALIZED ({chosen} ORDER BY {order} LIMIT {limit})"
        f" SELECT * FROM ({source}) ORDER BY {order}",
        parameters,
    )
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
    selected, parameters = ["r.first_started_us", "r.task_id"], Parameters()
    for name in columns:
        found, own = _expression(name)
        selected.append(found)
        parameters += own
    source, parameters = _which(columns, since, until, filters).tasks(selected, parameters)
    rows = _execute(connection, f"WITH {_TAIL} {source} ORDER BY 1, 2", parameters).fetchall()
    return (dict(zip(columns, row[2:], strict=True)) for row in rows)


class _Which(NamedTuple):
    """Which tasks are asked for, and what is joined to say so."""

    joined: str
    where: str
    parameters: Parameters

    def tasks(self, selected: Sequence[str], parameters: Parameters, end: str = "") -> tuple[str, Parameters]:
        """The statement that reads them, whether they are rolled up whole or not.

        Args:
            selected: The columns, of `rollup_tasks` as `r`.
            parameters: Theirs.
            end: What comes after the condition.
        """
        parts = (
            f"SELECT {', '.join(selected)} FROM {table} AS r {self.joined} WHERE {is_here} AND {self.where}{end}"
            for table, is_here in _SOURCES
        )
        both = [*parameters, *self.parameters]
        return " UNION ALL ".join(f"SELECT * FROM ({part})" for part in parts), [*both, *both]


def _which(
    names: Sequence[str],
    since: datetime | int | None,
    until: datetime | int | None,
    filters: dict[str, object],
) -> _Which:
    """The tasks of a period that fit the filters, joined to what these names need."""
    start, end = (to_us(at) if isinstance(at, datetime) else at for at in (since, until))
    conditions = ["r.first_started_us >= ? AND r.first_started_us < ?"]
    parameters: Parameters = [0 if start is None else start, _END if end is None else end]
    payers, payer_parameters = list[str](), Parameters()
    for name, value in filters.items():
        if name in SUMS or name in _TIMES:
            known = ", ".join([*TAGS, "extra.<key>", *OWN])
            raise ValueError(f"tasks are not chosen by {name!r}, but by {known}")
        condition, own = matches(*_expression(name), value)
        (payers if _is_tag(name) else conditions).append(condition)
        (payer_parameters if _is_tag(name) else parameters).extend(own)
    if payers:  # found once, where each task's would be looked up
        conditions.append(
            f"r.context_id IN (SELECT c.context_id FROM contexts AS c WHERE {' AND '.join(payers)})"
        )
    joined = [_TASK] if any(name in OWN for name in (*names, *filters)) else []
    joined += [_CONTEXT] if any(_is_tag(name) for name in names) else []
    return _Which(" ".join(joined), " AND ".join(conditions), [*parameters, *payer_parameters])


def _execute(connection: sqlite3.Connection, query: str, parameters: Parameters) -> sqlite3.Cursor:
    cursor = connection.cursor()
    cursor.row_factory = None  # tuples
    return cursor.execute(query, parameters)


def _is_tag(name: str) -> bool:
    return name in TAGS or name == "extra" or name.startswith("extra.")


def _expression(name: str) -> tuple[str, Parameters]:
    if name in SUMS:
        return f"r.{name}", []
    if name in OWN:
        return f"t.{name}" if name in _NULLABLE else f"coalesce(t.{name}, '')", []
    if name == "extra":
        return "c.extra", []
    if _is_tag(name):
        return expression(name)
    if name in _TIMES:
        return expression(name)[0].replace("s.started_us", "r.first_started_us"), []
    raise ValueError(f"a task has no column {name!r}; it has {', '.join([*ALL, 'extra.<key>', *_TIMES])}")


def _quantile_name(share: float) -> str:
    """`p95_nanousd` for 0.95, `p99.9_nanousd` for 0.999."""
    if not 0 <= share <= 1:
        raise ValueError(f"expected a quantile from 0 to 1, such as 0.95, found {share!r}")
    return f"p{(Decimal(str(share)) * 100).normalize():f}_nanousd"
