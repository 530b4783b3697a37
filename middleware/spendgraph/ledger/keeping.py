"""Reservations of one process: taken with everything counted before a no, and kept alive while it lives."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from spendgraph.clock import utc_us
from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import choosing, holds
from spendgraph.ledger.choosing import Chosen
from spendgraph.ledger.connection import BUSY_DEADLINE_S
from spendgraph.ledger.holds import Hold, Shortfall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spendgraph.ledger.choosing import Ladder
    from spendgraph.ledger.holds import Ask, Execute, Want
    from spendgraph.ledger.writer import Writer

KEEP_S: Final = 30.0
"""How often a process renews the leases of its holds."""


_MOST_KNOWN: Final = 10_000


def reserve(writer: Writer, ask: Ask, now_us: int, *, timeout: float = BUSY_DEADLINE_S) -> Hold | Shortfall:
    """Take room for a call in all its windows, or in none; not for event loops.

    Before it says no, everything known is counted: what this process has not committed yet, and calls
    whose process was killed.

    Raises:
        LedgerUnavailable: The ledger could not be written.
    """
    known = writer.windows

    def take(execute: Execute) -> Hold | Shortfall:
        return holds.reserve(execute, ask, writer.holder, now_us, known)

    def count_all(execute: Execute) -> Hold | Shortfall:
        holds.book_expired(execute, now_us)
        return take(execute)

    found = writer.transact(take, timeout=timeout)
    if isinstance(found, Shortfall):
        writer.drain(timeout=timeout)
        found = writer.transact(count_all, timeout=timeout)
    if isinstance(found, Hold):
        _remember(writer, ask.wants, found)
    return found


def reserve_first(
    writer: Writer, ladder: Ladder, now_us: int, *, timeout: float = BUSY_DEADLINE_S
) -> Chosen | Shortfall | None:
    """Take room for the first form of a call that fits, or for none; not for event loops.

    A call is neither made smaller nor refused before everything known is counted.

    Raises:
        LedgerUnavailable: The ledger could not be written.
    """

    def take(execute: Execute) -> Chosen | Shortfall | None:
        return choosing.reserve_first(execute, ladder, writer.holder, now_us, writer.windows)

    def count_all(execute: Execute) -> Chosen | Shortfall | None:
        holds.book_expired(execute, now_us)
        return take(execute)

    if not ladder.is_last:
        found = writer.transact(take, timeout=timeout)
        if isinstance(found, Chosen):
            _remember(writer, ladder.wants, found.hold)
            return found
    writer.drain(timeout=timeout)
    found = writer.transact(count_all, timeout=timeout)
    if isinstance(found, Chosen):
        _remember(writer, ladder.wants, found.hold)
    return found


def look(
    writer: Writer,
    wants: Sequence[Want],
    asked: Mapping[str, int],
    task_id: str,
    now_us: int,
    *,
    timeout: float = BUSY_DEADLINE_S,
) -> tuple[Shortfall, ...]:
    """The windows without enough room, when everything known is counted; not for event loops.

    Raises:
        LedgerUnavailable: The ledger could not be written.
    """

    def act(execute: Execute) -> tuple[Shortfall, ...]:
        return choosing.look(execute, wants, asked, task_id, now_us)

    def count_all(execute: Execute) -> tuple[Shortfall, ...]:
        holds.book_expired(execute, now_us)
        return act(execute)

    writer.drain(timeout=timeout)  # what is spent only by now counts, too
    return writer.transact(act, timeout=timeout) and writer.transact(count_all, timeout=timeout)


def _remember(writer: Writer, wants: Sequence[Want], hold: Hold) -> None:
    """Keep the ids of windows, now that they are committed, and the hold's lease alive."""
    if not hold.windows:
        return
    if len(writer.windows) > _MOST_KNOWN:
        writer.windows.clear()
    # Only now: what was opened in a transaction that failed has no id.
    writer.windows.update(zip((want[:3] for want in wants), hold.windows, strict=True))
    if not writer.keeps_holds:
        writer.keeps_holds = True
        writer.thread.signal()  # which renews the leases from now on


def keep(writer: Writer) -> None:
    """Renew this process's leases, and book the calls of those that could not; for the ledger thread."""

    def act(execute: Execute) -> bool:
        now_us = utc_us()
        has_holds = holds.renew(execute, writer.holder, now_us)
        holds.book_expired(execute, now_us)
        return has_holds

    with contextlib.suppress(LedgerUnavailable):  # the next round, or whoever writes next, finds out
        writer.keeps_holds = writer.transact(act, timeout=1)


def book_expired(writer: Writer) -> None:
    """Book the calls of processes that were killed, if there are any; the ledger has just been opened."""
    now_us = utc_us()
    if writer.query(lambda connection: holds.has_expired(connection.execute, now_us), drain=False):
        with contextlib.suppress(LedgerUnavailable):  # as above
            writer.transact(lambda execute: holds.book_expired(execute, now_us))
