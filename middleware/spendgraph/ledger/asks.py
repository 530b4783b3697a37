"""What is asked for in budgets, and what was taken or lacks: records, no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from spendgraph.ledger.records import Record, StepRow


WindowKey = tuple[str, str, int]
"""Budget, scope and start: what a window is known by before it has an id."""

Draw = tuple[str, int]
"""A grant's id, and how much of it, in its unit."""

ROLLING_PARTS: Final = 48
"""A rolling period is the sum of so many windows, and of the one that is under way."""


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


class Envelope(NamedTuple):
    """An envelope as the process knows it that may draw from it: its id, its windows and their keys in the same order."""

    envelope_id: str
    windows: tuple[int, ...]
    keys: tuple[WindowKey, ...]


class Opening(NamedTuple):
    """An envelope to be opened, in the place of the one that the same gate of the task took before, and of others."""

    envelope_id: str
    task_id: str
    gate: str
    replaces: tuple[str, ...] = ()


class Guard(NamedTuple):
    """A breaker that a call must find closed.

    Attributes:
        breaker: Its name.
        scope: Whose: `tenant=acme`, `task=<id>`, or empty.
        open_for_us: How long it is open once it trips.
        condition: What trips it, for people.
        counter: The name of its windows, if it counts money; else empty.
        owner: Who answers for it.
        to: Who else is told.
        seen: When the task made calls identical to this one, where a loop trips it.
        most: Tripped by so many of them; 0 where no loop does.
        may_probe: The call may be the one that tries.
    """

    breaker: str
    scope: str
    open_for_us: int
    condition: str
    counter: str = ""
    owner: str = ""
    to: tuple[str, ...] = ()
    seen: tuple[int, ...] = ()
    most: int = 0
    may_probe: bool = True


class Ask(NamedTuple):
    """Room for one call, wanted in several windows at once.

    Attributes:
        wants: The windows.
        nanousd: How much money.
        tokens: How many tokens.
        step: The row to book, at the full amount, should the call's end never be heard.
        first: What that row refers to and the ledger may not have yet.
        envelopes: What its task has set aside, to be drawn from first.
        opens: The room is for an envelope instead, not for a call.
        is_question: Nothing is taken.
        breakers: Breakers that the call must find closed.
    """

    wants: tuple[Want, ...]
    nanousd: int
    tokens: int
    step: StepRow
    first: tuple[Record, ...] = ()
    envelopes: tuple[Envelope, ...] = ()
    opens: Opening | None = None
    is_question: bool = False
    breakers: tuple[Guard, ...] = ()


class Hold(NamedTuple):
    """Room that was taken: the ids of the windows, how much, what of it grants and envelopes gave, and the breakers it tries.

    The fields are those of a `HeldStep` behind its row.
    """

    windows: tuple[int, ...]
    nanousd: int
    tokens: int
    draws: tuple[Draw, ...] = ()
    envelopes: tuple[tuple[str, int], ...] = ()
    probes: tuple[tuple[str, str], ...] = ()


class Shortfall(NamedTuple):
    """The first window that does not let a call in; amounts are in the window's unit.

    `threshold` is `None` where there is not enough room, else the spending of which nobody has taken note yet;
    `missing` is how much more room there would have to be.
    """

    want: Want
    spent: int
    held: int
    asked: int
    threshold: int | None = None
    missing: int = 0
