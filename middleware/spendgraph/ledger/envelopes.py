"""Envelopes: room set aside for a whole task, from which its calls draw before they ask anybody else.

An envelope holds money in several windows at once, for nobody's call yet. A call that draws moves what it needs from the
envelope to its own hold; when it is booked, what it did not need goes back to the envelope, and what it cost beyond its
hold comes out of it. So as long as the task keeps to the amount, others cannot take its room, and the sum of what
its calls have spent, what they hold and what is left stays what was set aside. An envelope is no call: when its process was
killed, the rest is given back, not booked.

Everything here is part of a transaction that somebody else begins and commits.
"""

# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from spendgraph.ledger import grants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger.asks import Draw, Envelope, Opening, Want
    from spendgraph.ledger.statements import Execute


class Offer(NamedTuple):
    """What envelopes give to a call.

    Attributes:
        credit: By budget and scope, how much of what is asked there is held already.
        drawn: The envelopes, how much each gives, and how much of it may come back.
    """

    credit: dict[tuple[str, str], int]
    drawn: tuple[tuple[Envelope, int, int], ...]

    @property
    def returnable(self) -> tuple[tuple[str, int], ...]:
        """The envelopes' ids, and how much goes back to each at most."""
        return tuple((envelope.envelope_id, back) for envelope, _, back in self.drawn)


NOTHING: Final = Offer({}, ())

_LEFT: Final = "SELECT held_nanousd, windows FROM envelopes WHERE envelope_id = ?"
_CHANGE: Final = "UPDATE envelopes SET held_nanousd = held_nanousd + ? WHERE envelope_id = ?"
_OPEN: Final = """\
INSERT INTO envelopes (envelope_id, task_id, gate, holder, windows, amount_nanousd, held_nanousd, draws, lease_until_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)"""
_EXPIRED: Final = "SELECT envelope_id FROM envelopes WHERE lease_until_us < ?"


def offer(execute: Execute, wants: Sequence[Want], nanousd: int, envelopes: Sequence[Envelope]) -> Offer:
    """What a call may draw, in order; nothing is changed yet.

    It draws only from an envelope all of whose budgets count the call, for the same scopes. Where the envelope was taken in a
    window that no longer counts, it gives no credit, and what was drawn does not come back to it.
    """
    if not envelopes:
        return NOTHING
    counting = {want[:2]: want for want in wants}
    credit: dict[tuple[str, str], int] = {}
    drawn: list[tuple[Envelope, int, int]] = []
    for envelope in envelopes:
        if not nanousd:
            break
        if any(key[:2] not in counting for key in envelope.keys):
            continue
        found = execute(_LEFT, (envelope.envelope_id,)).fetchone()
        if found is None or found[0] <= 0:
            continue
        covered = min(found[0], nanousd)
        nanousd -= covered
        is_whole = True
        for budget, scope, start_us in envelope.keys:
            want = counting[budget, scope]
            if (want.start_us if want.since_us is None else want.since_us) <= start_us <= want.start_us:
                credit[budget, scope] = credit.get((budget, scope), 0) + covered
            else:
                is_whole = False
        drawn.append((envelope, covered, covered if is_whole else 0))
    return Offer(credit, tuple(drawn))


def draw(execute: Execute, offered: Offer) -> None:
    """Take out of envelopes what is part of a call's own hold now."""
    for envelope, covered, _ in offered.drawn:
        _change(execute, envelope.envelope_id, envelope.windows, -covered)


def settle(execute: Execute, drawn: Sequence[tuple[str, int]], unneeded_nanousd: int) -> None:
    """A call that drew is booked, or was not sent: what it did not need goes back, what it needed beyond its hold comes out."""
    for envelope_id, back in drawn:
        found = execute(_LEFT, (envelope_id,)).fetchone()
        if found is None:  # the task is over, or another envelope has taken its place: the windows have it
            continue
        change = min(back, unneeded_nanousd) if unneeded_nanousd > 0 else max(-found[0], unneeded_nanousd)
        if change:
            _change(execute, envelope_id, orjson.loads(found[1]), change)
            unneeded_nanousd -= change


def make_way(execute: Execute, opening: Opening) -> None:
    """Give back what the new envelope takes the place of."""
    query = "SELECT envelope_id FROM envelopes WHERE task_id = ? AND gate = ?"
    before = execute(query, (opening.task_id, opening.gate)).fetchone()
    for envelope_id in (*opening.replaces, *(before or ())):
        release(execute, envelope_id)


def open_one(
    execute: Execute,
    opening: Opening,
    holder: str,
    windows: Sequence[int],
    nanousd: int,
    draws: Sequence[Draw],
    lease_until_us: int,
) -> None:
    """Set the room aside that was found in these windows."""
    _hold(execute, windows, nanousd)
    ids, gave = orjson.dumps(tuple(windows)).decode(), orjson.dumps(tuple(draws)).decode()
    execute(_OPEN, (*opening[:3], holder, ids, nanousd, gave, lease_until_us))


def release(execute: Execute, envelope_id: str) -> None:
    """Give back what is left of an envelope; once, however often it is said."""
    query = "SELECT windows, held_nanousd, draws FROM envelopes WHERE envelope_id = ?"
    found = execute(query, (envelope_id,)).fetchone()
    if found is not None:
        execute("DELETE FROM envelopes WHERE envelope_id = ?", (envelope_id,))
        _hold(execute, orjson.loads(found[0]), -found[1])
        grants.put_back(execute, orjson.loads(found[2]), {"nanousd": found[1]})


def renew(execute: Execute, holder: str, lease_until_us: int) -> bool:
    """Renew the leases of a process's envelopes; whether it has any."""
    query = "UPDATE envelopes SET lease_until_us = ? WHERE holder = ?"
    return execute(query, (lease_until_us, holder)).rowcount > 0


def has_expired(execute: Execute, now_us: int) -> bool:
    """Whether there are envelopes whose process has not renewed its lease."""
    return execute(f"{_EXPIRED} LIMIT 1", (now_us,)).fetchone() is not None


def release_expired(execute: Execute, now_us: int) -> int:
    """Give back the envelopes whose process has not renewed its lease; how many."""
    expired = execute(_EXPIRED, (now_us,)).fetchall()
    for (envelope_id,) in expired:
        release(execute, envelope_id)
    return len(expired)


def _change(execute: Execute, envelope_id: str, windows: Sequence[int], nanousd: int) -> None:
    if execute(_CHANGE, (nanousd, envelope_id)).rowcount:
        _hold(execute, windows, nanousd)


def _hold(execute: Execute, windows: Sequence[int], nanousd: int) -> None:
    ids = ", ".join("?" * len(windows))
    execute(
        f"UPDATE windows SET held_nanousd = held_nanousd + ? WHERE window_id IN ({ids})", (nanousd, *windows)
    )
