"""Reservations of one process: taken with everything counted before a no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import choosing, guarding, holds, taking
from spendgraph.ledger.asks import Hold, Shortfall
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.choosing import Chosen
from spendgraph.ledger.connection import BUSY_DEADLINE_S
from spendgraph.ledger.records import EnvelopeRelease, HoldRelease

if TYPE_CHECKING:
    from spendgraph.ledger.asks import Ask, Want
    from spendgraph.ledger.choosing import Ladder
    from spendgraph.ledger.statements import Execute
    from spendgraph.ledger.writer import Writer


def reserve(
    writer: Writer, ask: Ask, now_us: int, *, timeout: float = BUSY_DEADLINE_S
) -> Hold | Shortfall | Blocked:
    """Take room for a call in all its windows, or in none; not for event loops.

    Before it says no, everything known is counted: what this process has not committed yet, and calls
    whose process was killed. Before it says yes, only what takes more room than was held for it.

    Raises:
        LedgerUnavailable: The ledger could not be written.
    """
    known = writer.windows
    expired: set[int] = set()

    def take(execute: Execute, *, is_counted: bool = False) -> Hold | Shortfall | Blocked:
        if ask.breakers:
            return guarding.reserve(execute, ask, writer.holder, now_us, known, is_counted=is_counted)
        return taking.reserve(execute, ask, writer.holder, now_us, known, is_counted=is_counted)

    def count_all(execute: Execute) -> Hold | Shortfall | Blocked:
        expired.update(holds.book_expired(execute, now_us))
        return take(execute, is_counted=True)

    if writer.owes_overrun:
        writer.drain(timeout=timeout)
    found = writer.transact(take, timeout=timeout)
    # A breaker that is half open may be closed by what is not committed yet; an open one stays open.
    if isinstance(found, Shortfall) or (isinstance(found, Blocked) and found.state == "half_open"):
        try:
            writer.drain(timeout=timeout)
            found = writer.transact(count_all, timeout=timeout)
        except LedgerUnavailable as error:
            error.had_no_room = True
            raise
        writer.watchers.tell(expired)
    if isinstance(found, Hold):
        _remember(writer, ask.wants, found)
    return found


def giving_back(ask: Ask, hold: Hold) -> HoldRelease | EnvelopeRelease:
    """What gives the room back that was taken for nobody."""
    if ask.opens is not None:
        return EnvelopeRelease(ask.opens.envelope_id)
    return HoldRelease(ask.step.step_id, hold.draws, hold.envelopes)


def reserve_first(
    writer: Writer, ladder: Ladder, now_us: int, *, timeout: float = BUSY_DEADLINE_S
) -> Chosen | Shortfall | Blocked | None:
    """Take room for the first form of a call that fits, or for none; not for event loops.

    A call is neither made smaller nor refused before everything known is counted.

    Raises:
        LedgerUnavailable: The ledger could not be written.
    """
    expired: set[int] = set()

    def take(execute: Execute, *, is_counted: bool = False) -> Chosen | Shortfall | Blocked | None:
        return choosing.reserve_first(
            execute, ladder, writer.holder, now_us, writer.windows, is_counted=is_counted
        )

    def count_all(execute: Execute) -> Chosen | Shortfall | Blocked | None:
        expired.update(holds.book_expired(execute, now_us))
        return take(execute, is_counted=True)

    found = None
    if not ladder.is_last and not writer.owes_overrun:
        found = writer.transact(take, timeout=timeout)
    if not isinstance(found, Chosen) and not (isinstance(found, Blocked) and found.state == "open"):
        try:
            writer.drain(timeout=timeout)
            found = writer.transact(count_all, timeout=timeout)
        except LedgerUnavailable as error:
            error.had_no_room = True
            raise
        writer.watchers.tell(expired)
    if isinstance(found, Chosen):
        _remember(writer, ladder.wants, found.hold)
    return found


def _remember(writer: Writer, wants: tuple[Want, ...], hold: Hold) -> None:
    """Keep the ids of windows, now that they are committed, and the hold's lease alive."""
    if not hold.windows:
        return
    # Only now: what was opened in a transaction that failed has no id. A breaker's windows come last.
    writer.windows.remember(wants, hold.windows)
    if not writer.keeps_holds:
        writer.keeps_holds = True
        writer.thread.signal()  # which renews the leases from now on
