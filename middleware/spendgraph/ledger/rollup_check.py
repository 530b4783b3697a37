"""The check of the rollups: every sum of steps that are still there is made anew, and what was pruned is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.rollup import wrong_slices

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

# What is rolled is what is there and what was pruned; each row of steps counts in one quarter of an hour and in one task.
_TOTALS: Final = f"""\
SELECT p.steps + s.steps, p.corrections + s.corrections, p.cost + s.cost,
  q.steps, q.corrections, q.cost, t.steps, t.corrections, t.cost
FROM (SELECT coalesce(sum(steps), 0) AS steps, coalesce(sum(corrections), 0) AS corrections,
    coalesce(sum(cost_nanousd), 0) AS cost FROM prunes) AS p,
  (SELECT count(*) FILTER (WHERE entry = 'charge') AS steps, count(*) FILTER (WHERE entry = 'correction') AS corrections,
    coalesce(sum(cost_nanousd), 0) AS cost FROM steps WHERE seq <= {sql.ROLLED_SEQ}) AS s,
  (SELECT coalesce(sum(steps), 0) AS steps, coalesce(sum(corrections), 0) AS corrections,
    coalesce(sum(cost_nanousd), 0) AS cost FROM rollup_15min) AS q,
  (SELECT coalesce(sum(steps), 0) AS steps, coalesce(sum(corrections), 0) AS corrections,
    coalesce(sum(cost_nanousd), 0) AS cost FROM rollup_tasks) AS t"""  # noqa: S608 - names are this package's own

_TABLES: Final = ("rollup_15min", "rollup_hours", "rollup_months", "rollup_tasks")
_SUMS: Final = "coalesce(sum(steps), 0), coalesce(sum(corrections), 0), coalesce(sum(cost_nanousd), 0)"


def check_sums(connection: sqlite3.Connection) -> Iterator[str]:
    """The rollups that do not add up to what the quarters of an hour do: quick, for it reads no step."""
    # One statement, so of one moment: whoever rolls up meanwhile changes all of them together.
    query = " UNION ALL ".join(
        f"SELECT {number}, {_SUMS} FROM {table}"  # noqa: S608 - names are this package's own
        for number, table in enumerate(_TABLES)
    )
    quarters, *others = ((row[0], tuple(row[1:])) for row in connection.execute(f"{query} ORDER BY 1"))
    for number, sums in others:
        if sums != quarters[1]:
            yield f"{_TABLES[number]} adds up to {sums}, {_TABLES[0]} to {quarters[1]} (steps, corrections, nanousd)"


def check_rollups(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """What in the rollups is not what the steps say."""
    is_found = False
    for found in wrong_slices(connection):
        is_found = True
        more = f", and {found.wrong - 1} more rows near it" if found.wrong > 1 else ""
        yield (
            f"{found.table} {found.example}",
            f"is not the sum of its steps{more}: `spendgraph rollup --rebuild` makes it anew",
        )
    if is_found:
        return
    row = tuple(connection.execute(_TOTALS).fetchone())
    for table, sums in (("rollup_15min", row[3:6]), ("rollup_tasks", row[6:])):
        for name, wanted, sum_ in zip(("steps", "corrections", "nanousd"), row[:3], sums, strict=True):
            if wanted != sum_:
                yield table, f"adds up to {sum_} {name}, the steps and what was pruned of them to {wanted}"
