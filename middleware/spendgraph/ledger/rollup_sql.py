"""The SQL of the rollups: what a step adds to them, and the same sums made anew from the steps."""

# ruff: noqa: S608 - every name in these statements is written in this file
from __future__ import annotations

from typing import Final

QUARTER_US: Final = 900_000_000
"""A quarter of an hour: the day of any time zone is a sum of these."""

QUARTER: Final = f"s.started_us - s.started_us % {QUARTER_US}"
"""When the quarter of an hour starts in which a step started."""


def month(start: str) -> str:
    """When the month starts, in UTC, in which a time is."""
    return f"CAST(strftime('%s', {start} / 1000000, 'unixepoch', 'start of month') AS INTEGER) * 1000000"


DIMENSIONS: Final = (
    "context_id",
    "kind",
    "name",
    "provider",
    "model",
    "service_tier",
    "owner_team",
    "missing_tags",
    "cost_basis",
    "status",
    "is_replay",
)
"""The columns of `steps` that make a series."""

_IS_CHARGE: Final = "s.entry = 'charge'"
_FAILED: Final = "s.status IN ('error', 'cut', 'cancelled')"


def _part(of: str, condition: str) -> str:
    return f"CASE WHEN {condition} THEN {of} ELSE 0 END"


SUMS: Final[dict[str, str]] = {
    "steps": _IS_CHARGE,
    "corrections": "s.entry = 'correction'",
    "cost_nanousd": "s.cost_nanousd",
    "saved_nanousd": "s.saved_nanousd",
    "took_us": _part("s.ended_us - s.started_us", _IS_CHARGE),
    "input_tokens": "s.input_tokens",
    "output_tokens": "s.output_tokens",
    "cache_read_tokens": "s.cache_read_tokens",
    "cache_write_5m_tokens": "s.cache_write_5m_tokens",
    "cache_write_1h_tokens": "s.cache_write_1h_tokens",
    "reasoning_tokens": "s.reasoning_tokens",
    "audio_input_tokens": "s.audio_input_tokens",
    "audio_output_tokens": "s.audio_output_tokens",
    "image_tokens": "s.image_tokens",
}
"""The sums of `rollup_15min`, and what a step adds to each."""

_TASK_SUMS: Final[dict[str, str]] = {
    "steps": _IS_CHARGE,
    "corrections": "s.entry = 'correction'",
    "model_steps": f"{_IS_CHARGE} AND s.kind = 'model'",
    "tool_steps": f"{_IS_CHARGE} AND s.kind = 'tool'",
    "failed_steps": f"{_IS_CHARGE} AND {_FAILED}",
    "unpriced_steps": f"{_IS_CHARGE} AND s.cost_basis = 'unpriced'",
    "cost_nanousd": "s.cost_nanousd",
    "model_nanousd": _part("s.cost_nanousd", "s.kind = 'model'"),
    "tool_nanousd": _part("s.cost_nanousd", "s.kind = 'tool'"),
    "replay_nanousd": _part("s.cost_nanousd", "s.is_replay = 1"),
    "failed_nanousd": _part("s.cost_nanousd", _FAILED),
    "unattributed_nanousd": _part("s.cost_nanousd", "s.missing_tags <> ''"),
    "not_reported_nanousd": _part("s.cost_nanousd", "s.cost_basis IN ('estimated', 'upper_bound')"),
    "saved_nanousd": "s.saved_nanousd",
    "input_tokens": "s.input_tokens",
    "output_tokens": "s.output_tokens",
    "cache_read_tokens": "s.cache_read_tokens",
}

TASK_COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "first_started_us": ("min", "s.started_us"),
    "last_ended_us": ("max", "s.ended_us"),
    **{name: ("sum", sql) for name, sql in _TASK_SUMS.items()},
    "largest_input_tokens": ("max", _part("s.input_tokens", _IS_CHARGE)),
    "dearest_nanousd": ("max", _part("s.cost_nanousd", _IS_CHARGE)),
}
"""The columns of `rollup_tasks`: how several make one, and what a step brings."""

ROLLED_SEQ: Final = "(SELECT coalesce(max(rolled_seq), 0) FROM rollup_state)"
"""Steps up to this one are in the rollups."""

PRUNED_BEFORE: Final = "(SELECT coalesce(max(before_us), 0) FROM prunes)"
"""Steps that started earlier may be gone: sums before it cannot be made anew."""

_KEYS: Final = ", ".join(DIMENSIONS)
_SUM_NAMES: Final = ", ".join(SUMS)
_TASK_NAMES: Final = ", ".join(TASK_COLUMNS)
_NEW_SUMS: Final = ", ".join(f"sum({sql}) AS {name}" for name, sql in SUMS.items())
_NEW_TASK: Final = ", ".join(f"{how}({sql}) AS {name}" for name, (how, sql) in TASK_COLUMNS.items())
_ADD: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
_MERGE: Final = ", ".join(
    f"{name} = {name} + excluded.{name}" if how == "sum" else f"{name} = {how}({name}, excluded.{name})"
    for name, (how, _) in TASK_COLUMNS.items()
)

IN_CHUNK: Final = "s.seq > ?1 AND s.seq <= ?2"
IN_SLICE: Final = f"s.started_us >= ?1 AND s.started_us < ?2 AND s.seq <= {ROLLED_SEQ}"
_TASK_IN_SLICE: Final = f"""\
s.task_id > ?1 AND s.task_id <= ?2 AND s.seq <= {ROLLED_SEQ}
  AND NOT EXISTS (SELECT 1 FROM rollup_tasks AS p WHERE p.task_id = s.task_id AND p.pruned_steps > 0)"""


def new_series(condition: str) -> str:
    """Make the series of steps that have none yet."""
    keys = ", ".join(f"s.{name}" for name in DIMENSIONS)
    return f"""\
INSERT INTO rollup_series ({_KEYS})
SELECT DISTINCT {keys} FROM steps AS s WHERE {condition}
ON CONFLICT DO NOTHING"""


def sums(condition: str, start: str) -> str:
    """The rows of a rollup as steps make them: from when on, of which series, and the sums."""
    same = " AND ".join(f"r.{name} = s.{name}" for name in DIMENSIONS)
    return f"""\
SELECT {start}, r.series_id, {_NEW_SUMS}
FROM steps AS s LEFT JOIN rollup_series AS r ON {same}
WHERE {condition}
GROUP BY 1, 2"""


def tasks(condition: str, way: str = "") -> str:
    """The rows of `rollup_tasks` as steps make them; a task that is no row of `tasks` is its first step's payer's.

    Args:
        condition: Of which steps.
        way: How they are found, where SQLite should not choose.
    """
    return f"""\
SELECT g.task_id, coalesce(
  (SELECT t.context_id FROM tasks AS t WHERE t.task_id = g.task_id),
  (SELECT f.context_id FROM steps AS f WHERE f.task_id = g.task_id ORDER BY f.seq LIMIT 1)
) AS context_id, {_TASK_NAMES}
FROM (SELECT s.task_id, {_NEW_TASK} FROM steps AS s {way} WHERE {condition} GROUP BY s.task_id) AS g"""


ADD_QUARTERS: Final = f"""\
INSERT INTO rollup_15min (quarter_us, series_id, {_SUM_NAMES})
{sums(IN_CHUNK, QUARTER)}
ON CONFLICT (quarter_us, series_id) DO UPDATE SET {_ADD}"""

ADD_MONTHS: Final = f"""\
INSERT INTO rollup_months (month_us, series_id, {_SUM_NAMES})
{sums(IN_CHUNK, month("s.started_us"))}
ON CONFLICT (series_id, month_us) DO UPDATE SET {_ADD}"""

ADD_TASKS: Final = f"""\
INSERT INTO rollup_tasks (task_id, context_id, {_TASK_NAMES})
{tasks(IN_CHUNK)} WHERE true
ON CONFLICT (task_id) DO UPDATE SET {_MERGE}"""

SET_STATE: Final = """\
INSERT INTO rollup_state (state_id, rolled_seq, rolled_us) VALUES (1, ?1, ?2)
ON CONFLICT (state_id) DO UPDATE SET rolled_seq = excluded.rolled_seq, rolled_us = excluded.rolled_us"""

STORED_QUARTERS: Final = f"""\
SELECT quarter_us, series_id, {_SUM_NAMES} FROM rollup_15min WHERE quarter_us >= ?1 AND quarter_us < ?2"""
STORED_MONTHS: Final = f"""\
SELECT month_us, series_id, {_SUM_NAMES} FROM rollup_months WHERE series_id > ?1 AND series_id <= ?2"""
STORED_TASKS: Final = f"""\
SELECT task_id, context_id, {_TASK_NAMES} FROM rollup_tasks
WHERE task_id > ?1 AND task_id <= ?2 AND pruned_steps = 0"""

FRESH_QUARTERS: Final = sums(IN_SLICE, QUARTER)
FRESH_MONTHS: Final = f"""\
SELECT {month("q.quarter_us")}, q.series_id, {", ".join(f"sum(q.{name})" for name in SUMS)}
FROM rollup_15min AS q WHERE q.series_id > ?1 AND q.series_id <= ?2 GROUP BY 2, 1"""
FRESH_TASKS: Final = tasks(_TASK_IN_SLICE)

DROP_QUARTERS: Final = "DELETE FROM rollup_15min WHERE quarter_us >= ?1 AND quarter_us < ?2"
DROP_MONTHS: Final = "DELETE FROM rollup_months WHERE series_id > ?1 AND series_id <= ?2"
DROP_TASKS: Final = "DELETE FROM rollup_tasks WHERE task_id > ?1 AND task_id <= ?2 AND pruned_steps = 0"

FILL_SERIES: Final = new_series(IN_SLICE)
FILL_QUARTERS: Final = f"INSERT INTO rollup_15min (quarter_us, series_id, {_SUM_NAMES})\n{FRESH_QUARTERS}"
FILL_MONTHS: Final = f"INSERT INTO rollup_months (month_us, series_id, {_SUM_NAMES})\n{FRESH_MONTHS}"
FILL_TASKS: Final = f"INSERT INTO rollup_tasks (task_id, context_id, {_TASK_NAMES})\n{FRESH_TASKS}"
ADD_SERIES: Final = new_series(IN_CHUNK)
