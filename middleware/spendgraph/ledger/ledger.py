"""The ledger as the rooms above use it."""

from __future__ import annotations

from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - exported; 20 times faster than get_running_loop raising
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from spendgraph.clock import Clock, from_us, utc_us
from spendgraph.errors import LedgerError, LedgerUnavailable
from spendgraph.ledger import keeping, registry
from spendgraph.ledger.alerts import AlertBook
from spendgraph.ledger.asks import Hold
from spendgraph.ledger.behind import Behind
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.budgets import register
from spendgraph.ledger.choosing import Chosen
from spendgraph.ledger.connection import BUSY_DEADLINE_S, LOOP_WAIT_S
from spendgraph.ledger.corrections import correction_of
from spendgraph.ledger.elsewhere import run_elsewhere
from spendgraph.ledger.inbox import Inbox
from spendgraph.ledger.intake import Intake
from spendgraph.ledger.place import find_place
from spendgraph.ledger.reader import LedgerReader
from spendgraph.ledger.records import HeldStep
from spendgraph.ledger.resume import PausedTask, find_unfinished
from spendgraph.ledger.settings import read_settings
from spendgraph.ledger.switchboard import Switchboard
from spendgraph.ledger.upkeep import Upkeep
from spendgraph.ledger.watch_book import WatchBook

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from spendgraph.ledger.asks import Ask, Shortfall
    from spendgraph.ledger.budgets import BudgetRow
    from spendgraph.ledger.choosing import Ladder
    from spendgraph.ledger.records import CostBasis, Record, StepRow
    from spendgraph.ledger.statements import Execute
    from spendgraph.ledger.writer import Writer

T = TypeVar("T")

CLOCK_TOLERANCE_US: Final = 5_000_000
"""How far the clock may go back before the ledger refuses to go on."""


class Ledger(LedgerReader):
    """The books: an append-only SQLite file of every step, who pays for it and what it cost.

    Every `Ledger` of one path in one process shares one connection. Rows are durable when `post` or
    `book` returns: committed, or written down in the process's journal and committed soon. It does not price, attribute or
    decide anything, and stores no text of prompts and answers.

    >>> from spendgraph.ledger import Ledger, ContextRow, StepRow
    >>> with Ledger.open(":memory:") as ledger:
    ...     ledger.post(
    ...         ContextRow("c1", feature="triage"),
    ...         StepRow("s1", "t1", "model", "c1", 0, 0, 0, cost_nanousd=5_615_000),
    ...     )
    ...     ledger.spend(["feature"])[0]["cost_nanousd"]
    5615000
    """

    def __init__(self, writer: Writer, clock: Clock) -> None:
        super().__init__(writer.place)
        self._writer = writer
        self._clock = clock
        self._closed = False
        self.behind = Behind(writer.place)
        self._secret: bytes
        self._latest_us: int
        self._secret, self._latest_us = writer.query(read_settings)

    @classmethod
    def open(cls, url: str | Path, *, clock: Clock = utc_us) -> Ledger:
        """Open a ledger for writing; make it where there is none, and bring its schema up to date.

        Args:
            url: A path, a `sqlite:///` URL, or `:memory:`.
            clock: Returns the time in microseconds UTC.

        Raises:
            LedgerError: The file is not a ledger, or a newer spendgraph made it.
            LedgerUnavailable: The file cannot be opened, created or written.
        """
        return run_elsewhere(lambda: cls(registry.acquire(find_place(url)), clock))

    @staticmethod
    def open_readonly(url: str | Path) -> LedgerReader:
        """Open a ledger for reading; nothing is created or changed.

        Raises:
            LedgerError: It is not a ledger of this version.
            LedgerUnavailable: It cannot be read.
        """
        return LedgerReader.at(url)

    def post(self, *records: Record) -> None:
        """Write records in ONE transaction: committed on return, or, where an event loop is running, written down.

        Contexts and prices come before the rows that name them. What was posted before counts once.

        Raises:
            LedgerUnavailable: They could not be written now. They stay queued, in order, and are tried
                again by the next call.
            LedgerError: The ledger refused a row (a fault of the caller); it is kept in a file of rejected
                rows beside the ledger.
        """
        self._writer.post(records)

    def book(self, *records: Record, at_once: bool = False) -> None:
        """Write down what a step brings in ONE transaction: durable on return, in the tables soon.

        The records are a line of the process's journal when this returns, which `kill -9` does not take away,
        and rows some milliseconds later; whoever reads through this process sees them at once. It never waits
        for another process, and may be called on an event loop.

        Args:
            *records: What is written.
            at_once: No reservation may be made without it, for it takes more room than was held: committed on
                return, or, where an event loop is running, as soon as the ledger thread can.

        Raises:
            LedgerUnavailable: They could not be written now; they stay queued.
            LedgerError: The ledger refused a row (a fault of the caller).
        """
        self._writer.book(records, at_once=at_once)

    def defer(self, *records: Record) -> None:
        """Leave records to be written with the next ones, or a few milliseconds later; never blocks.

        For rows that may be lost with a killed process, such as the end of a task.
        """
        self._writer.defer(records)

    @property
    def secret(self) -> bytes:
        """32 random bytes of this ledger: the key of its users' pseudonyms."""
        return self._secret

    def now(self) -> int:
        """The time for a start, in microseconds: never earlier than the ledger's latest.

        Raises:
            LedgerUnavailable: The clock has gone back by more than five seconds.
        """
        now = self._clock()
        latest = self._latest_us
        if now >= latest:
            self._latest_us = now
            return now
        if latest - now > CLOCK_TOLERANCE_US:
            raise LedgerUnavailable(
                f"the clock says {from_us(now).isoformat()}, but the ledger {self.place.name} has entries up to"
                f" {from_us(latest).isoformat()}: set the clock right, or budgets would count in closed windows"
            )
        return latest

    def unpaid_time(self) -> int:
        """The time for what costs nothing, which is never refused: at least the ledger's latest."""
        return max(self._clock(), self._latest_us)

    def end_time(self, started_us: int) -> int:
        """The time for an end, which is never refused: at least the start's."""
        return max(self._clock(), started_us)

    @property
    def is_failing(self) -> bool:
        """Whether the last write failed, and none has succeeded since."""
        return self._writer.failure is not None

    def ready(self, *, wait_s: float = 1.0, loop_wait_s: float = LOOP_WAIT_S) -> None:
        """Ask, before anything paid for starts, whether its step can be written.

        Args:
            wait_s: How long to wait for other processes.
            loop_wait_s: How long an event loop waits for the ledger thread at most.

        Raises:
            LedgerUnavailable: The last write failed, and trying again fails now.
        """
        if self._writer.failure is not None:
            self._writer.thread.retry(wait_s, loop_wait_s)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything posted is written.

        Returns:
            Whether it is; `False` after the timeout (5 seconds if none is given) or a failed write.
        """
        wait = BUSY_DEADLINE_S if timeout is None else timeout
        if _get_running_loop() is not None:
            return not isinstance(self._writer.thread.wait(None, wait), Exception)
        try:
            self._writer.drain(timeout=wait)
        except LedgerUnavailable:
            return False
        return True

    async def aflush(self) -> bool:
        """Like `flush`, without blocking the event loop."""
        return await self._writer.thread.aflush()

    def register(self, budgets: Sequence[BudgetRow]) -> None:
        """Keep a version of every budget that is new or has changed; of none there is nothing to write.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """
        if not budgets:
            return
        now_us = self._clock()
        run_elsewhere(lambda: self._writer.transact(lambda execute: register(execute, budgets, now_us)))

    def reserve(self, ask: Ask, *, loop_wait_s: float = LOOP_WAIT_S) -> Hold | Shortfall | Blocked:
        """Take room for a call in all its windows, in ONE transaction, or in none.

        Args:
            ask: How much, where, and the step to book should the call's end never be heard.
            loop_wait_s: How long an event loop waits for the ledger thread at most.

        Returns:
            What is held, to be named when the step is booked (`HeldStep`) or given up (`HoldRelease`); or the
            first window without enough room, or the first breaker that does not let it through.

        Raises:
            LedgerBusy: On an event loop, the ledger did not answer in time.
            LedgerUnavailable: The ledger cannot be written: nothing is held.
        """
        writer, now_us = self._writer, self._clock()
        return self._writer.thread.wherever(
            lambda timeout: keeping.reserve(writer, ask, now_us, timeout=timeout),
            loop_wait_s,
            lambda found: self._give_back(ask, found),
            waits=False,  # a no counts everything; before a yes that would be a transaction more at every call
        )

    def reserve_first(
        self, ladder: Ladder, *, loop_wait_s: float = LOOP_WAIT_S
    ) -> Chosen | Shortfall | Blocked | None:
        """Choose the first form of a call that fits all its windows and take room for it, in ONE transaction.

        Returns:
            The form and what is held for it; the first window without enough room for any, or the first breaker that
            does not let it through; or `None` where the ladder has no form for what is left.

        Raises:
            LedgerBusy: On an event loop, the ledger did not answer in time.
            LedgerUnavailable: The ledger cannot be written: nothing is held.
        """
        writer, now_us = self._writer, self._clock()
        return self._writer.thread.wherever(
            lambda timeout: keeping.reserve_first(writer, ladder, now_us, timeout=timeout),
            loop_wait_s,
            lambda found: self._give_back(found.ask, found.hold) if isinstance(found, Chosen) else None,
            waits=False,
        )

    def _give_back(self, ask: Ask, found: object) -> None:
        """Nobody waited for a reservation any more."""
        if isinstance(found, Hold):
            self._writer.post((keeping.giving_back(ask, found),))

    @property
    def inbox(self) -> Inbox:
        """What people are asked for, and what they say."""
        return Inbox(self.transact, self._clock, self._secret)

    @property
    def switchboard(self) -> Switchboard:
        """Where people and watches trip breakers and close them."""
        return Switchboard(self.transact, self._clock)

    @property
    def upkeep(self) -> Upkeep:
        """What rolls up and prunes."""
        return Upkeep(self.transact, self._writer.query, self._reading, self._clock)

    @property
    def intake(self) -> Intake:
        """Where finance brings in contracts, plans and invoices."""
        return Intake(self.transact, self._clock)

    @property
    def watch_book(self) -> WatchBook:
        """Where the anomaly watch keeps what it knows and finds, and people what they say of it."""
        return WatchBook(self.transact, self._clock)

    @property
    def alerts(self) -> AlertBook:
        """What people are told, and how its delivery went."""
        return AlertBook(self._writer, self._clock)

    def transact(
        self,
        work: Callable[[Execute], T],
        *,
        loop_wait_s: float = LOOP_WAIT_S,
        undo: Callable[[Any], None] | None = None,
    ) -> T:
        """Do something in ONE transaction, on the ledger thread where an event loop is running; for this room's own classes.

        Args:
            work: What is done.
            loop_wait_s: How long an event loop waits for the ledger thread at most.
            undo: Called by that thread with a result that came when nobody waited any more.

        Raises:
            LedgerBusy: On an event loop, the ledger did not answer in time.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        writer = self._writer
        return self._writer.thread.wherever(
            lambda timeout: writer.transact(work, timeout=timeout), loop_wait_s, undo
        )

    def unfinished_task(
        self, graph: str, thread_id: str, *, loop_wait_s: float = LOOP_WAIT_S
    ) -> PausedTask | None:
        """The one unfinished task of a thread of a graph, to be gone on with.

        Returns:
            `None` when there is none, or when there are several.

        Raises:
            LedgerBusy: On an event loop, the ledger did not answer in time.
            LedgerUnavailable: The ledger cannot be read.
        """

        def find(connection: sqlite3.Connection) -> PausedTask | None:
            return find_unfinished(connection, graph, thread_id)

        if not thread_id:
            return None
        if _get_running_loop() is None:
            found = self._writer.query(find)
        else:
            found = self._writer.thread.wait(lambda: self._writer.query(find, drain=False), loop_wait_s)
        if isinstance(found, Exception):
            raise found
        assert found is None or isinstance(found, PausedTask)
        return found

    def correct(
        self,
        step_id: str,
        *,
        reason: str,
        cost_basis: CostBasis | None = None,
        correction_id: str | None = None,
        **deltas: int,
    ) -> StepRow:
        """Correct a step by a new row with signed differences; the step itself never changes.

        Args:
            step_id: The step to correct.
            reason: Why, kept as the row's `usage_note`.
            cost_basis: What the corrected cost rests on, if not what the step's did.
            correction_id: The new row's id, where delivering a correction twice must count once.
            **deltas: Token counts, `cost_nanousd` and `saved_nanousd`, as differences.

        Returns:
            The new row, written.

        Raises:
            LedgerError: There is no such charge.
            ValueError: A delta is not a number of the step, or there is none.
        """
        for step in self.steps(step_id=step_id, entry="charge"):
            row = correction_of(
                step, deltas, reason, recorded_us=self._clock(), cost_basis=cost_basis, step_id=correction_id
            )
            with self._reading() as connection:
                query = "SELECT window_id FROM step_windows WHERE step_id = ?"
                windows = tuple(window_id for (window_id,) in connection.execute(query, (step_id,)))
            self.post(HeldStep(tuple(row), windows, 0, 0))
            return row
        raise LedgerError(f"the ledger {self.place.name} has no step {step_id!r} to correct")

    def close(self) -> None:
        """Write what is queued and give up the ledger; the connection closes with its last user."""
        if not self._closed:
            self._closed = True
            run_elsewhere(self._close)

    def _close(self) -> None:
        self.behind.stop()
        registry.release(self._writer)

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        self.flush()
        with super()._reading() as connection:
            yield connection
