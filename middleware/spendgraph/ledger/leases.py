"""The leases of what is held: one process renews its own while it lives, and books the calls of those that died."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from spendgraph.clock import utc_us
from spendgraph.errors import LedgerUnavailable
from spendgraph.ledger import holds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from spendgraph.ledger.statements import Execute
    from spendgraph.ledger.watching import Watchers

T = TypeVar("T")

KEEP_S: Final = 30.0
"""How often a process renews the leases of its holds."""


class Holder(Protocol):
    """Whoever holds room in budgets: a writer.

    Attributes:
        holder: Names this process among those that hold room.
        keeps_holds: This process has taken room, and renews its leases.
        watchers: Told of the windows that a commit has changed.
    """

    holder: str
    keeps_holds: bool
    watchers: Watchers

    def transact(self, work: Callable[[Execute], T], *, timeout: float = ...) -> T:
        """Do something in a transaction of its own."""
        ...

    def query(self, work: Callable[[sqlite3.Connection], Any], *, drain: bool = ...) -> Any:
        """Read on the writer's connection."""


def keep(writer: Holder) -> None:
    """Renew this process's leases, and book the calls of those that could not; for the ledger thread."""

    def act(execute: Execute) -> set[int]:
        now_us = utc_us()
        # Said inside of the transaction: a hold that is taken after it says so again.
        writer.keeps_holds = holds.renew(execute, writer.holder, now_us)
        return holds.book_expired(execute, now_us)

    with contextlib.suppress(LedgerUnavailable):  # the next round, or whoever writes next, finds out
        expired = writer.transact(act, timeout=1)
        writer.watchers.tell(expired)


def book_expired(writer: Holder) -> None:
    """Book the calls of processes that were killed, if there are any; the ledger has just been opened."""
    now_us = utc_us()
    if writer.query(lambda connection: holds.has_expired(connection.execute, now_us), drain=False):
        with contextlib.suppress(LedgerUnavailable):  # as above
            expired = writer.transact(lambda execute: holds.book_expired(execute, now_us))
            writer.watchers.tell_folded(expired)
