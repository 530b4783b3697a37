"""The rows that a ledger refused: kept beside it for a person, and remembered for whoever brought them."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from spendgraph.errors import LedgerError
from spendgraph.ledger import spool

if TYPE_CHECKING:
    from spendgraph.ledger.place import Place
    from spendgraph.ledger.records import Record

logger = logging.getLogger(__name__)


class Rejected:
    """The latest refused transactions of one writer."""

    __slots__ = ("_latest", "_place")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._latest: deque[tuple[tuple[Record, ...], Exception]] = deque(maxlen=64)

    def keep(self, group: tuple[Record, ...], error: Exception) -> None:
        """Keep a transaction in a file that nothing folds in; in the handler of its error.

        Raises:
            OSError: There is no place for one.
        """
        self._latest.append((group, error))
        path = spool.keep(self._place, [group], reason=repr(error), kind="rejected")
        logger.exception("spendgraph: the ledger %s refused a row; kept in %s", self._place.name, path)

    def check(self, mine: tuple[Record, ...]) -> None:
        """Tell who brought a transaction.

        Raises:
            LedgerError: It was refused.
        """
        for group, error in list(self._latest):
            if group is mine:
                raise LedgerError(f"the ledger {self._place.name} refused a row: {error}") from error

    def clear(self) -> None:
        """Forget them."""
        self._latest.clear()
