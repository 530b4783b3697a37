"""The one way rows reach a ledger: one connection per ledger and process, behind one lock.

Everything waits in `queued`, a deque of transactions in order of arrival. A thread without an event loop
writes what is queued and its own rows itself, and returns when they are committed. On a running event loop
nothing may block: rows are appended to the deque and the ledger thread, woken through a `SimpleQueue`,
writes everything queued in one transaction. What cannot be written is put aside beside the ledger, in order,
and is tried again by whoever comes next.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - exported; 20 times faster than get_running_loop raising
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

from spendgraph.errors import LedgerBusy, LedgerError, LedgerUnavailable
from spendgraph.ids import new_id
from spendgraph.ledger import holds, leases, spool
from spendgraph.ledger.aside import Aside
from spendgraph.ledger.connection import BUSY_DEADLINE_S, Pauses, diagnose
from spendgraph.ledger.handle import Handle
from spendgraph.ledger.journal import Journal
from spendgraph.ledger.known import KnownWindows
from spendgraph.ledger.leftovers import Leftovers
from spendgraph.ledger.records import ContextRow, PriceRow, Record
from spendgraph.ledger.rejected import Rejected
from spendgraph.ledger.thread import LedgerThread
from spendgraph.ledger.watching import Watchers
from spendgraph.ledger.writing import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spendgraph.ledger.place import Place
    from spendgraph.ledger.statements import Execute

T = TypeVar("T")

logger = logging.getLogger(__name__)

Group = tuple[Record, ...]
"""The records of one transaction."""

_BOOKED_AT_MOST: Final = 256
"""More booked steps than this are not left to wait for the deferred commit."""


class Writer:
    """The writing side of one ledger in this process.

    Attributes:
        place: Where the ledger is.
        queued: Transactions not yet written, in order.
        aside: What it had to put aside while the ledger could not be written.
        failure: Why the last write failed; `None` while the ledger is healthy.
        owes_overrun: Something queued or left takes more room than was held: it counts before the next reservation.
        holder: Names this process among those that hold room in budgets.
        keeps_holds: This process has taken room, and renews its leases.
        leftovers: What dead processes left.
        journal: Holds the steps that are booked and not yet committed.
        thread: The ledger thread.
        watchers: Told of the windows that a commit has changed, while the lock is held.
        windows: Ids of budgets' windows that are in the ledger, by budget, scope and start.
    """

    __slots__ = (
        "_handle",
        "_lock",
        "_rejected",
        "aside",
        "failure",
        "holder",
        "journal",
        "keeps_holds",
        "leftovers",
        "owes_overrun",
        "place",
        "queued",
        "thread",
        "watchers",
        "windows",
    )

    def __init__(self, place: Place) -> None:
        self.place = place
        self.queued: deque[Group] = deque()
        self.failure: LedgerUnavailable | None = None
        self.thread = LedgerThread(self)
        self.watchers = Watchers()
        self.journal = Journal(place)
        self.aside = Aside(place, self.watchers.tell_folded)
        self._lock = threading.RLock()
        self.holder = new_id()
        self.keeps_holds = False
        self.owes_overrun = False
        self.leftovers = Leftovers(place, self.watchers.tell_folded)
        self.windows = KnownWindows()
        self._handle = Handle(place, self.windows.clear)
        self._rejected = Rejected(place)

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be written."""
        return bool(self.queued) or self.aside.is_used

    def open(self, *, create: bool = True) -> None:
        """Open the connection, migrating the ledger, and fold in what other processes left.

        Args:
            create: Make a ledger where there is none.

        Raises:
            LedgerError: The file is not a ledger, or a newer spendgraph made it.
            LedgerUnavailable: The file cannot be opened, created or written.
        """
        with self._lock:
            if not self._handle.is_in_place():
                self._handle.close()
            connection = self._handle.open(create=create)
            if not self.leftovers.try_take_over(connection):
                self.owes_overrun = True
                self.thread.signal()
            else:  # the journal of a killed process may say what its calls cost
                leases.book_expired(self)
            if self.journal.is_possible:
                with contextlib.suppress(OSError):  # a full disk: steps are posted
                    self.journal.prepare()

    def post(self, group: Group) -> None:
        """Write one transaction; on a running event loop, leave it to the ledger thread.

        Raises:
            LedgerUnavailable: It could not be written now; it stays queued.
            LedgerError: The ledger refused a row, which is a fault of the caller.
        """
        if _get_running_loop() is not None or self._is_mine():
            if not self._journalled(group):
                self.queued.append(group)
            self.thread.signal()
            return
        with self._lock:
            if not self.is_behind:
                try:
                    self._write(group)
                except BaseException as error:
                    self.queued.append(group)
                    # The slow way finds out what to do about what the ledger says.
                    if not isinstance(error, (sqlite3.Error, OSError, LedgerError, *spool.BAD_ROW)):
                        raise
                else:
                    self.failure = None
                    return
            else:
                self.queued.append(group)
        self.drain(mine=group)

    def book(self, group: Group, *, at_once: bool = False) -> None:
        """Write a transaction down for good, and commit it some milliseconds later with others, or at once.

        Where it cannot be written down (a ledger in memory, a full journal or disk), it is posted.
        """
        if not self._journalled(group):
            self.owes_overrun |= at_once  # where it is only queued
            if self.failure is None or self.place.in_memory or _get_running_loop() is not None:
                self.post(group)
                return
            self.queued.append(group)
            self.put_aside(self.failure)  # nobody waits for a ledger that is known to fail
            self.thread.signal()
        elif at_once:
            self.owes_overrun = True
            if _get_running_loop() is not None or self._is_mine():
                self.thread.signal()
            else:
                self.drain()
        elif len(self.queued) < _BOOKED_AT_MOST:
            self.thread.signal_later()
        else:
            self.thread.signal()

    def _is_mine(self) -> bool:
        """Whether this thread is in the middle of a transaction, as a finalizer may be that the collector runs there."""
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001 - as threading.Condition asks it

    def _journalled(self, group: Group) -> bool:
        """Write a transaction down and queue it, if there is a journal, or can be one without touching files on a loop."""
        journal = self.journal
        if not journal.is_ready and (not journal.is_possible or _get_running_loop() is not None):
            return False
        try:
            return journal.append(group, self.queued)
        except (OSError, TypeError):
            return False  # posting it says what is wrong

    def defer(self, group: Group) -> None:
        """Queue a transaction that may be written a little later, with the next one; never blocks."""
        self.queued.append(group)
        self.thread.signal_later()

    def drain(self, *, timeout: float = BUSY_DEADLINE_S, mine: Group | None = None) -> None:
        """Write everything queued, waiting for other processes; not for event loops.

        Raises:
            LedgerUnavailable: It could not be written; it stays queued.
            LedgerError: The ledger refused the rows `mine`.
        """
        pauses = Pauses(timeout)
        while True:
            problem = self.try_once()
            if mine is not None:
                self._rejected.check(mine)
            if problem is None:
                return
            if not isinstance(problem, LedgerBusy) or pauses.over:
                self.note_failure(problem)
                self.put_aside(problem)
                self.thread.signal()  # which goes on trying
                raise problem
            pauses.sleep()

    def note_failure(self, problem: LedgerUnavailable) -> None:
        """Remember that the ledger fails.

        It is a copy: the error itself, once raised, keeps alive the frames that it went through, prompts and all.
        """
        self.failure = type(problem)(*problem.args)

    def put_aside(self, problem: LedgerUnavailable) -> None:
        """Write what is queued to a file of its own, because the ledger cannot take it; without one it stays queued."""
        if not self.journal.is_possible:
            return
        with self._lock:
            self.journal.turn()
            groups = self._take_queued()
            try:
                if groups:
                    self.aside.put(groups, str(problem))
            except OSError as error:
                self.queued.extendleft(reversed(groups))
                logger.warning("spendgraph: %d transactions wait in memory: %s", len(groups), error)
            except BaseException:
                self.queued.extendleft(reversed(groups))
                raise
            else:
                self.journal.committed()

    def try_once(self) -> LedgerUnavailable | None:
        """Try to write everything queued, without waiting for other processes; say why it failed."""
        with self._lock:
            return self._drain_once()

    def transact(self, work: Callable[[Execute], T], *, timeout: float = BUSY_DEADLINE_S) -> T:
        """Do something in a transaction of its own, waiting for other processes; not for event loops.

        What is queued is not written before.

        Raises:
            LedgerUnavailable: The ledger could not be written; nothing was.
        """
        pauses: Pauses | None = None
        while True:
            try:
                with self._lock:
                    return self._handle.transact(work)
            except (sqlite3.Error, OSError, LedgerUnavailable) as error:
                problem = error if isinstance(error, LedgerUnavailable) else diagnose(error, self.place)
                pauses = pauses or Pauses(timeout)
                is_busy = isinstance(problem, LedgerBusy)
                if not is_busy:
                    with self._lock:
                        self._handle.give_up()
                if not is_busy or pauses.over:
                    if not is_busy or timeout >= BUSY_DEADLINE_S:  # an event loop's short wait proves nothing
                        self.note_failure(problem)
                    raise problem from (None if problem is error else error)
            pauses.sleep()

    def query(self, work: Callable[[sqlite3.Connection], Any], *, drain: bool = True) -> Any:
        """Read on the writer's connection, after writing what is queued; not for event loops.

        Raises:
            LedgerUnavailable: The ledger cannot be read or written.
        """
        if drain and self.is_behind:
            self.drain()
        with self._lock:
            try:
                return work(self._handle.open())
            except sqlite3.Error as error:
                raise diagnose(error, self.place) from error

    def close(self, *, for_good: bool = True) -> None:
        """Write what is queued, or leave it in a spool, and close the connection.

        Args:
            for_good: End the ledger thread too. At the end of the interpreter others may still post.
        """
        try:
            self.drain()
        except LedgerUnavailable as problem:
            logger.error("spendgraph: a ledger is closed that could not be written: %s", problem)  # noqa: TRY400 - one line
        with self._lock:
            self.aside.leave()
            if not self.queued:
                self.journal.remove()
            if for_good:
                self.thread.stop()
            self.keeps_holds = False  # the next one that is taken starts the thread that renews them
            self._handle.close()

    def before_fork(self) -> None:
        """Close the connection: SQLite's locks do not survive a fork, not even in a new connection."""
        self._lock.acquire()
        if not self.place.in_memory:
            self._handle.close()

    def after_fork_in_parent(self) -> None:
        """Go on; the connection is opened again when it is needed."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start anew: the parent writes what it had queued.

        Contexts and prices are kept, because callers remember having posted them.
        """
        inherited = [*self.aside.references, *(record for group in self.queued for record in group)]
        self.queued = deque((record,) for record in inherited if isinstance(record, ContextRow | PriceRow))
        self.failure = None
        self.holder = new_id()
        self.keeps_holds = False
        self.thread = LedgerThread(self)
        self.journal.forget()
        self.journal = Journal(self.place)
        self.aside.leave()
        self._lock = threading.RLock()
        self._rejected.clear()

    def _write(self, records: Sequence[Record]) -> None:
        """Write records in one transaction; the lock is held."""

        def act(execute: Execute) -> set[int]:
            write(execute, records)
            return self.watchers.windows_of(records, execute)

        self.watchers.tell(self._handle.transact(act))

    def _drain_once(self) -> LedgerUnavailable | None:
        """Try once to write everything queued; the lock is held."""
        # Before the queue is looked at: who books later says so again.
        owed, self.owes_overrun = self.owes_overrun, False
        if not self.is_behind and not self.leftovers.are_owed:
            self.failure = None
            return None
        self.journal.turn()
        groups = self._take_queued()
        try:
            if self.leftovers.are_owed:
                self.leftovers.take_over(self._handle.current())
            if self.aside.is_used:
                self.aside.finish(self._handle.transact(lambda _: self.aside.fold(self._handle.open())))
            try:
                if groups:
                    self._write([record for group in groups for record in group])
            except spool.BAD_ROW:
                self._write_each(groups)
        except (sqlite3.Error, OSError, LedgerError) as error:
            self.queued.extendleft(reversed(groups))
            self.owes_overrun |= owed
            problem = error if isinstance(error, LedgerUnavailable) else diagnose(error, self.place)
            if not isinstance(problem, LedgerBusy):
                self._handle.give_up()
            return problem
        except BaseException:
            self.queued.extendleft(reversed(groups))
            self.owes_overrun |= owed
            raise
        self.failure = None
        self.journal.committed()
        return None

    def _take_queued(self) -> list[Group]:
        groups: list[Group] = []
        while self.queued:  # nobody else takes from it: the lock is held
            groups.append(self.queued.popleft())
        return groups

    def _write_each(self, groups: list[Group]) -> None:
        """Write groups one by one, setting aside those the ledger refuses; empties the list as it goes."""
        while groups:
            group = groups[0]
            try:
                self._write(group)
            except spool.BAD_ROW as error:
                self._rejected.keep(group, error)
                self._handle.transact(lambda execute: holds.let_lapse(execute, group))  # noqa: B023 - it is done here
            del groups[0]
