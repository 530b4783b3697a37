"""Breakers as the ledger has them: a row for every scope in which one has tripped, and a decision for whatever happens.

Everything here is part of a transaction that somebody else begins and commits. Open lasts until a time; from then on
one call is let through to try, and what becomes of it decides. The call that tries is known by its hold: while that
is there nobody else may, and once it is gone without an answer, because the process died, the next one may.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from spendgraph.clock import from_us
from spendgraph.errors import LedgerError
from spendgraph.ids import new_id
from spendgraph.ledger import forgiving
from spendgraph.ledger.records import DecisionRow
from spendgraph.ledger.statements import STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger.asks import Guard
    from spendgraph.ledger.records import StepRow
    from spendgraph.ledger.statements import Execute

COUNTERS: Final = "breaker:"
"""Before a breaker's name this is the name of its counters in `windows`; no budget is called so."""

ANSWERED: Final = frozenset({"ok", "cut"})
"""How a call that tries ends so that its breaker closes."""


class Blocked(NamedTuple):
    """A breaker that does not let a call through.

    Attributes:
        guard: The breaker.
        state: `open`, or `half_open` where another call is under way to try.
        reason: Why it tripped.
        tripped_us: When.
        tripped_by: Who tripped it, or empty.
        until_us: Until when it is open.
        is_new: This very call has tripped it.
    """

    guard: Guard
    state: Literal["open", "half_open"]
    reason: str
    tripped_us: int
    tripped_by: str
    until_us: int
    is_new: bool = False


class Standing(NamedTuple):
    """How a breaker stands in a scope in which it has tripped before; the columns of its row."""

    breaker: str
    scope: str
    state: str
    reason: str
    tripped_us: int
    tripped_by: str
    open_until_us: int
    probe_step_id: str
    reset_us: int | None
    forgiven_nanousd: int


class Trip(NamedTuple):
    """That a breaker trips: why, for how long, who says so (empty: it does by itself) and who is to be told."""

    breaker: str
    scope: str
    why: str
    open_for_us: int
    by: str = ""
    owner: str = ""
    to: tuple[str, ...] = ()


_COLUMNS: Final = ", ".join(Standing._fields)

_TRIP: Final = """\
INSERT INTO breakers (breaker, scope, state, reason, trips, tripped_us, tripped_by, open_until_us, probe_step_id,
  closed_by, closed_why, forgiven_nanousd)
VALUES (?, ?, 'open', ?, 1, ?, ?, ?, '', '', '', 0)
ON CONFLICT (breaker, scope) DO UPDATE SET
  state = 'open', reason = excluded.reason, trips = trips + 1, tripped_us = excluded.tripped_us,
  tripped_by = excluded.tripped_by, open_until_us = excluded.open_until_us, probe_step_id = '', probe_us = NULL,
  closed_us = NULL, closed_by = '', closed_why = ''"""

_PROBE: Final = """\
UPDATE breakers SET state = 'half_open', probe_step_id = ?, probe_us = ? WHERE breaker = ? AND scope = ?"""

_CLOSE: Final = """\
UPDATE breakers SET state = 'closed', probe_step_id = '', closed_us = ?, closed_by = ?, closed_why = ?
WHERE breaker = ? AND scope = ?"""

_RESET: Final = "UPDATE breakers SET reset_us = ?, forgiven_nanousd = ? WHERE breaker = ? AND scope = ?"


@cache
def _find(guards: int) -> str:
    keys = ", ".join(["(?, ?)"] * guards)
    return f"SELECT {_COLUMNS} FROM breakers WHERE (breaker, scope) IN (VALUES {keys})"  # noqa: S608 - names are this file's own


def standing(execute: Execute, guards: Sequence[Guard]) -> dict[tuple[str, str], Standing]:
    """How breakers stand, by name and scope; those that have never tripped are left out."""
    keys = [part for guard in guards for part in guard[:2]]
    return {row[:2]: Standing(*row) for row in execute(_find(len(guards)), keys).fetchall()}


def trip(execute: Execute, trip: Trip, now_us: int, step: StepRow | None = None, **figures: object) -> int:
    """Open a breaker, or open it again, and announce it; until when it is open.

    The announcement is the row of `decisions` with the outcome `tripped`: its detail says who is to be told.

    Args:
        execute: Executes a statement of the transaction.
        trip: What trips, and why.
        now_us: The time.
        step: The call that trips it, which is not sent.
        **figures: What was counted, for the announcement.
    """
    until_us = now_us + trip.open_for_us
    execute(_TRIP, (trip.breaker, trip.scope, trip.why, now_us, trip.by, until_us))
    detail = {"owner": trip.owner, "to": trip.to, "by": trip.by, "until_us": until_us, **figures}
    _decide(execute, trip[:2], "tripped", trip.why, now_us, step, **detail)
    return until_us


def probe(execute: Execute, guard: Guard, step: StepRow, now_us: int) -> None:
    """Let a call through to try."""
    execute(_PROBE, (step.step_id, now_us, guard.breaker, guard.scope))
    _decide(execute, guard[:2], "probe", "one call is let through to try", now_us, step)


def end_probe(execute: Execute, row: StepRow, probes: Sequence[Sequence[str]]) -> None:
    """A call that tried is booked: if it was answered, its breakers close; else the next call may try."""
    if row.status not in ANSWERED:
        return
    why = "the call that was let through to try was answered"
    for breaker, scope in probes:
        found = execute(
            "SELECT 1 FROM breakers WHERE breaker = ? AND scope = ? AND state = 'half_open' AND probe_step_id = ?",
            (breaker, scope, row.step_id),
        ).fetchone()
        if found is not None:
            execute(_CLOSE, (row.recorded_us, "", why, breaker, scope))
            _decide(execute, (breaker, scope), "closed", why, row.recorded_us, row, by="")


def reset(execute: Execute, breaker: str, scope: str, by: str, why: str, now_us: int) -> None:
    """Close a breaker, and let what is spent so far count no more.

    Raises:
        LedgerError: It is not open there.
    """
    found = execute(f"{_find(1)} AND state <> 'closed'", (breaker, scope)).fetchone()
    if found is None:
        whose = f" for {scope!r}" if scope else ""
        raise LedgerError(
            f"the breaker {breaker!r} is not open{whose}: `spendgraph breakers` lists those that are"
        )
    spent = forgiving.forgive(execute, f"{COUNTERS}{breaker}", scope, now_us)
    execute(_CLOSE, (now_us, by, why, breaker, scope))
    execute(_RESET, (now_us, spent, breaker, scope))
    _decide(execute, (breaker, scope), "closed", why, now_us, None, by=by)


def _decide(
    execute: Execute,
    key: tuple[Any, ...],
    outcome: str,
    reason: str,
    now_us: int,
    step: StepRow | None,
    **detail: object,
) -> None:
    breaker, scope = key
    if "until_us" in detail:
        until_us: Any = detail.pop("until_us")
        detail["until"] = from_us(until_us).isoformat()
    row = DecisionRow(
        decision_id=new_id(),
        kind="breaker",
        outcome=outcome,
        reason=reason,
        task_id="" if step is None else step.task_id,
        step_id=None if step is None else step.step_id,
        context_id=None if step is None else step.context_id,
        detail=json.dumps({"breaker": breaker, "scope": scope, **detail}, sort_keys=True),
        decided_us=now_us,
    )
    for insert in STATEMENTS[DecisionRow]:
        execute(insert, tuple(row))
