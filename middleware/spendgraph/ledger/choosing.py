"""Choosing among several forms of one call and reserving for the chosen one, in one transaction.

What is left in every window is read, the caller says which forms of the call fit that, and the first that does is
reserved: nobody else can take the room in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from spendgraph.ledger import grants
from spendgraph.ledger.holds import Ask, Hold, Shortfall, Want, first_unnoted, open_windows, reserve, used

if TYPE_CHECKING:
    from spendgraph.ledger.holds import Execute, WindowKey


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


class Chosen(NamedTuple):
    """The form that was chosen, as `options` named it, and what is held for it."""

    form: Any
    hold: Hold


def rooms(
    execute: Execute, wants: Sequence[Want], task_id: str, now_us: int, known: Mapping[WindowKey, int]
) -> tuple[Room, ...]:
    """What is spent, held and left in windows."""
    _, counters = open_windows(execute, wants, known)
    found: list[Room] = []
    for want, row in zip(wants, counters, strict=True):
        spent, held = used(execute, want, row)
        left: int | None = None
        if want.limit is not None:
            left = want.limit + grants.room(execute, want, task_id, now_us) - spent - held
        found.append(Room(want, spent, held, left))
    return tuple(found)


def reserve_first(
    execute: Execute, ladder: Ladder, holder: str, now_us: int, known: Mapping[WindowKey, int]
) -> Chosen | Shortfall | None:
    """Reserve for the first form that fits.

    Returns:
        What was chosen; the shortfall of the first form where none fits; `None` where there is no form.
    """
    options = ladder.options(rooms(execute, ladder.wants, ladder.task_id, now_us, known))
    first: Shortfall | None = None
    for ask, form in options:
        taken = reserve(execute, ask, holder, now_us, known)
        if isinstance(taken, Hold):
            return Chosen(form, taken)
        first = first or taken
        if taken.threshold is not None:  # no form of the call spares anybody from taking note
            return taken
    return first


def look(
    execute: Execute, wants: Sequence[Want], asked: Mapping[str, int], task_id: str, now_us: int
) -> tuple[Shortfall, ...]:
    """The windows that have not enough room, or want somebody to take note; nothing is reserved.

    Args:
        execute: Executes a statement of the transaction.
        wants: The windows.
        asked: How much, by unit.
        task_id: Whose grants count.
        now_us: The time.
    """
    found: list[Shortfall] = []
    for room in rooms(execute, wants, task_id, now_us, {}):
        amount = asked[room.want.unit]
        if room.left is None:
            continue
        threshold = first_unnoted(execute, room.want, room.spent)
        if threshold is not None or amount > room.left:
            found.append(Shortfall(room.want, room.spent, room.held, amount, threshold))
    return tuple(found)
