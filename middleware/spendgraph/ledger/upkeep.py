"""What keeps a ledger quick to read and small: rollups brought up to date, old steps pruned. By command only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from spendgraph.ledger import prune, rollup
from spendgraph.ledger.pace import Pace
from spendgraph.ledger.rollup_check import check_sums

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from spendgraph.clock import Clock
    from spendgraph.ledger.prune import Plan, Pruned
    from spendgraph.ledger.rollup import Progress


class Rebuilt(NamedTuple):
    """What making the rollups anew has done.

    Attributes:
        added: Steps and corrections that were not in them yet.
        repaired: Rows that were wrong, missing or too many.
    """

    added: int
    repaired: int


class Upkeep:
    """Rolls up and prunes one ledger, in short transactions, beside whoever writes; not for event loops.

    Args:
        transact: The ledger's `transact`.
        query: The writer's `query`.
        reading: Opens a connection that only reads.
        clock: Microseconds UTC.
    """

    def __init__(
        self,
        transact: Callable[..., Any],
        query: Callable[..., Any],
        reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
        clock: Clock,
    ) -> None:
        self._transact = transact
        self._query = query
        self._reading = reading
        self._clock = clock

    def roll(self, progress: Progress | None = None, *, rows: int | None = None) -> int:
        """Add the steps to the rollups that are not in them yet.

        Run twice, killed in the middle or run by two processes at once, it adds each step once.

        Args:
            progress: Called with how many are added, and how many there are to add.
            rows: How many to add in one transaction; as many as take some 15 ms if it is not said.

        Returns:
            How many steps and corrections this call has added.

        Raises:
            LedgerUnavailable: The ledger cannot be written; what was added until then is added.
        """
        return rollup.roll(self._pace(rows), self._clock, progress)

    def disagreements(self) -> tuple[str, ...]:
        """Where the rollups contradict each other; a quick check for every night, which reads no step.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        with self._reading() as connection:
            return tuple(check_sums(connection))

    def rebuild(self, progress: Progress | None = None, *, rows: int | None = None) -> Rebuilt:
        """Bring the rollups up to date, compare every row with the steps, and make what is wrong anew.

        Readers see either the old sums of a part or the new ones. Sums of what was pruned stay as they are.

        Args:
            progress: Called with how much is done, and how much there is.
            rows: How many steps to compare and add at once.

        Raises:
            LedgerUnavailable: The ledger cannot be read or written.
        """
        added = self.roll(rows=rows)
        repaired = 0
        size = {} if rows is None else {"size": rows}
        with self._reading() as connection:
            for found in rollup.wrong_slices(connection, progress=progress, **size):
                self._transact(partial(rollup.rebuild_slice, found=found))
                repaired += found.wrong
        return Rebuilt(added, repaired)

    def plan_prune(self, before: datetime | int) -> Plan:
        """What `prune` would delete; nothing is changed.

        Raises:
            ValueError: The time has no zone, or is less than seven days ago.
            LedgerUnavailable: The ledger cannot be read.
        """
        before_us = prune.cut(before, self._clock())
        with self._reading() as connection:
            return prune.read_plan(connection, before_us)

    def prune(
        self, before: datetime | int, progress: Progress | None = None, *, rows: int | None = None
    ) -> Pruned:
        """Delete steps that started before a time and are in the rollups.

        Budgets, rollups and `verify` are right at every moment. Steps of paused tasks and the latest step stay. The
        file does not become smaller: what comes next takes the room.

        Args:
            before: An aware datetime, or microseconds; the quarter of an hour in which it lies stays.
            progress: Called with how many steps are deleted, and how many there were to delete.
            rows: How many to delete in one transaction; as many as take some 15 ms if it is not said.

        Raises:
            ValueError: The time has no zone, or is less than seven days ago.
            LedgerUnavailable: The ledger cannot be written; what was deleted until then is accounted for.
        """
        plan = self.plan_prune(before)
        return prune.prune(self._pace(rows), plan, self._clock, progress)

    def _pace(self, rows: int | None) -> Pace:
        return Pace(self._transact, lambda: self._query(_checkpoint), rows)


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
