"""What one process has put aside because its ledger could not be written, until it can."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from spendgraph.ledger.records import ContextRow, PriceRow
from spendgraph.ledger.spool import Spool
from spendgraph.ledger.watching import noting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from spendgraph.ledger.place import Place
    from spendgraph.ledger.records import Record
    from spendgraph.ledger.watching import Tell

logger = logging.getLogger(__name__)


class Aside:
    """The spools of one writer, in the order in which they were written.

    An outage may be long, and the process may be killed in it: rows do not wait in memory. There is one spool unless the
    place of the first one was taken away.

    Args:
        place: Where the ledger is.
        tell: Told of the windows that what is folded in counts in.

    Attributes:
        is_used: Something is there, which goes into the ledger before anything else does.
        references: The contexts and prices in it, which a process that is forked may name.
    """

    __slots__ = ("_changed", "_place", "_spools", "_tell", "is_used", "references")

    def __init__(self, place: Place, tell: Tell) -> None:
        self._place = place
        self._tell = tell
        self._spools: list[Spool] = []
        self._changed: set[int] = set()
        self.is_used = False
        self.references: list[Record] = []

    def put(self, groups: Sequence[tuple[Record, ...]], reason: str) -> None:
        """Write transactions to a file.

        Raises:
            OSError: There is no place for one.
        """
        if self._spools:
            try:
                self._spools[-1].append(groups)
            except OSError as error:
                logger.warning("spendgraph: the spool cannot be written, another one is tried: %s", error)
            else:
                self._note(groups)
                return
        spool = Spool(self._place, reason=reason)
        try:
            spool.append(groups)
        except OSError:
            spool.finish(0)
            raise
        self._spools.append(spool)
        self._note(groups)
        logger.warning(
            "spendgraph: %d rows could not be written: %s; kept in %s, which is folded in when the ledger is back",
            sum(len(group) for group in groups),
            reason,
            spool.path,
        )

    def fold(self, connection: sqlite3.Connection) -> list[int]:
        """Write everything inside the transaction that is open; what `finish` wants to know."""
        with noting(connection.execute) as self._changed:
            return [spool.fold(connection) for spool in self._spools]

    def finish(self, bad: Sequence[int]) -> None:
        """What was folded is committed: it is told, and the files go."""
        self._tell(self._changed)
        for spool, count in zip(self._spools, bad, strict=True):
            spool.finish(count)
        self._forget()

    def leave(self) -> None:
        """Leave the files to whoever opens the ledger next, or to the parent process whose they are."""
        for spool in self._spools:
            spool.close()
        self._forget()

    def _note(self, groups: Sequence[tuple[Record, ...]]) -> None:
        self.is_used = True
        self.references.extend(
            record for group in groups for record in group if isinstance(record, ContextRow | PriceRow)
        )

    def _forget(self) -> None:
        self._spools.clear()
        self.references.clear()
        self.is_used = False
