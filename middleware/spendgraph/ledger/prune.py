"""Old steps are deleted once they are in the rollups, and what they added to each window is written down.

The journal refuses deletion by a trigger, which each transaction takes away and puts back as it was. Contexts, prices,
tasks, decisions and windows stay. So does the step with the highest `seq`, which SQLite would otherwise give to the next one, and
the rollups would take that for a step they have.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.clock import from_us, to_us
from spendgraph.ledger import rollup_sql as sql
from spendgraph.ledger.snapshot import snapshot_objects

if TYPE_CHECKING:
    import sqlite3

    from spendgraph.clock import Clock
    from spendgraph.ledger.pace import Pace
    from spendgraph.ledger.rollup import Progress
    from spendgraph.ledger.statements import Execute

KEPT_US: Final = 7 * 86_400_000_000
"""Steps that started less than seven days ago are never pruned: the end of a call may still be heard, or a row be written twice."""

_TRIGGER: Final = "steps_refuse_delete"

_OLD: Final = f"""\
s.started_us < ?1 AND s.seq <= {sql.ROLLED_SEQ} AND s.seq < (SELECT max(seq) FROM steps)
  AND NOT EXISTS (SELECT 1 FROM tasks AS t WHERE t.task_id = s.task_id AND t.status = 'paused')"""  # noqa: S608 - names are this package's own

_PLAN: Final = f"""\
SELECT count(*) FILTER (WHERE s.entry = 'charge'), count(*) FILTER (WHERE s.entry = 'correction'),
  coalesce(sum(s.cost_nanousd), 0), min(s.started_us), max(s.started_us)
FROM steps AS s WHERE {_OLD}"""  # noqa: S608 - names are this package's own

_STAY: Final = f"""\
SELECT count(*) FILTER (WHERE seq > {sql.ROLLED_SEQ}), count(*) FILTER (WHERE seq <= {sql.ROLLED_SEQ})
FROM steps WHERE started_us < ?1"""  # noqa: S608 - as above

_NEXT: Final = f"""\
SELECT s.seq, s.started_us FROM steps AS s
WHERE (s.started_us, s.seq) > (?2, ?3) AND {_OLD}
ORDER BY s.started_us, s.seq LIMIT ?4"""  # noqa: S608 - as above

_CHOSEN: Final = "json_each(?1) AS j CROSS JOIN steps AS s ON s.seq = j.value"

_WINDOWS: Final = f"""\
INSERT INTO prune_windows (prune_id, window_id, spent_nanousd, spent_tokens, spent_calls)
SELECT ?2, m.window_id, sum(s.cost_nanousd),
  coalesce(sum(s.input_tokens + s.output_tokens) FILTER (WHERE s.status <> 'cache_hit'), 0),
  count(*) FILTER (WHERE s.entry = 'charge' AND s.status <> 'cache_hit')
FROM {_CHOSEN} CROSS JOIN step_windows AS m ON m.step_id = s.step_id
WHERE true GROUP BY m.window_id
ON CONFLICT (prune_id, window_id) DO UPDATE SET
  spent_nanousd = spent_nanousd + excluded.spent_nanousd, spent_tokens = spent_tokens + excluded.spent_tokens,
  spent_calls = spent_calls + excluded.spent_calls"""  # noqa: S608 - as above

_TASKS: Final = f"""\
UPDATE rollup_tasks SET pruned_steps = pruned_steps + g.steps
FROM (SELECT s.task_id, count(*) AS steps FROM {_CHOSEN} GROUP BY s.task_id) AS g
WHERE g.task_id = rollup_tasks.task_id"""  # noqa: S608 - as above

_SUMS: Final = f"""\
SELECT count(*) FILTER (WHERE s.entry = 'charge'), count(*) FILTER (WHERE s.entry = 'correction'),
  sum(s.cost_nanousd), min(s.seq), max(s.seq), min(s.started_us), max(s.started_us)
FROM {_CHOSEN}"""  # noqa: S608 - as above

_RECORD: Final = """\
UPDATE prunes SET
  steps = steps + ?2, corrections = corrections + ?3, cost_nanousd = cost_nanousd + ?4,
  first_seq = min(coalesce(first_seq, ?5), ?5), last_seq = max(coalesce(last_seq, ?6), ?6),
  first_started_us = min(coalesce(first_started_us, ?7), ?7),
  last_started_us = max(coalesce(last_started_us, ?8), ?8)
WHERE prune_id = ?1"""

_UNCHARGE: Final = f"DELETE FROM step_windows WHERE step_id IN (SELECT s.step_id FROM {_CHOSEN})"  # noqa: S608 - as above
_DELETE: Final = "DELETE FROM steps WHERE seq IN (SELECT value FROM json_each(?1))"


class Plan(NamedTuple):
    """What a prune would delete.

    Attributes:
        before_us: Only steps that started earlier: the start of a quarter of an hour.
        steps: How many charges.
        corrections: And corrections.
        cost_nanousd: What they cost; the rollups keep it.
        first_started_us: When the first of them started.
        last_started_us: And the last.
        not_rolled: How many rows that old stay because they are not in the rollups yet.
        kept: How many stay because their task is paused, or because one is the latest step.
    """

    before_us: int
    steps: int
    corrections: int
    cost_nanousd: int
    first_started_us: int | None
    last_started_us: int | None
    not_rolled: int
    kept: int

    @property
    def rows(self) -> int:
        """How many rows would be deleted."""
        return self.steps + self.corrections


class Pruned(NamedTuple):
    """What a prune has deleted.

    Attributes:
        prune_id: Its row of `prunes`; 0 where there was nothing to delete.
        before_us: Only steps that started earlier.
        steps: How many charges.
        corrections: And corrections.
        cost_nanousd: What they cost.
    """

    prune_id: int
    before_us: int
    steps: int
    corrections: int
    cost_nanousd: int


def cut(before: datetime | int, now_us: int) -> int:
    """The start of the quarter of an hour of a time, in microseconds.

    Raises:
        ValueError: The time has no zone, or is less than seven days ago.
    """
    before_us = to_us(before) if isinstance(before, datetime) else before
    if before_us > now_us - KEPT_US:
        raise ValueError(
            "steps of the last seven days are never pruned: expected a time before"
            f" {from_us(now_us - KEPT_US).isoformat(timespec='seconds')}, found {from_us(before_us).isoformat()}"
        )
    return before_us - before_us % sql.QUARTER_US


def read_plan(connection: sqlite3.Connection, before_us: int) -> Plan:
    """What a prune would delete."""
    steps, corrections, cost, first, last = connection.execute(_PLAN, (before_us,)).fetchone()
    not_rolled, rolled = connection.execute(_STAY, (before_us,)).fetchone()
    return Plan(before_us, steps, corrections, cost, first, last, not_rolled, rolled - steps - corrections)


def prune(pace: Pace, plan: Plan, clock: Clock, progress: Progress | None = None) -> Pruned:
    """Delete what is planned, some at a time; each transaction leaves a ledger that is right.

    A time that was pruned up to before is no reason not to: what was booked late since then is deleted too.
    """
    if not plan.rows:
        return Pruned(0, plan.before_us, 0, 0, 0)
    allow, refuse = f"DROP TRIGGER {_TRIGGER}", snapshot_objects()["trigger", _TRIGGER]
    steps = corrections = cost_nanousd = prune_id = 0
    after = (-1, -1)

    def part(execute: Execute, rows: int) -> tuple[tuple[int, int], tuple[int, ...], int] | None:
        chosen = execute(_NEXT, (plan.before_us, *after, rows)).fetchall()
        if not chosen:
            return None
        seqs = json.dumps([row[0] for row in chosen])
        current = prune_id or _begin(execute, plan.before_us, clock())
        sums = execute(_SUMS, (seqs,)).fetchone()
        execute(_WINDOWS, (seqs, current))
        execute(_TASKS, (seqs,))
        execute(_RECORD, (current, *sums))
        execute(_UNCHARGE, (seqs,))
        execute(allow)
        execute(_DELETE, (seqs,))
        execute(refuse)
        return (chosen[-1][1], chosen[-1][0]), sums, current

    while (found := pace.run(part)) is not None:
        after, sums, prune_id = found
        steps, corrections, cost_nanousd = steps + sums[0], corrections + sums[1], cost_nanousd + sums[2]
        if progress is not None:
            progress(min(steps + corrections, plan.rows), plan.rows)
    if prune_id:
        pace.run(
            lambda execute, _: execute(
                "UPDATE prunes SET ended_us = ? WHERE prune_id = ?", (clock(), prune_id)
            )
        )
    return Pruned(prune_id, plan.before_us, steps, corrections, cost_nanousd)


def _begin(execute: Execute, before_us: int, now_us: int) -> int:
    inserted: Any = execute("INSERT INTO prunes (before_us, begun_us) VALUES (?, ?)", (before_us, now_us))
    prune_id: int = inserted.lastrowid
    return prune_id
