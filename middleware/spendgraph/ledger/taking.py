"""Room in budgets, taken before a call in all of its windows or in none.

Everything here is part of a transaction that somebody else begins and commits, and counts in `windows` what
`holds` say, so that every counter can be derived again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from spendgraph.ledger import approvals, envelopes, grants
from spendgraph.ledger.asks import Ask, Draw, Hold, Shortfall, Want
from spendgraph.ledger.counters import open_windows, standing, statements
from spendgraph.ledger.holds import LEASE_US
from spendgraph.ledger.statements import AGAIN

if TYPE_CHECKING:
    from spendgraph.ledger.known import KnownWindows
    from spendgraph.ledger.statements import Execute

_HOLD: Final = """\
INSERT INTO holds (hold_id, holder, windows, held_nanousd, held_tokens, step, lease_until_us)
VALUES (?, ?, ?, ?, ?, ?, ?)"""


def reserve(
    execute: Execute,
    ask: Ask,
    holder: str,
    now_us: int,
    known: KnownWindows,
    *,
    is_counted: bool = False,
) -> Hold | Shortfall:
    """Take room in every window, or in none.

    With a shortfall nothing was changed but windows that nobody had asked for yet.

    Args:
        execute: Executes a statement of the transaction.
        ask: How much room, and where.
        holder: The process that will make the call.
        now_us: The time, from which the lease counts.
        known: The ids of windows that are committed.
        is_counted: Everything known is counted. Before, what is held may be spent already.
    """
    windows = _take_at_once(execute, ask, known)
    if windows is not None:
        return _hold(execute, ask, holder, now_us, windows)
    if ask.opens is None:
        return _look_and_take(execute, ask, holder, now_us, known, is_counted=is_counted)
    # The envelope before it gives its room to this one, and keeps it where this one gets none.
    execute("SAVEPOINT opening")
    envelopes.make_way(execute, ask.opens)
    taken = _look_and_take(execute, ask, holder, now_us, known, is_counted=is_counted)
    if isinstance(taken, Shortfall) or ask.is_question:
        execute("ROLLBACK TO opening")
    execute("RELEASE opening")
    return taken


def _look_and_take(
    execute: Execute, ask: Ask, holder: str, now_us: int, known: KnownWindows, *, is_counted: bool
) -> Hold | Shortfall:
    """Look at every window and take room in all of them or in none."""
    windows, counters = open_windows(execute, ask.wants, known)
    offered = envelopes.offer(execute, ask.wants, ask.nanousd, ask.envelopes)
    draws: tuple[Draw, ...] = ()
    for want, row in zip(ask.wants, counters, strict=True):
        if want.limit is None:
            continue
        asked = ask.nanousd if want.unit == "nanousd" else ask.tokens if want.unit == "tokens" else 1
        spent, held = standing(execute, want, row)
        unnoted = first_unnoted(execute, want, spent if is_counted else spent + held)
        if unnoted is not None:
            return Shortfall(want, spent, held, asked, unnoted)
        if offered.credit and want.unit == "nanousd":
            held -= offered.credit.get(want[:2], 0)
        over = spent + held + asked - want.limit
        if over > 0:
            standing_over = max(spent + held - want.limit, 0)
            drawn = grants.beyond(execute, want, ask.step.task_id, over, standing_over, now_us)
            if drawn is None:
                missing = over - grants.allowed(execute, want, ask.step.task_id, standing_over, now_us)
                return Shortfall(want, spent, held, asked, None, missing)
            draws += drawn
    if ask.is_question:
        return Hold(windows, 0, 0)
    grants.draw(execute, draws)
    if ask.opens is not None:
        _write_first(execute, ask)
        envelopes.open_one(execute, ask.opens, holder, windows, ask.nanousd, draws, now_us + LEASE_US)
        return Hold(windows, ask.nanousd, 0, draws)
    execute(statements(len(windows)).take, (ask.nanousd, ask.tokens, 1, *windows))
    envelopes.draw(execute, offered)
    return _hold(execute, ask, holder, now_us, windows, draws, offered.returnable)


def _take_at_once(execute: Execute, ask: Ask, known: KnownWindows) -> tuple[int, ...] | None:
    """Take the room that nearly every call asks for, if it is there: in known windows, below every limit and threshold.

    One statement asks and takes. `None` says that it has to be looked at closely, and that nothing was changed.
    """
    together = known.all_of(ask.wants)
    if together is None or ask.is_question or ask.envelopes or ask.opens is not None:
        return None
    windows, statement = together
    if statement is None:
        return None
    taken = execute(statement.sql, (ask.nanousd, ask.tokens, 1, *statement.parameters)).rowcount
    if taken == len(windows):
        return windows
    if taken > 0:  # somebody has pruned what was known
        execute(statements(len(windows)).take, (-ask.nanousd, -ask.tokens, -1, *windows))
    return None


def _hold(
    execute: Execute,
    ask: Ask,
    holder: str,
    now_us: int,
    windows: tuple[int, ...],
    draws: tuple[Draw, ...] = (),
    drawn: tuple[tuple[str, int], ...] = (),
) -> Hold:
    """Write down for what room was taken."""
    if ask.first:
        _write_first(execute, ask)
    step_id, step = ask.step.step_id, orjson.dumps(tuple(ask.step)).decode()
    held_by = (step_id, holder, orjson.dumps(windows).decode())
    execute(_HOLD, (*held_by, ask.nanousd, ask.tokens, step, now_us + LEASE_US))
    return Hold(windows, ask.nanousd, ask.tokens, draws, drawn)


def _write_first(execute: Execute, ask: Ask) -> None:
    """Write what the rows refer to."""
    for record in ask.first:
        for insert in AGAIN[type(record)]:
            execute(insert, tuple(record))


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
