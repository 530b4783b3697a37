"""Long work in short transactions, so that whoever pays for a call meanwhile hardly waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.ledger.statements import Execute

T = TypeVar("T")

HELD_S: Final = 0.015
"""How long one transaction holds the write lock, about: an event loop waits 25 ms for a reservation."""

_LEAST: Final = 50
_MOST: Final = 20_000
_CHECKPOINT: Final = 8


class Pace:
    """How many rows one transaction takes on; it learns from how long they took.

    Args:
        transact: The ledger's `transact`.
        checkpoint: Brings the WAL into the file. Else it grows until a commit of somebody else has to, for hundreds of milliseconds.
        rows: How many each takes on; as many as take some 15 ms if it is not said.
    """

    def __init__(
        self, transact: Callable[..., Any], checkpoint: Callable[[], object], rows: int | None = None
    ) -> None:
        self._transact = transact
        self._checkpoint = checkpoint
        self._done = 0
        self._is_fixed = rows is not None
        self._last_s = 0.0
        self.rows = 500 if rows is None else rows

    def run(self, work: Callable[[Execute, int], T]) -> T:
        """Do a part in a transaction of its own, after as long a pause as the last one took: others come in between.

        Raises:
            LedgerUnavailable: The ledger could not be written; this part was not done.
        """
        begun = 0.0

        def timed(execute: Execute) -> T:
            nonlocal begun
            begun = time.perf_counter()
            return work(execute, self.rows)

        self._done += 1
        if self._done % _CHECKPOINT == 0:
            self._checkpoint()
        if self._last_s:
            time.sleep(min(self._last_s, HELD_S))
        found: T = self._transact(timed)
        self._last_s = time.perf_counter() - begun
        if not self._is_fixed:
            factor = min(1.25, max(0.25, HELD_S / self._last_s))
            self.rows = min(_MOST, max(_LEAST, int(self.rows * factor)))
        return found
