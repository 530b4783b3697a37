"""What budgets came to in a period of the past: the version of that time, its windows, and whom it stopped.

Windows that are many (of an hour, of a rolling period, of each task or thread) are counted, not listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

Unit = Literal["nanousd", "tokens", "calls"]

GRANTED: Final = """\
coalesce(sum(CASE WHEN g.expires_us <= ?1 THEN g.used ELSE g.amount END) FILTER (WHERE g.task_id = ''), 0) AS granted,
  coalesce(sum(CASE WHEN g.expires_us <= ?1 THEN g.used ELSE g.amount END) FILTER (WHERE g.task_id <> ''), 0)
    AS granted_to_tasks,
  coalesce(sum(g.used) FILTER (WHERE g.task_id <> ''), 0) AS drawn_by_tasks"""
"""What grants `g` gave at the time `?1`: of one that has expired, what was drawn is room still, for it is spent or held."""

_WINDOWS: Final = f"""\
SELECT w.*, b.version, b.owner, b.signed_off_by, b.unit, b.limit_amount, b.period, b.timezone,
  {GRANTED}
FROM windows AS w
JOIN budget_status AS s ON s.window_id = w.window_id
JOIN budgets AS b ON b.budget = s.budget AND b.version = s.version
LEFT JOIN grants AS g
  ON g.budget = w.budget AND g.scope = w.scope AND g.window_start_us = w.start_us AND g.unit = b.unit
WHERE {{}}
GROUP BY w.window_id
ORDER BY w.budget, w.start_us, w.scope"""  # noqa: S608 - our own text

_AT: Final = "?2 IS NULL OR (w.start_us <= ?2 AND (w.end_us IS NULL OR w.end_us > ?2))"
_OF: Final = "w.budget = ?2 AND w.start_us < ?4 AND (w.end_us IS NULL OR w.end_us > ?3)"

# As in `budget_status`, the first version is in force in windows that are older than it.
_IN_FORCE: Final = """\
SELECT * FROM budgets AS b WHERE version = (
  SELECT max(version) FROM budgets AS v WHERE v.budget = b.budget AND (
    v.valid_from_us < ?1 OR (v.version = 1 AND EXISTS (
      SELECT 1 FROM windows AS w WHERE w.budget = v.budget AND w.start_us > 0 AND w.start_us < ?1
    ))
  )
)
ORDER BY budget"""

# Of a rolling period each window is the newest part of a sum: the oldest part counts whole.
_COUNTED: Final = """\
SELECT {scope} AS scope, count(*) AS windows, count(*) FILTER (WHERE total > ?5) AS windows_over, max(total) AS largest
FROM (
  SELECT scope, start_us, sum(spent_{unit}) OVER (
    PARTITION BY scope ORDER BY start_us RANGE BETWEEN {span_us} PRECEDING AND CURRENT ROW
  ) AS total
  FROM windows WHERE budget = ?1 AND start_us >= ?2 - ?4 AND start_us < ?3
) WHERE start_us >= ?2 GROUP BY 1 ORDER BY 1"""

# Such a window has no end and no beginning: it belongs to when its task, or a task of its thread, started.
_OF_TASKS: Final = """\
WITH ids AS (
  SELECT DISTINCT replace(replace(replace({id}, '%', '%25'), ',', '%2C'), '=', '%3D') AS id
  FROM tasks WHERE started_us >= ?2 AND started_us < ?3
), named AS (
  SELECT spent_{unit} AS spent, substr(scope, instr(',' || scope, ',{what}=') + length('{what}=')) AS rest
  FROM windows WHERE budget = ?1 AND instr(',' || scope, ',{what}=') > 0
)
SELECT count(*) AS windows, count(*) FILTER (WHERE spent > ?4) AS windows_over, max(spent) AS largest
FROM named WHERE substr(rest, 1, instr(rest || ',', ',') - 1) IN (SELECT id FROM ids)"""

_DEAR_CALLS: Final = """\
SELECT c.*, count(*) AS calls, max({amount}) AS largest
FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id
WHERE s.started_us >= ? AND s.started_us < ? AND s.entry = 'charge' AND {amount} > ?
GROUP BY s.context_id"""

_AMOUNT: Final = {
    "nanousd": "s.cost_nanousd",
    "tokens": "s.input_tokens + s.output_tokens",
    "calls": "1",
}

_REFUSED: Final = """\
SELECT json_extract(detail, '$.budget') AS budget, coalesce(json_extract(detail, '$.scope'), '') AS scope,
  json_extract(detail, '$.window_start_us') AS window_start_us, count(*) AS refused
FROM decisions WHERE decided_us >= ? AND decided_us < ? AND kind = 'budget' AND outcome = 'refused'
GROUP BY 1, 2, 3"""


class Counted(NamedTuple):
    """Windows that are not listed.

    Attributes:
        scope: Whose counter; empty where those of everybody are counted together.
        windows: How many there were.
        windows_over: How many of them were beyond the limit.
        largest: What was spent in the fullest of them, in the budget's unit.
    """

    scope: str
    windows: int
    windows_over: int
    largest: int


class BudgetHistory:
    """Asks a ledger what its budgets came to.

    Args:
        reading: Opens a connection that only reads.
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._reading = reading

    def in_force(self, until_us: int) -> list[dict[str, Any]]:
        """Of every budget that was known then, the version in force just before a time: the columns of `budgets`."""
        return self._rows(_IN_FORCE, (until_us,))

    def windows(self, budget: str, since_us: int, until_us: int, now_us: int) -> list[dict[str, Any]]:
        """The windows of a budget that were open at some time of a period, as `LedgerReader.windows` has them, with `version`.

        Each is compared with the version of its own time, not with today's.
        """
        return self._rows(_WINDOWS.format(_OF), (now_us, budget, since_us, until_us))

    def counted(
        self,
        budget: str,
        unit: Unit,
        limit: int,
        since_us: int,
        until_us: int,
        *,
        rolling_us: int,
        each: bool,
    ) -> list[Counted]:
        """The windows of a budget that began in a period.

        Args:
            budget: Its name.
            unit: What it counts.
            limit: Its limit.
            since_us: The period's start.
            until_us: Its end.
            rolling_us: Of a rolling budget the length of its period: each window then counts with those before it; else 0.
            each: A row for each scope, rather than one in all.
        """
        with self._reading() as connection:
            part = connection.execute(
                "SELECT end_us - start_us FROM windows WHERE budget = ? AND start_us < ? ORDER BY start_us DESC LIMIT 1",
                (budget, until_us),
            ).fetchone()
            span_us = rolling_us // part[0] * part[0] if part and part[0] else 0
            query = _COUNTED.format(scope="scope" if each else "''", unit=_known(unit), span_us=span_us)
            rows = connection.execute(query, (budget, since_us, until_us, span_us, limit)).fetchall()
        return [Counted(*row) for row in rows]

    def counted_of(
        self,
        budget: str,
        unit: Unit,
        limit: int,
        since_us: int,
        until_us: int,
        *,
        what: Literal["task", "thread"],
    ) -> Counted | None:
        """The windows without end of a budget `per: task` or `per: thread`, of tasks that started in a period; `None` without any."""
        query = _OF_TASKS.format(unit=_known(unit), what=what, id=f"{what}_id")
        ((windows, over, largest),) = self._tuples(query, (budget, since_us, until_us, limit))
        return Counted("", windows, over, largest) if windows else None

    def dear_calls(self, unit: Unit, limit: int, since_us: int, until_us: int) -> list[dict[str, Any]]:
        """The calls of a period that came to more than a limit: by the columns of `contexts`, `calls` and `largest`."""
        query = _DEAR_CALLS.format(amount=_AMOUNT[unit])
        return self._rows(query, (since_us, until_us, limit))

    def refused(self, since_us: int, until_us: int) -> list[dict[str, Any]]:
        """How many calls were `refused` in a period, by `budget`, `scope` and `window_start_us`, where those are known."""
        return self._rows(_REFUSED, (since_us, until_us))

    def _rows(self, query: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query, parameters)]

    def _tuples(self, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query, parameters)]


def read_windows(connection: sqlite3.Connection, at_us: int | None, now_us: int) -> list[dict[str, Any]]:
    """The windows of every budget, or those that are open at a time; see `LedgerReader.windows`."""
    return [dict(row) for row in connection.execute(_WINDOWS.format(_AT), (now_us, at_us))]


def _known(unit: Unit) -> Unit:
    """A unit as it may become SQL."""
    if unit not in _AMOUNT:
        raise ValueError(f"expected one of {', '.join(_AMOUNT)}, found {unit!r}")
    return unit
