"""Room beyond a limit that a person has given: for one task in one window, or for everybody in it.

A grant is drawn on only by what does not fit the limit, and what a call did not need after all goes back. All of it
is part of the transaction in which room is reserved or a step is booked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.errors import LedgerError
from spendgraph.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger.asks import Draw, Want
    from spendgraph.ledger.statements import Execute

_OF_WINDOW: Final = """\
SELECT grant_id, task_id, CASE WHEN expires_us <= ?5 THEN used ELSE amount END, used FROM grants
WHERE budget = ?1 AND scope = ?2 AND window_start_us BETWEEN ?3 AND ?4 ORDER BY granted_us, grant_id"""

_DRAW: Final = "UPDATE grants SET used = max(used + ?, 0) WHERE grant_id = ?"

_GRANT: Final = """\
INSERT INTO grants (grant_id, budget, scope, window_start_us, task_id, unit, amount, granted_by, why, granted_us,
  expires_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_OPEN_WINDOW: Final = """\
SELECT w.start_us, b.unit FROM windows AS w JOIN budgets AS b ON b.budget = w.budget
WHERE w.budget = ?1 AND w.scope = ?2 AND w.start_us <= ?3
  AND (w.end_us IS NULL OR w.end_us > ?3 OR b.period LIKE 'rolling%') -- of which every part that still counts may have it
ORDER BY w.start_us DESC, b.version DESC LIMIT 1"""


class Grant(NamedTuple):
    """Room that somebody gives; `task_id` is empty where it is for everybody, `expires_us` is `None` where it ends with its window."""

    grant_id: str
    budget: str
    scope: str
    window_start_us: int
    task_id: str
    unit: str
    amount: int
    granted_by: str
    why: str
    granted_us: int
    expires_us: int | None = None


def give(execute: Execute, grant: Grant) -> None:
    """Write a grant."""
    execute(_GRANT, tuple(grant))


def raise_limit(
    execute: Execute, budget: str, scope: str, amount: int, by: str, why: str, now_us: int
) -> Grant:
    """Give everybody room in the window that is open now.

    Raises:
        LedgerError: The budget has no such window.
    """
    found = execute(_OPEN_WINDOW, (budget, scope, now_us)).fetchone()
    if found is None:
        whose = f" for {scope!r}" if scope else ""
        raise LedgerError(
            f"budget {budget!r} has no window{whose} that is open: `spendgraph budgets` lists them"
        )
    grant = Grant(new_id(), budget, scope, found[0], "", found[1], amount, by, why, now_us)
    give(execute, grant)
    return grant


def beyond(
    execute: Execute, want: Want, task_id: str, over: int, standing_over: int, now_us: int
) -> tuple[Draw, ...] | None:
    """What a task draws for a call that would take the window `over` its limit, or `None` where it may not.

    Args:
        execute: Executes a statement of the transaction.
        want: The window.
        task_id: The task.
        over: How far beyond the limit the window would be with the call.
        standing_over: How far it is beyond the limit without it.
        now_us: The time.
    """
    mine, others = _given(execute, want, task_id, standing_over, now_us)
    if over > others + sum(amount for _, _, amount, _ in mine):
        return None
    wanted = over - others - sum(used for _, _, _, used in mine)
    draws: list[Draw] = []
    # Its own first: what is everybody's stays for those who have nothing else.
    for grant_id, _, amount, used in sorted(mine, key=lambda row: row[1] == ""):
        drawn = min(wanted, amount - used)
        if drawn > 0:
            draws.append((grant_id, drawn))
            wanted -= drawn
    return tuple(draws)


def allowed(execute: Execute, want: Want, task_id: str, standing_over: int, now_us: int) -> int:
    """How far a window may pass its limit for a task: by its own grants, everybody's, and what others stand beyond it."""
    mine, others = _given(execute, want, task_id, standing_over, now_us)
    return others + sum(amount for _, _, amount, _ in mine)


def _given(
    execute: Execute, want: Want, task_id: str, standing_over: int, now_us: int
) -> tuple[list[tuple[str, str, int, int]], int]:
    """A task's grants in a window, with everybody's, and how far others stand beyond the limit by theirs.

    What others have used takes nothing from this task while the window is beyond its limit for it. Once what filled
    the limit has gone back it is no room for anybody: what they spent is within the limit then.
    """
    since_us = want.start_us if want.since_us is None else want.since_us
    found: list[tuple[str, str, int, int]] = execute(
        _OF_WINDOW, (want.budget, want.scope, since_us, want.start_us, now_us)
    ).fetchall()
    mine = [row for row in found if row[1] in {"", task_id}]
    used_by_others = sum(used for _, to, _, used in found if to not in {"", task_id})
    beyond_mine = max(standing_over - sum(used for _, _, _, used in mine), 0)
    return mine, min(used_by_others, beyond_mine)


def draw(execute: Execute, draws: Sequence[Draw]) -> None:
    """Note what a call draws."""
    for grant_id, amount in draws:
        execute(_DRAW, (amount, grant_id))


def put_back(execute: Execute, draws: Sequence[Draw], unneeded: dict[str, int] | None = None) -> None:
    """Give back what a call drew: all of it, or what it did not need of its hold, by unit.

    Of several grants for one budget, what was not needed goes back once, to the last drawn first.
    """
    left: dict[tuple[str, str], int] = {}
    for grant_id, amount in reversed(draws):
        if unneeded is not None:
            query = "SELECT unit, budget, scope FROM grants WHERE grant_id = ?"
            unit, *window = execute(query, (grant_id,)).fetchone()
            of = window[0], window[1]
            amount = min(amount, left.get(of, max(unneeded[unit], 0)))
            left[of] = left.get(of, max(unneeded[unit], 0)) - amount
        execute(_DRAW, (-amount, grant_id))
