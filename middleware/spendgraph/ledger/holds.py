"""Room in budgets: taken before a call, given back or turned into spending after it.

Everything here is part of a transaction that somebody else begins and commits, and counts in `windows` what
`holds` and `step_windows` say, so that every counter can be derived again. A hold is kept by the process that
makes the call, under a lease that it renews while it lives. A hold whose lease has run out is booked at its full
amount by whoever comes next: the call may well have been paid for.
"""

# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from spendgraph.ledger import approvals, grants
from spendgraph.ledger.corrections import late_correction
from spendgraph.ledger.records import HeldStep, HoldRelease, Record, StepRow
from spendgraph.ledger.statements import AGAIN, INSERT_STEP, STEPS_AT_ONCE

if TYPE_CHECKING:
    import sqlite3

Execute = Callable[..., "sqlite3.Cursor"]

UNHEARD: Final = "the end of the call was never heard"
"""The note on a step that was booked because nobody said how it ended."""

LEASE_US: Final = 120_000_000
"""How long a hold outlives a process that was killed, at most."""


class Want(NamedTuple):
    """Room wanted in one window.

    Attributes:
        budget: The budget's name.
        scope: Whose counter, or empty.
        start_us: The window's start.
        end_us: Its end, or `None`.
        since_us: For a rolling budget, the start of the oldest window that still counts; else `None`.
        unit: What the limit counts: `nanousd`, `tokens` or `calls`.
        limit: The most that may be spent and held together, in that unit; `None` lets everything in.
        notes: Spending, in that unit, of which a person has to take note before more may be spent.
    """

    budget: str
    scope: str
    start_us: int
    end_us: int | None
    since_us: int | None
    unit: str
    limit: int | None
    notes: tuple[int, ...] = ()


class Ask(NamedTuple):
    """Room for one call, wanted in several windows at once.

    Attributes:
        wants: The windows.
        nanousd: How much money.
        tokens: How many tokens.
        step: The row to book, at the full amount, should the call's end never be heard.
        first: What that row refers to and the ledger may not have yet.
    """

    wants: tuple[Want, ...]
    nanousd: int
    tokens: int
    step: StepRow
    first: tuple[Record, ...] = ()


class Hold(NamedTuple):
    """Room that was taken: the ids of the windows, how much, and what of it grants gave."""

    windows: tuple[int, ...]
    nanousd: int
    tokens: int
    draws: tuple[grants.Draw, ...] = ()


class Shortfall(NamedTuple):
    """The first window that does not let a call in; amounts are in the window's unit.

    `threshold` is `None` where there is not enough room, else the spending of which nobody has taken note yet.
    """

    want: Want
    spent: int
    held: int
    asked: int
    threshold: int | None = None


WindowKey = tuple[str, str, int]
"""Budget, scope and start: what a window is known by before it has an id."""

_FIND: Final = "SELECT window_id FROM windows WHERE budget = ? AND scope = ? AND start_us = ?"

_OPEN: Final = """\
INSERT INTO windows (budget, scope, start_us, end_us) VALUES (?, ?, ?, ?)
ON CONFLICT (budget, scope, start_us) DO NOTHING"""

_ROLLED: Final = """\
SELECT 0, coalesce(sum(spent_nanousd), 0), coalesce(sum(held_nanousd), 0), coalesce(sum(spent_tokens), 0),
  coalesce(sum(held_tokens), 0), coalesce(sum(spent_calls), 0), coalesce(sum(held_calls), 0)
FROM windows WHERE budget = ? AND scope = ? AND start_us >= ?"""

_AT: Final = {"nanousd": 1, "tokens": 3, "calls": 5}
"""Where a row of counters has what is spent in a unit; what is held comes next."""

_ENTRY, _STATUS, _COST, _INPUT, _OUTPUT = (
    StepRow._fields.index(name)
    for name in ("entry", "status", "cost_nanousd", "input_tokens", "output_tokens")
)
"""Where a step's row has what is counted."""

_HOLD: Final = """\
INSERT INTO holds (hold_id, holder, windows, held_nanousd, held_tokens, step, lease_until_us)
VALUES (?, ?, ?, ?, ?, ?, ?)"""

# In strict mode there is none; in expected mode it says that the window is closed, and by how much.
_OVERRUN: Final = """\
INSERT INTO decisions (decision_id, kind, outcome, reason, task_id, step_id, context_id, detail, decided_us)
SELECT ?1 || '/overrun/' || w.window_id, 'budget', 'overrun',
  'a call cost more than was held for it, and budget ' || w.budget || ' is spent beyond its limit', ?2, ?1, ?3,
  json_object('budget', w.budget, 'scope', w.scope, 'overrun_nanousd', min(w.spent_nanousd - b.limit_amount, ?5)), ?4
FROM windows AS w JOIN budgets AS b ON b.budget = w.budget
WHERE w.window_id = ?6 AND b.unit = 'nanousd' AND w.spent_nanousd > b.limit_amount
ORDER BY b.version DESC LIMIT 1
ON CONFLICT DO NOTHING"""

_EXPIRED: Final = "SELECT windows, held_nanousd, held_tokens, step FROM holds WHERE lease_until_us < ?"
_RENEW: Final = "UPDATE holds SET lease_until_us = ? WHERE holder = ?"
_BOOKED: Final = f"SELECT {', '.join(StepRow._fields)} FROM steps WHERE step_id = ?"


class _Statements(NamedTuple):
    """The SQL of a call that counts in so many windows: few statements, however many windows.

    sqlite3 releases the interpreter's lock around each, and a thread beside a busy one waits milliseconds to get
    it back.
    """

    counters: str
    take: str
    settle: str


@cache
def _statements(windows: int) -> _Statements:
    ids = ", ".join("?" * windows)
    return _Statements(
        f"""\
SELECT window_id, spent_nanousd, held_nanousd, spent_tokens, held_tokens, spent_calls, held_calls
FROM windows WHERE window_id IN ({ids})""",
        f"""\
UPDATE windows SET held_nanousd = held_nanousd + ?, held_tokens = held_tokens + ?, held_calls = held_calls + ?
WHERE window_id IN ({ids})""",
        f"""\
UPDATE windows SET
  spent_nanousd = spent_nanousd + ?, spent_tokens = spent_tokens + ?, spent_calls = spent_calls + ?,
  held_nanousd = held_nanousd - ?, held_tokens = held_tokens - ?, held_calls = held_calls - ?
WHERE window_id IN ({ids})""",
    )


@cache
def _known(steps: int) -> str:
    ids = ", ".join("?" * steps)
    return f"""\
SELECT (SELECT count(*) FROM steps WHERE step_id IN ({ids})), (SELECT count(*) FROM holds WHERE hold_id IN ({ids}))"""


@cache
def _drop(steps: int) -> str:
    return f"DELETE FROM holds WHERE hold_id IN ({', '.join('?' * steps)})"


@cache
def _charges(pairs: int) -> str:
    rows = ", ".join(["(?, ?)"] * pairs)
    return f"INSERT INTO step_windows (step_id, window_id) VALUES {rows} ON CONFLICT DO NOTHING"


def reserve(
    execute: Execute, ask: Ask, holder: str, now_us: int, known: Mapping[WindowKey, int]
) -> Hold | Shortfall:
    """Take room in every window, or in none.

    With a shortfall nothing was changed but windows that nobody had asked for yet.

    Args:
        execute: Executes a statement of the transaction.
        ask: How much room, and where.
        holder: The process that will make the call.
        now_us: The time, from which the lease counts.
        known: Ids of windows by their keys, of those that are committed.
    """
    windows, counters = open_windows(execute, ask.wants, known)
    sql = _statements(len(windows))
    draws: tuple[grants.Draw, ...] = ()
    for want, row in zip(ask.wants, counters, strict=True):
        if want.limit is None:
            continue
        asked = ask.nanousd if want.unit == "nanousd" else ask.tokens if want.unit == "tokens" else 1
        spent, held = used(execute, want, row)
        unnoted = first_unnoted(execute, want, spent)
        if unnoted is not None:
            return Shortfall(want, spent, held, asked, unnoted)
        over = spent + held + asked - want.limit
        if over > 0:
            drawn = grants.beyond(execute, want, ask.step.task_id, over, now_us)
            if drawn is None:
                return Shortfall(want, spent, held, asked)
            draws += drawn
    for record in ask.first:
        for insert in AGAIN[type(record)]:
            execute(insert, tuple(record))
    grants.draw(execute, draws)
    execute(sql.take, (ask.nanousd, ask.tokens, 1, *windows))
    step_id, step = ask.step.step_id, orjson.dumps(tuple(ask.step)).decode()
    held_by = (step_id, holder, orjson.dumps(windows).decode())
    execute(_HOLD, (*held_by, ask.nanousd, ask.tokens, step, now_us + LEASE_US))
    return Hold(windows, ask.nanousd, ask.tokens, draws)


def open_windows(
    execute: Execute, wants: Sequence[Want], known: Mapping[WindowKey, int]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The ids of windows, which are opened if nobody has asked for them yet, and their counters."""
    windows = tuple(known.get(want[:3]) or _window(execute, want) for want in wants)
    sql = _statements(len(windows)).counters
    counters = {row[0]: row for row in execute(sql, windows)}
    if len(counters) < len(windows):  # somebody has pruned what was known
        windows = tuple(_window(execute, want) for want in wants)
        counters = {row[0]: row for row in execute(sql, windows)}
    return windows, [counters[window_id] for window_id in windows]


def used(execute: Execute, want: Want, row: Sequence[int]) -> tuple[int, int]:
    """What is spent and held in a window, in the unit of its limit; of a rolling one in all that still counts."""
    if want.since_us is not None:
        row = execute(_ROLLED, (want.budget, want.scope, want.since_us)).fetchone()
    at = _AT[want.unit]
    return row[at], row[at + 1]


def first_unnoted(execute: Execute, want: Want, spent: int) -> int | None:
    """The first threshold that is passed and nobody has taken note of."""
    if not want.notes or spent < want.notes[0]:
        return None
    since_us = want.start_us if want.since_us is None else want.since_us
    for threshold in want.notes:
        if spent >= threshold and not approvals.is_acknowledged(
            execute, want.budget, want.scope, since_us, want.start_us, threshold
        ):
            return threshold
    return None


def book(execute: Execute, record: HeldStep) -> None:
    """Book a step and put its cost in the place of its hold; delivered twice, it counts once."""
    row = _step(record.step)
    if not execute(INSERT_STEP, row).rowcount:
        _book_late(execute, row, record.windows)
        return
    held = (0, 0, 0)
    if row.entry == "charge" and execute(_drop(1), (row.step_id,)).rowcount:
        held = (record.held_nanousd, record.held_tokens, 1)
        if record.draws:
            left = (had - has for had, has in zip(held, counted(row), strict=True))
            grants.put_back(
                execute, record.draws, dict(zip(("nanousd", "tokens", "calls"), left, strict=True))
            )
    _settle(execute, row, record.windows, held)
    if row.cost_nanousd > record.held_nanousd:
        for window_id in record.windows:
            overrun = (row.step_id, row.task_id, row.context_id, row.recorded_us, row.cost_nanousd, window_id)
            execute(_OVERRUN, overrun)


def book_many(execute: Execute, records: Sequence[HeldStep]) -> None:
    """Book steps, those that are what nearly all are together: new charges, within their holds, of the same windows."""
    alike: dict[tuple[int, ...], list[HeldStep]] = {}
    for record in records:
        if record.step[_ENTRY] == "charge" and record.step[_COST] <= record.held_nanousd and not record.draws:
            alike.setdefault(tuple(record.windows), []).append(record)
        else:
            book(execute, record)
    for windows, group in alike.items():
        done = 0
        for size, insert in STEPS_AT_ONCE.items():
            while len(group) - done >= size:
                _book_together(execute, windows, group[done : done + size], insert)
                done += size
        for record in group[done:]:
            book(execute, record)


def _book_together(
    execute: Execute, windows: tuple[int, ...], group: Sequence[HeldStep], insert: str
) -> None:
    """Book steps with six statements, if none is booked already and each has its hold; else one by one."""
    ids = [record.step[0] for record in group]
    known, held = execute(_known(len(ids)), (*ids, *ids)).fetchone()
    if known or held != len(set(ids)):
        for record in group:
            book(execute, record)
        return
    execute(insert, tuple(chain.from_iterable(record.step for record in group)))
    execute(_drop(len(ids)), ids)
    spent = [counted(record.step) for record in group]
    totals = [sum(amounts) for amounts in zip(*spent, strict=True)]
    released = (
        sum(record.held_nanousd for record in group),
        sum(record.held_tokens for record in group),
        len(ids),
    )
    execute(_statements(len(windows)).settle, (*totals, *released, *windows))
    pairs = [(step_id, window_id) for step_id in ids for window_id in windows]
    execute(_charges(len(pairs)), tuple(chain.from_iterable(pairs)))


def release(execute: Execute, record: HoldRelease) -> None:
    """Give back what was held for a call that was never sent."""
    query = "SELECT windows, held_nanousd, held_tokens FROM holds WHERE hold_id = ?"
    found = execute(query, (record.hold_id,)).fetchone()
    if found is not None:
        execute(_drop(1), (record.hold_id,))
        grants.put_back(execute, record.draws)
        windows = orjson.loads(found[0])
        execute(_statements(len(windows)).take, (-found[1], -found[2], -1, *windows))


def renew(execute: Execute, holder: str, now_us: int) -> bool:
    """Renew the leases of a process's holds; whether it has any."""
    return execute(_RENEW, (now_us + LEASE_US, holder)).rowcount > 0


def has_expired(execute: Execute, now_us: int) -> bool:
    """Whether there are calls whose process has not renewed its lease."""
    return execute(f"{_EXPIRED} LIMIT 1", (now_us,)).fetchone() is not None


def book_expired(execute: Execute, now_us: int) -> int:
    """Book the calls whose process has not renewed its lease, at what was held; how many."""
    expired = execute(_EXPIRED, (now_us,)).fetchall()
    for windows, held_nanousd, held_tokens, step in expired:
        row = _step(orjson.loads(step))._replace(recorded_us=now_us)
        book(execute, HeldStep(tuple(row), tuple(orjson.loads(windows)), held_nanousd, held_tokens))
    return len(expired)


def counted(row: Sequence[Any]) -> tuple[int, int, int]:
    """What a step adds to its windows: nano-USD, tokens and calls. An answer from the cache adds none."""
    if row[_STATUS] == "cache_hit":
        return row[_COST], 0, 0
    return row[_COST], row[_INPUT] + row[_OUTPUT], int(row[_ENTRY] == "charge")


def _step(row: Sequence[Any]) -> StepRow:
    columns: Any = row
    return StepRow(*columns)


def _window(execute: Execute, want: Want) -> int:
    """The id of a window, which is opened if nobody has asked for it yet."""
    found = execute(_FIND, want[:3]).fetchone()
    if found is None:
        execute(_OPEN, want[:4])
        found = execute(_FIND, want[:3]).fetchone()
    window_id: int = found[0]
    return window_id


def _settle(execute: Execute, row: StepRow, windows: Sequence[int], held: tuple[int, int, int]) -> None:
    """Put what a step cost in the place of what was held for it."""
    sql = _statements(len(windows))
    execute(sql.settle, (*counted(row), *held, *windows))
    execute(_charges(len(windows)), [value for window_id in windows for value in (row.step_id, window_id)])


def _book_late(execute: Execute, row: StepRow, windows: Sequence[int]) -> None:
    """The step is booked already: if only because its lease had run out, correct it by the difference."""
    if row.entry != "charge":
        return
    booked = _step(execute(_BOOKED, (row.step_id,)).fetchone())
    if booked.usage_note != UNHEARD or row.usage_note == UNHEARD:
        return
    correction = late_correction(booked, row)
    if execute(INSERT_STEP, correction).rowcount:
        _settle(execute, correction, windows, (0, 0, 0))
