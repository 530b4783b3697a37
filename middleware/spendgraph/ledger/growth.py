"""More room for a call under way: a stream that outgrows what was held for it.

The hold grows in the windows it is in, and nowhere else; as much as is wanted, or as much as there is. The row in
`holds` says what the windows count, so that booking or releasing the step gives back all of it, however much of
it the caller has heard of.
"""

from __future__ import annotations

import contextlib
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - as in ledger.py
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import envelopes, grants, holds
from spendgraph.ledger.asks import Hold, Shortfall, Want
from spendgraph.ledger.counters import standing, statements
from spendgraph.ledger.holds import LEASE_US
from spendgraph.ledger.records import StepRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger.asks import Draw, Envelope
    from spendgraph.ledger.ledger import Ledger
    from spendgraph.ledger.statements import Execute


class Wish(NamedTuple):
    """More room for one call.

    Attributes:
        step_id: The call's step.
        task_id: Its task, which may have grants.
        wants: The windows it is held in, and their limits.
        hold: What is held for it.
        nanousd: How much more money would be good.
        tokens: How many more tokens.
        least_nanousd: How much more money it needs to go on.
        least_tokens: How many more tokens.
        unheard: Makes the row to book should the call's end never be heard, of all that is held then.
        envelopes: What its task has set aside, to be drawn from first.
    """

    step_id: str
    task_id: str
    wants: tuple[Want, ...]
    hold: Hold
    nanousd: int
    tokens: int
    least_nanousd: int
    least_tokens: int
    unheard: Callable[[int, int], StepRow]
    envelopes: tuple[Envelope, ...] = ()


_ALL_ZERO: Final = (0, 0, 0, 0, 0, 0, 0)

_GROW: Final = """\
UPDATE holds SET held_nanousd = held_nanousd + ?, held_tokens = held_tokens + ?, step = ?, lease_until_us = ?
WHERE hold_id = ?"""

_SHRINK: Final = """\
UPDATE holds SET held_nanousd = held_nanousd - ?, held_tokens = held_tokens - ? WHERE hold_id = ?"""


def extend(ledger: Ledger, wish: Wish, now_us: int, *, loop_wait_s: float) -> Hold | Shortfall:
    """Take more room for a call under way, in ONE transaction; a no is said after everything known is counted.

    On an event loop the ledger thread does it, as it does for a reservation.

    Returns:
        All that is held for the call now; or the first window without what it needs at least.

    Raises:
        LedgerBusy: On an event loop, the ledger did not answer in time: nothing more is held.
        LedgerUnavailable: The ledger cannot be written: nothing more is held.
    """

    def count_all(execute: Execute) -> Hold | Shortfall:
        holds.book_expired(execute, now_us)
        return grow(execute, wish, now_us)

    def give_back(found: object) -> None:
        if isinstance(found, Hold):
            # It goes back with the end of the call at the latest.
            with contextlib.suppress(LedgerUnavailable):
                ledger.transact(lambda execute: shrink(execute, wish, found))

    wait = {"loop_wait_s": loop_wait_s, "undo": give_back}
    found = ledger.transact(lambda execute: grow(execute, wish, now_us), **wait)  # type: ignore[arg-type]
    if isinstance(found, Shortfall):
        if _get_running_loop() is None:  # else the ledger thread has written what was queued
            ledger.flush()
        found = ledger.transact(count_all, **wait)  # type: ignore[arg-type]
    return found


def grow(execute: Execute, wish: Wish, now_us: int) -> Hold | Shortfall:
    """Let a hold grow by what is wished for, or by what there is if that is enough to go on.

    A call whose hold is gone, because its lease had run out and it was booked, may go on where there is room: its end
    corrects what was booked.
    """
    windows = wish.hold.windows
    sql = statements(len(windows))
    counters = {row[0]: row for row in execute(sql.counters, windows)}
    more = {"nanousd": wish.nanousd, "tokens": wish.tokens}
    least = {"nanousd": wish.least_nanousd, "tokens": wish.least_tokens}
    credit = envelopes.offer(execute, wish.wants, wish.nanousd, wish.envelopes).credit
    limited: list[tuple[Want, int]] = []
    for want, window_id in zip(wish.wants, windows, strict=True):
        if want.limit is None or want.unit == "calls":
            continue
        spent, held = standing(execute, want, counters.get(window_id, _ALL_ZERO))
        if want.unit == "nanousd":
            held -= credit.get(want[:2], 0)
        room = want.limit - spent - held
        limited.append((want, room))
        if room < more[want.unit]:
            room += grants.allowed(execute, want, wish.task_id, max(-room, 0), now_us)
        if room < least[want.unit]:
            return Shortfall(want, spent, held, least[want.unit])
        more[want.unit] = min(more[want.unit], room)
    nanousd, tokens = more["nanousd"], more["tokens"]
    drawn: list[Draw] = []
    for want, room in limited:
        over = more[want.unit] - room
        if over > 0:
            drawn += grants.beyond(execute, want, wish.task_id, over, max(-room, 0), now_us) or ()
    offered = envelopes.offer(execute, wish.wants, nanousd, wish.envelopes)
    held_now = wish.hold._replace(
        nanousd=wish.hold.nanousd + nanousd,
        tokens=wish.hold.tokens + tokens,
        draws=_together(wish.hold.draws, drawn),
        envelopes=_together(wish.hold.envelopes, offered.returnable),
    )
    step = orjson.dumps(tuple(wish.unheard(held_now.nanousd, held_now.tokens))).decode()
    if not execute(_GROW, (nanousd, tokens, step, now_us + LEASE_US, wish.step_id)).rowcount:
        return held_now._replace(draws=wish.hold.draws, envelopes=wish.hold.envelopes)
    grants.draw(execute, drawn)
    execute(sql.take, (nanousd, tokens, 0, *windows))
    envelopes.draw(execute, offered)
    return held_now


def shrink(execute: Execute, wish: Wish, grown: Hold) -> None:
    """Take a growth back that nobody knows of; if the step was booked meanwhile, its hold went back whole."""
    nanousd, tokens = grown.nanousd - wish.hold.nanousd, grown.tokens - wish.hold.tokens
    before, set_aside = dict(wish.hold.draws), dict(wish.hold.envelopes)
    back = [(each, amount - set_aside.get(each, 0)) for each, amount in grown.envelopes]
    grants.put_back(execute, [(each, amount - before.get(each, 0)) for each, amount in grown.draws])
    if execute(_SHRINK, (nanousd, tokens, wish.step_id)).rowcount:
        windows = wish.hold.windows
        execute(statements(len(windows)).take, (-nanousd, -tokens, 0, *windows))
        envelopes.settle(execute, back, nanousd)


def _together(
    draws: Sequence[tuple[str, int]], more: Sequence[tuple[str, int]]
) -> tuple[tuple[str, int], ...]:
    """One amount for each grant or envelope."""
    amounts: dict[str, int] = {}
    for grant_id, amount in (*draws, *more):
        amounts[grant_id] = amounts.get(grant_id, 0) + amount
    return tuple(amounts.items())
