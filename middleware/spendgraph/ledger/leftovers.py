"""What dead processes left beside a ledger, until it is folded in."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

from spendgraph.ledger import dead_journals, spool

if TYPE_CHECKING:
    from spendgraph.ledger.place import Place
    from spendgraph.ledger.watching import Tell

logger = logging.getLogger(__name__)


class Leftovers:
    """The spools and journals of processes that are dead when the ledger is opened.

    Args:
        place: Where the ledger is.
        tell: Told of the windows that what is folded in counts in.

    Attributes:
        are_owed: They could not be folded in yet: they count before the next reservation.
    """

    __slots__ = ("_place", "_tell", "are_owed")

    def __init__(self, place: Place, tell: Tell) -> None:
        self._place = place
        self._tell = tell
        self.are_owed = False

    def take_over(self, connection: sqlite3.Connection) -> None:
        """Fold them in, outside of a transaction.

        Raises:
            sqlite3.Error: The ledger cannot be written now; they stay owed.
        """
        self.are_owed = True
        spool.take_over(self._place, connection, self._tell)
        dead_journals.take_over(self._place, connection, self._tell)
        self.are_owed = False

    def try_take_over(self, connection: sqlite3.Connection) -> bool:
        """Fold them in, or remember that they are owed; whether they are in. Who opens a ledger does not wait for a lock."""
        try:
            self.take_over(connection)
        except sqlite3.Error as error:
            logger.warning("spendgraph: what other processes left is folded in later: %s", error)
        return not self.are_owed
