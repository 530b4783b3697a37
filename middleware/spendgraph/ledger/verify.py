"""The check of the books: everything that can be derived from something else is derived again.

SQLite checks its own pages and references; the rest is ours: the hashes that name contexts and prices, the
steps that corrections and tasks refer to, token counts that add up, the triggers that keep the journal
append-only. Nothing is repaired.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spendgraph.context import CostContext
from spendgraph.errors import ContextError
from spendgraph.ledger import journal, spool
from spendgraph.ledger.columns import TAGS
from spendgraph.ledger.connection import diagnose
from spendgraph.ledger.import_check import check_imports
from spendgraph.ledger.records import PriceRow
from spendgraph.ledger.rollup_check import check_rollups
from spendgraph.ledger.rollup_sql import PRUNED_BEFORE
from spendgraph.ledger.snapshot import snapshot_objects
from spendgraph.ledger.watch_check import check_watch

if TYPE_CHECKING:
    from spendgraph.ledger.place import Place

Progress = Callable[[str, int, int], None]
"""Called with the name of the check that begins, how many are done, and how many there are."""

_LIMIT: Final = 100
"""How many problems one check reports before it only counts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the ledger that is not as it must be.

    Attributes:
        check: The check that found it.
        subject: The row, file or object concerned.
        message: What was expected and what was found.
    """

    check: str
    subject: str
    message: str


def verify(connection: sqlite3.Connection, place: Place, progress: Progress | None = None) -> list[Problem]:
    """Run every check on a ledger; the connection gives rows by name."""
    problems: list[Problem] = []
    for done, (name, check) in enumerate(_CHECKS.items()):
        if progress is not None:
            progress(name, done, len(_CHECKS))
        try:
            for count, (subject, message) in enumerate(check(connection, place), start=1):
                if count > _LIMIT:
                    problems.append(Problem(name, "", f"and more: only the first {_LIMIT} are listed"))
                    break
                problems.append(Problem(name, subject, message))
        except sqlite3.DatabaseError as error:
            problems.append(Problem(name, place.name, str(diagnose(error, place))))
    if progress is not None:
        progress("", len(_CHECKS), len(_CHECKS))
    return problems


Finding = tuple[str, str]


def _pages(connection: sqlite3.Connection, place: Place) -> Iterator[Finding]:
    for (message,) in connection.execute(f"PRAGMA integrity_check({_LIMIT + 1})"):
        if message != "ok":
            yield place.name, str(message)


def _references(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    for table, rowid, parent, _constraint in connection.execute("PRAGMA foreign_key_check"):
        yield f"{table} row {rowid}", f"refers to a row of {parent} that does not exist"


def _schema(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    found = {
        (kind, name): sql
        for kind, name, sql in connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        )
    }
    for key, sql in snapshot_objects().items():
        if key not in found:
            yield f"{key[0]} {key[1]}", "is missing"
        elif found[key] != sql:
            yield f"{key[0]} {key[1]}", "is not what this version of spendgraph makes"


def _contexts(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    for row in connection.execute("SELECT * FROM contexts"):
        try:
            tags = {tag: row[tag] for tag in TAGS if row[tag]}
            extra = json.loads(row["extra"])
            context = CostContext.from_mapping({**tags, "extra": extra} if extra else tags)
        except (ContextError, ValueError) as error:
            yield f"context {row['context_id']}", f"holds tags that are not valid: {error}"
            continue
        if context.context_id != row["context_id"]:
            yield f"context {row['context_id']}", f"its tags hash to {context.context_id}: they were changed"


def _prices(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    for row in connection.execute("SELECT * FROM prices"):
        content = [row[name] for name in PriceRow._fields if name != "price_id"]
        expected = hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
        if expected != row["price_id"]:
            yield f"price {row['price_id']}", f"its content hashes to {expected}: it was changed"


_SPENT = """\
SELECT w.window_id, w.budget, w.scope, w.spent_nanousd, w.spent_tokens, w.spent_calls,
  coalesce(p.nanousd, 0) + coalesce(sum(s.cost_nanousd), 0) AS nanousd,
  coalesce(p.tokens, 0)
    + coalesce(sum(s.input_tokens + s.output_tokens) FILTER (WHERE s.status <> 'cache_hit'), 0) AS tokens,
  coalesce(p.calls, 0) + count(s.seq) FILTER (WHERE s.entry = 'charge' AND s.status <> 'cache_hit') AS calls
FROM windows AS w
LEFT JOIN (
  SELECT window_id, sum(spent_nanousd) AS nanousd, sum(spent_tokens) AS tokens, sum(spent_calls) AS calls
  FROM prune_windows GROUP BY window_id
) AS p ON p.window_id = w.window_id
LEFT JOIN step_windows AS m ON m.window_id = w.window_id
LEFT JOIN steps AS s ON s.step_id = m.step_id
GROUP BY w.window_id"""

_HELD = """\
SELECT w.window_id, w.budget, w.scope, w.held_nanousd, w.held_tokens, w.held_calls,
  coalesce(sum(h.held_nanousd), 0) AS nanousd, coalesce(sum(h.held_tokens), 0) AS tokens, coalesce(sum(h.calls), 0) AS calls
FROM windows AS w
LEFT JOIN (
  SELECT held_nanousd, held_tokens, 1 AS calls, value AS window_id FROM holds, json_each(holds.windows)
  UNION ALL
  SELECT held_nanousd, 0, 0, value FROM envelopes, json_each(envelopes.windows)
) AS h ON h.window_id = w.window_id
GROUP BY w.window_id"""

# Of each step what it cost when the breaker was closed, or costs now if that is less. What is pruned cannot be added up.
_FORGIVEN = """\
SELECT f.window_id, w.budget, w.scope, f.spent_nanousd, coalesce(sum(min(c.cost_then, max(c.cost_now, 0))), 0) AS nanousd
FROM forgiven AS f
JOIN windows AS w ON w.window_id = f.window_id
LEFT JOIN (
  SELECT m.window_id, sum(s.cost_nanousd) AS cost_now,
    coalesce(sum(s.cost_nanousd) FILTER (WHERE s.seq <= g.up_to_seq), 0) AS cost_then
  FROM step_windows AS m
  JOIN forgiven AS g ON g.window_id = m.window_id
  JOIN steps AS s ON s.step_id = m.step_id
  GROUP BY m.window_id, coalesce(s.corrects_step_id, s.step_id)
) AS c ON c.window_id = f.window_id
WHERE f.window_id NOT IN (SELECT window_id FROM prune_windows)
GROUP BY f.window_id HAVING f.spent_nanousd <> nanousd"""


def _windows(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    """Every counter is the sum of what it counts."""
    for word, query in (("spent", _SPENT), ("held", _HELD)):
        for row in connection.execute(query):
            for unit in ("nanousd", "tokens", "calls"):
                if row[f"{word}_{unit}"] != row[unit]:
                    yield (
                        f"window {row['window_id']} of budget {row['budget']} {row['scope']}".rstrip(),
                        f"says {row[f'{word}_{unit}']} {unit} {word}, its rows add up to {row[unit]}",
                    )
    for window_id, budget, scope, forgiven, nanousd in connection.execute(_FORGIVEN):
        yield (
            f"window {window_id} of budget {budget} {scope}".rstrip(),
            f"says {forgiven} nanousd forgiven, its rows add up to {nanousd}",
        )
    strays = """\
SELECT hold_id, value FROM holds, json_each(holds.windows)
WHERE NOT EXISTS (SELECT 1 FROM windows AS w WHERE w.window_id = value)"""
    for row in connection.execute(strays):
        yield f"hold {row[0]}", f"counts in window {row[1]}, which does not exist"
    for row in connection.execute(
        "SELECT grant_id, amount, used FROM grants WHERE used < 0 OR used > amount"
    ):
        yield f"grant {row[0]}", f"says {row[2]} used of {row[1]}"
    orphans = "SELECT step_id FROM step_windows AS m WHERE NOT EXISTS (SELECT 1 FROM steps AS s WHERE s.step_id = m.step_id)"
    for (step_id,) in connection.execute(orphans):
        yield f"step {step_id}", "is charged to a window, but does not exist"
    broken = "SELECT envelope_id, held_nanousd, amount_nanousd FROM envelopes WHERE held_nanousd NOT BETWEEN 0 AND amount_nanousd"
    for envelope_id, held, amount in connection.execute(broken):
        yield f"envelope {envelope_id}", f"has {held} nanousd left of {amount}"


# A charge that started before what was pruned may be gone while its correction, booked later, is still there.
_CORRECTIONS = f"""\
SELECT s.step_id, s.corrects_step_id, o.entry, o.task_id = s.task_id AS same_task,
  o.started_us = s.started_us AS same_start
FROM steps AS s LEFT JOIN steps AS o ON o.step_id = s.corrects_step_id
WHERE s.corrects_step_id IS NOT NULL AND (o.entry IS NOT NULL OR s.started_us >= {PRUNED_BEFORE})"""  # noqa: S608 - names are this package's own


def _corrections(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    for row in connection.execute(_CORRECTIONS):
        subject, corrected = f"step {row['step_id']}", row["corrects_step_id"]
        if row["entry"] is None:
            yield subject, f"corrects the step {corrected}, which does not exist"
        elif row["entry"] != "charge":
            yield subject, f"corrects {corrected}, which is a correction itself"
        elif not row["same_task"]:
            yield subject, f"corrects {corrected}, but is booked on another task"
        elif not row["same_start"]:
            yield subject, f"corrects {corrected}, but is booked at another start"


# One pass over the journal. Counts that the provider itself contradicted carry a usage_note.
_STEPS = """\
SELECT s.step_id, t.task_id IS NULL AS no_task, s.entry = 'charge' AND s.cost_nanousd < 0 AS negative_cost,
  s.ended_us < s.started_us AS ends_early,
  s.entry = 'charge' AND s.usage_note = '' AND (
    s.cache_read_tokens + s.cache_write_5m_tokens + s.cache_write_1h_tokens > s.input_tokens
    OR s.audio_input_tokens > s.input_tokens
    OR s.reasoning_tokens > s.output_tokens
    OR s.audio_output_tokens + s.image_tokens > s.output_tokens
  ) AS parts_exceed,
  s.entry = 'charge' AND min(
    s.input_tokens, s.output_tokens, s.cache_read_tokens, s.cache_write_5m_tokens, s.cache_write_1h_tokens,
    s.reasoning_tokens, s.audio_input_tokens, s.audio_output_tokens, s.image_tokens
  ) < 0 AS negative_tokens,
  s.entry = 'charge' AND s.cost_nanousd <> 0 AND s.cost_basis IN ('free', 'unpriced') AS paid_for_nothing,
  s.entry = 'charge' AND s.cost_nanousd <> 0 AND s.status = 'cache_hit' AS paid_cache_hit
FROM steps AS s LEFT JOIN tasks AS t ON t.task_id = s.task_id
WHERE no_task OR negative_cost OR ends_early OR parts_exceed OR negative_tokens OR paid_for_nothing
  OR paid_cache_hit"""

_STEP_MESSAGES: Final = {
    "no_task": "belongs to a task that does not exist",
    "negative_cost": "charges less than nothing",
    "ends_early": "ends before it starts",
    "parts_exceed": "has parts (cache, reasoning, audio, images) larger than its input or output tokens",
    "negative_tokens": "has a negative token count",
    "paid_for_nothing": "has a cost, but says it is free or unpriced",
    "paid_cache_hit": "has a cost, but says it was answered from LangChain's cache",
}


def _steps(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    for row in connection.execute(_STEPS):
        for column, message in _STEP_MESSAGES.items():
            if row[column]:
                yield f"step {row['step_id']}", message


_TASKS = """\
SELECT t.task_id, t.ended_us IS NOT NULL AND t.ended_us < t.started_us AS ends_early,
  t.status IN ('finished', 'cancelled') AND t.ended_us IS NULL AS no_end
FROM tasks AS t
WHERE ends_early OR no_end"""

_TASK_MESSAGES: Final = {
    "ends_early": "ends before it starts",
    "no_end": "has ended, but has no time of its end",
}


def _tasks(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    for row in connection.execute(_TASKS):
        for column, message in _TASK_MESSAGES.items():
            if row[column]:
                yield f"task {row['task_id']}", message


def _rollups(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    return check_rollups(connection)


def _imports(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    return check_imports(connection)


def _watch(connection: sqlite3.Connection, _: Place) -> Iterator[Finding]:
    return check_watch(connection)


def _spools(_: sqlite3.Connection, place: Place) -> Iterator[Finding]:
    for path in journal.orphans(place):
        yield (
            str(path),
            "holds steps of a process that was killed: open the ledger for writing to take them over",
        )
    for path in spool.waiting(place):
        yield (
            str(path),
            "holds rows that are not in the ledger yet: open the ledger for writing to fold them in",
        )
    for path in spool.refused(place):
        yield str(path), "holds rows the ledger refused: read it, book what is right, then remove it"


_CHECKS: Final[dict[str, Callable[[sqlite3.Connection, Place], Iterator[Finding]]]] = {
    "pages": _pages,
    "schema": _schema,
    "references": _references,
    "contexts": _contexts,
    "prices": _prices,
    "corrections": _corrections,
    "steps": _steps,
    "tasks": _tasks,
    "windows": _windows,
    "rollups": _rollups,
    "imports": _imports,
    "watch": _watch,
    "spools": _spools,
}
