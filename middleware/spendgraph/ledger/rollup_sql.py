"""The SQL of the rollups: what a step adds to them, and the same sums made anew from the steps."""

# ruff: noqa: S608 - every name in these statements is written in this file
from __future__ import annotations

from typing import Final

QUARTER_US: Final = 900_000_000
"""A quarter of an hour: the day of any time zone is a sum of these."""

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 86_400_000_000
WEEK_US: Final = 7 * DAY_US

QUARTER: Final = f"s.started_us - s.started_us % {QUARTER_US}"
"""When the quarter of an hour starts in which a step started."""


def week(start: str) -> str:
    """When the week starts, on a Monday in UTC, in which a time is: 1970 began on a Thursday."""
    return f"{start} - ({start} + {3 * DAY_US}) % {WEEK_US}"


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

ACCOUNT_TAGS: Final = (
    "tenant",
    "feature",
    "team",
    "workload_class",
    "environment",
    "workspace",
    "project",
    "cost_center",
    "priority",
)
"""The tags that have few values. With what a step was, they make an account: its months are few, however many users there are."""

_OF_STEP: Final = DIMENSIONS[1:]

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
_TOTALS: Final = ", ".join(f"sum({name})" for name in SUMS)
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


_SERIES_OF_STEP: Final = " AND ".join(f"r.{name} = s.{name}" for name in DIMENSIONS)
_ACCOUNT_KEYS: Final = ", ".join((*ACCOUNT_TAGS, *_OF_STEP))
_ACCOUNT: Final = ", ".join((*(f"c.{name}" for name in ACCOUNT_TAGS), *(f"s.{name}" for name in _OF_STEP)))
_ACCOUNT_OF_STEP: Final = " AND ".join(
    (*(f"a.{name} = c.{name}" for name in ACCOUNT_TAGS), *(f"a.{name} = s.{name}" for name in _OF_STEP))
)


def new_accounts(source: str, condition: str) -> str:
    """Make the accounts of what has no series; the source has the columns of `steps` that make one."""
    return f"""\
INSERT INTO rollup_accounts ({_ACCOUNT_KEYS})
SELECT DISTINCT {_ACCOUNT} FROM {source} AS s CROSS JOIN contexts AS c ON c.context_id = s.context_id
WHERE {condition}
ON CONFLICT DO NOTHING"""


def new_series(source: str, condition: str) -> str:
    """Make the series of what has none; their accounts are there."""
    return f"""\
INSERT INTO rollup_series (account_id, {_KEYS})
SELECT DISTINCT a.account_id, {", ".join(f"s.{name}" for name in DIMENSIONS)}
FROM {source} AS s CROSS JOIN contexts AS c ON c.context_id = s.context_id CROSS JOIN rollup_accounts AS a ON {_ACCOUNT_OF_STEP}
WHERE {condition}"""


def sums(condition: str, start: str) -> str:
    """The rows of a rollup as steps make them: from when on, of which series, and the sums."""
    return f"""\
SELECT {start}, r.series_id, {_NEW_SUMS}
FROM steps AS s LEFT JOIN rollup_series AS r ON {_SERIES_OF_STEP}
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


_WEEK: Final = week("quarter_us")
_HOUR: Final = f"quarter_us - quarter_us % {HOUR_US}"

# What some steps add, summed once and added to three tables. It lies in the memory of the connection, and is empty in between.
CREATE_CHUNK: Final = f"""\
CREATE TEMP TABLE IF NOT EXISTS rollup_chunk (quarter_us, series_id, account_id, {_KEYS}, {_SUM_NAMES})"""
FILL_CHUNK: Final = f"""\
INSERT INTO temp.rollup_chunk (quarter_us, series_id, account_id, {_KEYS}, {_SUM_NAMES})
SELECT s.quarter_us, r.series_id, r.account_id, {", ".join(f"s.{name}" for name in (*DIMENSIONS, *SUMS))}
FROM (
  SELECT {QUARTER} AS quarter_us, {_KEYS}, {_NEW_SUMS} FROM steps AS s WHERE {IN_CHUNK}
  GROUP BY 1, {", ".join(str(2 + number) for number in range(len(DIMENSIONS)))}
) AS s LEFT JOIN rollup_series AS r ON {_SERIES_OF_STEP}"""
FIND_SERIES: Final = f"""\
UPDATE temp.rollup_chunk AS s SET series_id = r.series_id, account_id = r.account_id
FROM rollup_series AS r WHERE s.series_id IS NULL AND {_SERIES_OF_STEP}"""
ADD_ACCOUNTS: Final = new_accounts("temp.rollup_chunk", "s.series_id IS NULL")
ADD_SERIES: Final = new_series("temp.rollup_chunk", "s.series_id IS NULL")
ADD_QUARTERS: Final = f"""\
INSERT INTO rollup_15min (quarter_us, series_id, {_SUM_NAMES})
SELECT quarter_us, series_id, {_SUM_NAMES} FROM temp.rollup_chunk WHERE true
ON CONFLICT (quarter_us, series_id) DO UPDATE SET {_ADD}"""
ADD_HOURS: Final = f"""\
INSERT INTO rollup_hours (week_us, account_id, hour_us, {_SUM_NAMES})
SELECT {_WEEK}, account_id, {_HOUR}, {_TOTALS} FROM temp.rollup_chunk GROUP BY 1, 2, 3
ON CONFLICT (week_us, account_id, hour_us) DO UPDATE SET {_ADD}"""
ADD_MONTHS: Final = f"""\
INSERT INTO rollup_months (account_id, month_us, {_SUM_NAMES})
SELECT account_id, {month("quarter_us")}, {_TOTALS} FROM temp.rollup_chunk GROUP BY 1, 2
ON CONFLICT (account_id, month_us) DO UPDATE SET {_ADD}"""
EMPTY_CHUNK: Final = "DELETE FROM temp.rollup_chunk"

ADD_TASKS: Final = f"""\
INSERT INTO rollup_tasks (task_id, context_id, {_TASK_NAMES})
{tasks(IN_CHUNK)} WHERE true
ON CONFLICT (task_id) DO UPDATE SET {_MERGE}"""

SET_STATE: Final = """\
INSERT INTO rollup_state (state_id, rolled_seq, rolled_us) VALUES (1, ?1, ?2)
ON CONFLICT (state_id) DO UPDATE SET rolled_seq = excluded.rolled_seq, rolled_us = excluded.rolled_us"""

_STRANGE: Final = f"{IN_SLICE} AND NOT EXISTS (SELECT 1 FROM rollup_series AS r WHERE {_SERIES_OF_STEP})"
_SERIES_IN_SLICE: Final = "s.series_id > ?1 AND s.series_id <= ?2"

STORED_SERIES: Final = f"SELECT s.series_id, s.account_id FROM rollup_series AS s WHERE {_SERIES_IN_SLICE}"
STORED_QUARTERS: Final = f"""\
SELECT quarter_us, series_id, {_SUM_NAMES} FROM rollup_15min WHERE quarter_us >= ?1 AND quarter_us < ?2"""
STORED_HOURS: Final = f"""\
SELECT week_us, account_id, hour_us, {_SUM_NAMES} FROM rollup_hours WHERE week_us >= ?1 AND week_us < ?2"""
STORED_MONTHS: Final = f"""\
SELECT account_id, month_us, {_SUM_NAMES} FROM rollup_months WHERE month_us >= ?1 AND month_us < ?2"""
STORED_TASKS: Final = f"""\
SELECT task_id, context_id, {_TASK_NAMES} FROM rollup_tasks
WHERE task_id > ?1 AND task_id <= ?2 AND pruned_steps = 0"""

FRESH_SERIES: Final = f"""\
SELECT s.series_id, a.account_id FROM rollup_series AS s JOIN contexts AS c ON c.context_id = s.context_id
LEFT JOIN rollup_accounts AS a ON {_ACCOUNT_OF_STEP} WHERE {_SERIES_IN_SLICE}"""
FRESH_QUARTERS: Final = sums(IN_SLICE, QUARTER)
FRESH_HOURS: Final = f"""\
SELECT {_WEEK}, r.account_id, {_HOUR}, {_TOTALS} FROM rollup_15min AS q CROSS JOIN rollup_series AS r ON r.series_id = q.series_id
WHERE q.quarter_us >= ?1 AND q.quarter_us < ?2 GROUP BY 1, 2, 3"""
FRESH_MONTHS: Final = f"""\
SELECT account_id, {month("hour_us")}, {_TOTALS} FROM rollup_hours
WHERE week_us > ?1 - {WEEK_US} AND week_us < ?2 AND hour_us >= ?1 AND hour_us < ?2 GROUP BY 1, 2"""
FRESH_TASKS: Final = tasks(_TASK_IN_SLICE)

DROP_QUARTERS: Final = "DELETE FROM rollup_15min WHERE quarter_us >= ?1 AND quarter_us < ?2"
DROP_HOURS: Final = "DELETE FROM rollup_hours WHERE week_us >= ?1 AND week_us < ?2"
DROP_MONTHS: Final = "DELETE FROM rollup_months WHERE month_us >= ?1 AND month_us < ?2"
DROP_TASKS: Final = "DELETE FROM rollup_tasks WHERE task_id > ?1 AND task_id <= ?2 AND pruned_steps = 0"

FILL_ACCOUNTS_OF_SERIES: Final = f"""\
INSERT INTO rollup_accounts ({_ACCOUNT_KEYS})
SELECT DISTINCT {_ACCOUNT} FROM rollup_series AS s JOIN contexts AS c ON c.context_id = s.context_id
WHERE {_SERIES_IN_SLICE} ON CONFLICT DO NOTHING"""
SET_ACCOUNTS: Final = f"""\
UPDATE rollup_series AS s SET account_id = a.account_id FROM contexts AS c, rollup_accounts AS a
WHERE c.context_id = s.context_id AND {_ACCOUNT_OF_STEP} AND {_SERIES_IN_SLICE}"""
FILL_ACCOUNTS: Final = new_accounts("steps", _STRANGE)
FILL_SERIES: Final = new_series("steps", _STRANGE)
FILL_QUARTERS: Final = f"INSERT INTO rollup_15min (quarter_us, series_id, {_SUM_NAMES})\n{FRESH_QUARTERS}"
FILL_HOURS: Final = f"INSERT INTO rollup_hours (week_us, account_id, hour_us, {_SUM_NAMES})\n{FRESH_HOURS}"
FILL_MONTHS: Final = f"INSERT INTO rollup_months (account_id, month_us, {_SUM_NAMES})\n{FRESH_MONTHS}"
FILL_TASKS: Final = f"INSERT INTO rollup_tasks (task_id, context_id, {_TASK_NAMES})\n{FRESH_TASKS}"
