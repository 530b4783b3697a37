"""Room for a call that breakers guard: whether they let it through is decided in the transaction that takes the room.

A breaker's own counter is a window like a budget's. A call that would pass its limit is not only refused: it trips
the breaker, which then refuses every call of its scope, in every process, without counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger import breakers, taking
from spendgraph.ledger.asks import Hold, Shortfall
from spendgraph.ledger.breakers import Blocked, Trip
from spendgraph.ledger.forgiving import forgiven_in
from spendgraph.ledger.statements import AGAIN
from spendgraph.money import format_usd

if TYPE_CHECKING:
    from spendgraph.ledger.asks import Ask, Guard, Want
    from spendgraph.ledger.breakers import Standing
    from spendgraph.ledger.known import KnownWindows
    from spendgraph.ledger.statements import Execute

Known = dict[tuple[str, str], "Standing"]


def reserve(
    execute: Execute, ask: Ask, holder: str, now_us: int, known: KnownWindows, *, is_counted: bool
) -> Hold | Shortfall | Blocked:
    """Take room in every window if every breaker lets the call through.

    Args:
        execute: Executes a statement of the transaction.
        ask: How much room, where, and the breakers.
        holder: The process that will make the call.
        now_us: The time.
        known: The ids of windows that are committed.
        is_counted: Everything known is counted: a breaker whose limit the call would pass trips. Else that is a
            shortfall like any other.
    """
    rows = breakers.standing(execute, ask.breakers)
    probes: list[Guard] = []
    for guard in ask.breakers:
        row = rows.get(guard[:2])
        if row is None or row.state == "closed":
            continue
        if row.state == "open" and now_us < row.open_until_us:
            return Blocked(guard, "open", *row[3:7])
        if row.state == "half_open" and row.probe_step_id == ask.step.parent_step_id:
            continue  # part of the call that tries: a model that a tool calls
        if row.state == "half_open" and _is_held(execute, row.probe_step_id):
            return Blocked(guard, "half_open", *row[3:7])
        if guard.may_probe:
            probes.append(guard)
    for guard in ask.breakers:
        if guard.most and _calls_since_reset(guard, rows) >= guard.most:
            return _trip(execute, ask, guard, guard.condition, now_us, calls=guard.most)
    if not ask.wants and not probes:
        return Hold((), 0, 0)
    if any(row.forgiven_nanousd for row in rows.values()):
        wants = (_forgiving(execute, want, ask.breakers, rows) for want in ask.wants)
        ask = ask._replace(wants=tuple(wants))
    found = taking.reserve(execute, ask, holder, now_us, known, is_counted=is_counted)
    if isinstance(found, Shortfall):
        guard_of_it = _guard_of(found.want, ask.breakers)
        if guard_of_it is None or not is_counted:
            return found
        return _trip_by_money(execute, ask, guard_of_it, found, now_us)
    for guard in probes:
        breakers.probe(execute, guard, ask.step, now_us)
    return found._replace(probes=tuple(guard[:2] for guard in probes)) if probes else found


def _is_held(execute: Execute, hold_id: str) -> bool:
    """Whether a call is under way, as far as anybody knows."""
    return execute("SELECT 1 FROM holds WHERE hold_id = ?", (hold_id,)).fetchone() is not None


def _calls_since_reset(guard: Guard, rows: Known) -> int:
    row = rows.get(guard[:2])
    since_us = -1 if row is None or row.reset_us is None else row.reset_us
    return sum(at_us > since_us for at_us in guard.seen)


def _guard_of(want: Want, guards: tuple[Guard, ...]) -> Guard | None:
    """The breaker whose counter a window is, if it is one's."""
    return next((guard for guard in guards if (guard.counter, guard.scope) == want[:2]), None)


def _forgiving(execute: Execute, want: Want, guards: tuple[Guard, ...], rows: Known) -> Want:
    """The window with the room that a reset in it has given."""
    guard = _guard_of(want, guards)
    row = None if guard is None else rows.get(guard[:2])
    if row is None or row.reset_us is None or want.limit is None:
        return want
    since_us = want.start_us if want.since_us is None else want.since_us
    if row.reset_us < since_us:
        return want
    return want._replace(limit=want.limit + forgiven_in(execute, want))


def _trip_by_money(execute: Execute, ask: Ask, guard: Guard, found: Shortfall, now_us: int) -> Blocked:
    spent, held, asked = (format_usd(amount) for amount in (found.spent, found.held, found.asked))
    why = f"{guard.condition}: {spent} is spent, {held} is held by calls under way, and a call asked for {asked}"
    figures = {
        "limit_nanousd": found.want.limit,
        "spent_nanousd": found.spent,
        "held_nanousd": found.held,
        "asked_nanousd": found.asked,
    }
    return _trip(execute, ask, guard, why, now_us, **figures)


def _trip(execute: Execute, ask: Ask, guard: Guard, why: str, now_us: int, **figures: object) -> Blocked:
    for record in ask.first:  # the call is not booked, but who made it is in the announcement
        for insert in AGAIN[type(record)]:
            execute(insert, tuple(record))
    tripped = Trip(guard.breaker, guard.scope, why, guard.open_for_us, owner=guard.owner, to=guard.to)
    until_us = breakers.trip(execute, tripped, now_us, ask.step, **figures)
    return Blocked(guard, "open", why, now_us, "", until_us, is_new=True)
