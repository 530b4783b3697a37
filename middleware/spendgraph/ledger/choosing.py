"""Choosing among several forms of one call and reserving for the chosen one, in one transaction.

What is left in every window is read, the caller says which forms of the call fit that, and the first that does is
reserved: nobody else can take the room in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.ledger import envelopes, grants, guarding
from spendgraph.ledger.asks import Ask, Hold, Shortfall, Want
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.counters import open_windows, standing
from spendgraph.ledger.taking import reserve

if TYPE_CHECKING:
    from spendgraph.ledger.asks import Envelope
    from spendgraph.ledger.known import KnownWindows
    from spendgraph.ledger.statements import Execute

_ALL: Final = 2**62
"""More than any envelope has."""


class Room(NamedTuple):
    """What one window has, in its unit; `left` counts what the task was granted, and is `None` without a limit."""

    want: Want
    spent: int
    held: int
    left: int | None


class Ladder(NamedTuple):
    """The forms in which a call may go out.

    Attributes:
        wants: The windows it counts in, whatever its form.
        task_id: Whose grants count.
        step_id: The id of the hold.
        options: The forms that fit, best first, each with what the caller knows it by. It is called inside the
            transaction, perhaps twice and in the ledger thread: it has to be quick and never raises. Without any,
            nothing is reserved.
    """

    wants: tuple[Want, ...]
    task_id: str
    step_id: str
    options: Callable[[tuple[Room, ...]], Iterable[tuple[Ask, Any]]]
    is_last: bool = False
    """Everything known is counted before it is asked, not only before it says no."""
    envelopes: tuple[Envelope, ...] = ()
    """What its task has set aside."""


class Chosen(NamedTuple):
    """The form that was chosen, as `options` named it, what was asked for it, and what is held for it."""

    form: Any
    ask: Ask
    hold: Hold


def rooms(execute: Execute, ladder: Ladder, now_us: int, known: KnownWindows) -> tuple[Room, ...]:
    """What is spent, held and left in the windows of a call."""
    wants = ladder.wants
    _, counters = open_windows(execute, wants, known)
    credit = envelopes.offer(execute, wants, _ALL, ladder.envelopes).credit
    found: list[Room] = []
    for want, row in zip(wants, counters, strict=True):
        spent, held = standing(execute, want, row)
        if want.unit == "nanousd":  # what its task has set aside is there for it
            held -= credit.get(want[:2], 0)
        left: int | None = None
        if want.limit is not None:
            left = want.limit - spent - held
            left += grants.allowed(execute, want, ladder.task_id, max(-left, 0), now_us)
        found.append(Room(want, spent, held, left))
    return tuple(found)


def reserve_first(
    execute: Execute,
    ladder: Ladder,
    holder: str,
    now_us: int,
    known: KnownWindows,
    *,
    is_counted: bool = False,
) -> Chosen | Shortfall | Blocked | None:
    """Reserve for the first form that fits.

    Returns:
        What was chosen; the shortfall of the first form where none fits, or the breaker that lets none through;
        `None` where there is no form.
    """
    options = ladder.options(rooms(execute, ladder, now_us, known))
    first: Shortfall | None = None
    for ask, form in options:
        take = guarding.reserve if ask.breakers else reserve
        taken = take(execute, ask, holder, now_us, known, is_counted=is_counted)
        if isinstance(taken, Hold):
            return Chosen(form, ask, taken)
        # No form of the call spares anybody from taking note, and none closes a breaker.
        if isinstance(taken, Blocked) or taken.threshold is not None:
            return taken
        first = first or taken
    return first
