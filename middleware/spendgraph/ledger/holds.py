"""Holds: room that was taken before a call, given back or turned into spending after it.

Everything here is part of a transaction that somebody else begins and commits, and counts in `windows` what
`holds` and `step_windows` say, so that every counter can be derived again. A hold is kept by the process that
makes the call, under a lease that it renews while it lives. A hold whose lease has run out is booked at its full
amount by whoever comes next: the call may well have been paid for.
"""

# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

import orjson

from spendgraph.ledger import breakers, envelopes, forgiving, grants
from spendgraph.ledger.corrections import CORRECTABLE, late_correction
from spendgraph.ledger.counters import statements, window_id
from spendgraph.ledger.records import HeldStep, HoldRelease, Record, StepRow, UnheldStep
from spendgraph.ledger.statements import INSERT_STEP, OVERRUN, STEPS_AT_ONCE, Execute

UNHEARD: Final = "the end of the call was never heard"
"""The note on a step that was booked because nobody said how it ended."""

NOT_SENT: Final = "the call was not sent after all"
"""The note on what takes such a step back."""

LEASE_US: Final = 120_000_000
"""How long a hold outlives a process that was killed, at most."""


_ENTRY, _STATUS, _COST, _INPUT, _OUTPUT = (
    StepRow._fields.index(name)
    for name in ("entry", "status", "cost_nanousd", "input_tokens", "output_tokens")
)
"""Where a step's row has what is counted."""

_EXPIRED: Final = "SELECT windows, held_nanousd, held_tokens, step FROM holds WHERE lease_until_us < ?"
_RENEW: Final = "UPDATE holds SET lease_until_us = ? WHERE holder = ?"
_BOOKED: Final = f"SELECT {', '.join(StepRow._fields)} FROM steps WHERE step_id = ?"


@cache
def _known(steps: int) -> str:
    ids = ", ".join("?" * steps)
    return f"""\
SELECT (SELECT count(*) FROM steps WHERE step_id IN ({ids})), (SELECT count(*) FROM holds WHERE hold_id IN ({ids}))"""


@cache
def _drop(steps: int) -> str:
    ids = ", ".join("?" * steps)
    return f"DELETE FROM holds WHERE hold_id IN ({ids}) RETURNING hold_id, held_nanousd, held_tokens, 1"


@cache
def _charges(pairs: int) -> str:
    rows = ", ".join(["(?, ?)"] * pairs)
    return f"INSERT INTO step_windows (step_id, window_id) VALUES {rows} ON CONFLICT DO NOTHING"


@cache
def _charge_held(steps: int) -> str:
    ids = ", ".join("?" * steps)
    return f"""\
INSERT INTO step_windows (step_id, window_id)
SELECT hold_id, value FROM holds, json_each(holds.windows) WHERE hold_id IN ({ids}) ON CONFLICT DO NOTHING"""


def book(execute: Execute, record: HeldStep, *, has_hold: bool = True) -> None:
    """Book a step and put its cost in the place of its hold; delivered twice, it counts once."""
    row = _step(record.step)
    if not execute(INSERT_STEP, row).rowcount:
        _book_late(execute, row, record)
        # Of a step that went out unheld: taken after nobody waited for it any more, by a process that was killed then.
        _release_hold(execute, HoldRelease(row.step_id))
        return
    held = (0, 0, 0)
    # What the hold's row says is what the windows count, whatever its process knew: it may have grown since.
    is_charge = has_hold and row.entry == "charge"
    if is_charge and (dropped := execute(_drop(1), (row.step_id,)).fetchall()):
        held = dropped[0][1:]
        left = tuple(had - has for had, has in zip(held, counted(row), strict=True))
        _give_back(execute, record, left)
    elif row.entry == "correction":
        _give_back(execute, record, tuple(-more for more in counted(row)))
    _settle(execute, row, record.windows, held)
    if record.probes:
        breakers.end_probe(execute, row, record.probes)
    if row.cost_nanousd > record.held_nanousd:
        for window_id in record.windows:
            overrun = (row.step_id, row.task_id, row.context_id, row.recorded_us, row.cost_nanousd, window_id)
            execute(OVERRUN, overrun)


def book_unheld(execute: Execute, record: UnheldStep) -> None:
    """Book a step for which nothing was held, in its windows, which are opened if nobody has asked for them yet.

    A hold that was taken when nobody waited for it any more is given back by whoever took it.
    """
    windows = tuple(window_id(execute, each) for each in record.windows)
    book(execute, HeldStep(record.step, windows, 0, 0), has_hold=False)


def book_many(execute: Execute, records: Sequence[HeldStep]) -> None:
    """Book steps, those that are what nearly all are together: new charges, within their holds."""
    usual: list[HeldStep] = []
    others: list[HeldStep] = []
    for record in records:
        is_usual = record.step[_ENTRY] == "charge" and not (record.draws or record.envelopes or record.probes)
        if is_usual and record.windows and record.step[_COST] <= record.held_nanousd:
            usual.append(record)
        else:
            others.append(record)
    done = 0
    for size, insert in STEPS_AT_ONCE.items():
        while len(usual) - done >= size:
            _book_together(execute, usual[done : done + size], insert)
            done += size
    # Last: a correction comes after its charge, and an overrun counts what came before it.
    for record in chain(usual[done:], others):
        book(execute, record)


def _book_together(execute: Execute, group: Sequence[HeldStep], insert: str) -> None:
    """Book steps with few statements, if none is booked already and each has its hold; else one by one."""
    ids = [record.step[0] for record in group]
    known, held = execute(_known(len(ids)), (*ids, *ids)).fetchone()
    if known or held != len(ids):
        for record in group:
            book(execute, record)
        return
    execute(insert, tuple(chain.from_iterable(record.step for record in group)))
    execute(_charge_held(len(ids)), ids)
    released = {row[0]: row[1:] for row in execute(_drop(len(ids)), ids).fetchall()}
    together: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for record in group:
        amounts = (*counted(record.step), *released[record.step[0]])
        together.setdefault(tuple(record.windows), []).append(amounts)
    by_window: dict[int, list[tuple[int, ...]]] = {}
    for windows, each in together.items():
        total = tuple(map(sum, zip(*each, strict=True)))
        for window in windows:
            by_window.setdefault(window, []).append(total)
    alike: dict[tuple[int, ...], list[int]] = {}
    for window, totals in by_window.items():
        change = totals[0] if len(totals) == 1 else tuple(map(sum, zip(*totals, strict=True)))
        alike.setdefault(change, []).append(window)
    for change, changed in alike.items():
        execute(statements(len(changed)).settle, (*change, *changed))


def release(execute: Execute, record: HoldRelease) -> None:
    """Give back what was held for a call that was never sent, or correct what was booked because its lease had run out."""
    if _release_hold(execute, record):
        return
    found = execute(_BOOKED, (record.hold_id,)).fetchone()
    if found is None or (booked := _step(found)).usage_note != UNHEARD:
        return
    query = "SELECT window_id FROM step_windows WHERE step_id = ?"
    windows = tuple(window for (window,) in execute(query, (record.hold_id,)).fetchall())
    nothing: dict[str, Any] = dict.fromkeys(CORRECTABLE, 0)
    not_sent = booked._replace(**nothing, usage_note=NOT_SENT)
    charged = HeldStep(tuple(not_sent), windows, 0, 0, record.draws, record.envelopes)
    _book_late(execute, not_sent, charged)


def _release_hold(execute: Execute, record: HoldRelease) -> bool:
    """Give back a hold, if it is there."""
    query = "SELECT windows, held_nanousd, held_tokens FROM holds WHERE hold_id = ?"
    found = execute(query, (record.hold_id,)).fetchone()
    if found is not None:
        execute(_drop(1), (record.hold_id,)).fetchall()
        grants.put_back(execute, record.draws)
        windows = orjson.loads(found[0])
        execute(statements(len(windows)).take, (-found[1], -found[2], -1, *windows))
        envelopes.settle(execute, record.envelopes, found[1])
    return found is not None


def renew(execute: Execute, holder: str, now_us: int) -> bool:
    """Renew the leases of a process's holds and envelopes; whether it has any."""
    has_envelopes = envelopes.renew(execute, holder, now_us + LEASE_US)
    return execute(_RENEW, (now_us + LEASE_US, holder)).rowcount > 0 or has_envelopes


def let_lapse(execute: Execute, records: Sequence[Record]) -> None:
    """Have the calls whose rows were refused booked at all that was held: nobody will say what they cost."""
    for record in records:
        if type(record) is HeldStep:
            execute("UPDATE holds SET holder = '', lease_until_us = 0 WHERE hold_id = ?", (record.step[0],))


def has_expired(execute: Execute, now_us: int) -> bool:
    """Whether there are calls or envelopes whose process has not renewed its lease."""
    found = execute(f"{_EXPIRED} LIMIT 1", (now_us,)).fetchone()
    return found is not None or envelopes.has_expired(execute, now_us)


def book_expired(execute: Execute, now_us: int) -> set[int]:
    """Book the calls whose process has not renewed its lease, at what was held, and give its envelopes back; the windows that the calls count in."""
    changed: set[int] = set()
    for windows, held_nanousd, held_tokens, step in execute(_EXPIRED, (now_us,)).fetchall():
        row = _step(orjson.loads(step))._replace(recorded_us=now_us)
        ids = tuple(orjson.loads(windows))
        book(execute, HeldStep(tuple(row), ids, held_nanousd, held_tokens))
        changed.update(ids)
    envelopes.release_expired(execute, now_us)
    return changed


def counted(row: Sequence[Any]) -> tuple[int, int, int]:
    """What a step adds to its windows: nano-USD, tokens and calls. An answer from the cache adds none."""
    if row[_STATUS] == "cache_hit":
        return row[_COST], 0, 0
    return row[_COST], row[_INPUT] + row[_OUTPUT], int(row[_ENTRY] == "charge")


def _step(row: Sequence[Any]) -> StepRow:
    columns: Any = row
    return StepRow(*columns)


def _settle(execute: Execute, row: StepRow, windows: Sequence[int], held: tuple[int, int, int]) -> None:
    """Put what a step cost in the place of what was held for it."""
    if not windows:  # a call that only tried a breaker
        return
    sql = statements(len(windows))
    execute(sql.settle, (*counted(row), *held, *windows))
    execute(_charges(len(windows)), [value for window_id in windows for value in (row.step_id, window_id)])
    if row.entry == "correction":
        forgiving.correct(execute, row, windows)


def _give_back(execute: Execute, record: HeldStep, left: Sequence[int]) -> None:
    """Give grants and envelopes back what a step did not need of them: nano-USD, tokens and calls."""
    if record.draws:
        grants.put_back(execute, record.draws, dict(zip(("nanousd", "tokens", "calls"), left, strict=True)))
    if record.envelopes:
        envelopes.settle(execute, record.envelopes, left[0])


def _book_late(execute: Execute, row: StepRow, record: HeldStep) -> None:
    """The step is booked already: if only because its lease had run out, correct it by the difference."""
    if row.entry != "charge":
        return
    booked = _step(execute(_BOOKED, (row.step_id,)).fetchone())
    if booked.usage_note != UNHEARD or row.usage_note == UNHEARD:
        return
    correction = late_correction(booked, row)
    if execute(INSERT_STEP, correction).rowcount:
        _settle(execute, correction, record.windows, (0, 0, 0))
        _give_back(execute, record, tuple(-more for more in counted(correction)))
