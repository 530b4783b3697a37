"""The ledger thread: writes what event loops have posted, and answers their questions.

It is started with `_thread`, because `threading.Thread.start` waits for an event, which the thread of an
event loop must not. Everything it is told travels through a `SimpleQueue`.
"""

from __future__ import annotations

import _thread
import asyncio
import logging
import random
import time
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - as in ledger.py
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from spendgraph.errors import LedgerBusy, LedgerError, LedgerUnavailable
from spendgraph.ledger import leases
from spendgraph.ledger.connection import BUSY_DEADLINE_S, Pauses

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from spendgraph.ledger.journal import Journal
    from spendgraph.ledger.place import Place

T = TypeVar("T")

logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0
"""How often a ledger that failed is tried again."""

QUEUED_AT_MOST: Final = 512
"""More transactions than this do not wait for a lock of another process in memory, which a kill takes away."""

UNSAFE_S: Final = 0.25
"""How long rows that no journal holds wait for another process before they are put aside."""

LATE_WAIT_S: Final = 0.025
"""How long an event loop waits for a ledger that did not answer the last time: fifty calls that each waited in full would hold it up for many seconds."""

_DEFER_S: Final = 0.05
"""How long deferred rows wait for others to be written with."""


class Request:
    """Something done in the ledger thread.

    Args:
        reply: Called there with what `act` returns, or with the error.
        act: What is done.
        waits: It is done once everything queued before it is written, and not before.
    """

    __slots__ = ("act", "reply", "waits")

    def __init__(
        self, reply: Callable[[Any], None], act: Callable[[], object] | None = None, *, waits: bool = True
    ) -> None:
        self.reply = reply
        self.act = act
        self.waits = waits


class _Stop:
    """Ends the thread."""


class _Later:
    """Rows are queued which may wait a little."""


_STOP: Final = _Stop()
_LATER: Final = _Later()
_UNWANTED: Final = object()
"""Stands for the result of what was not done, because nobody waited for it any more."""


class Queue(leases.Holder, Protocol):
    """What the thread writes: the queue of one writer.

    Attributes:
        place: Where the ledger is.
        journal: Holds the steps that are booked and not yet committed.
        failure: Why the last write failed.
    """

    place: Place
    journal: Journal
    failure: LedgerUnavailable | None

    @property
    def queued(self) -> Sized:
        """Transactions not yet written."""
        ...

    def try_once(self) -> LedgerUnavailable | None:
        """Try to write everything queued, without waiting for other processes; say why it failed."""

    def drain(self, *, timeout: float = ...) -> None:
        """Write everything queued, waiting for other processes."""

    def put_aside(self, problem: LedgerUnavailable) -> None:
        """Write what is queued to a file of its own."""

    def note_failure(self, problem: LedgerUnavailable) -> None:
        """Remember that the ledger fails."""


class LedgerThread:
    """The thread of one writer; it starts when it is first told something."""

    __slots__ = ("_deferred", "_is_late", "_running", "_signalled", "_wake", "_writer")

    def __init__(self, writer: Queue) -> None:
        self._writer = writer
        self._wake: SimpleQueue[Request | _Later | _Stop | None] = SimpleQueue()
        self._running = False
        self._signalled = False
        self._deferred = False
        self._is_late = False

    def signal(self) -> None:
        """Have what is queued written; never blocks."""
        if not self._signalled:
            self._signalled = True
            self._tell(None)

    def signal_later(self) -> None:
        """Have what is queued written a little later, or with what is posted next; never blocks."""
        if not self._deferred:
            self._deferred = True
            self._tell(_LATER)

    def ask(self, request: Request) -> None:
        """Have a request answered; never blocks."""
        self._tell(request)

    def wait(
        self,
        act: Callable[[], object] | None,
        seconds: float,
        undo: Callable[[Any], None] | None = None,
        *,
        waits: bool = True,
    ) -> object:
        """What the thread replies, or a `LedgerBusy` after some seconds; for event loops.

        Args:
            act: What the thread does, unless nobody waits for it any more.
            seconds: How long to wait for it; less where the ledger did not answer the last time.
            undo: Called by the thread with a result that came when nobody waited any more.
            waits: It is done once everything queued is written.
        """
        reply: SimpleQueue[object] = SimpleQueue()
        # Whoever takes it first decides: the thread that the result counts, or this one that it does not.
        deciding = _thread.allocate_lock()

        def act_unless_late() -> object:
            return _UNWANTED if deciding.locked() else act and act()

        def answer(result: object) -> None:
            if result is _UNWANTED:
                return
            self._is_late = isinstance(result, LedgerBusy)
            if deciding.acquire(blocking=False):
                reply.put(result)
            elif undo is not None:
                # What cannot be given back now lapses with its lease; the thread goes on.
                with suppress(LedgerError):
                    undo(result)

        seconds = self._patience(seconds)
        self.ask(Request(answer, act_unless_late, waits=waits))
        try:
            return reply.get(timeout=seconds)
        except Empty:
            if not deciding.acquire(blocking=False):
                return reply.get()
            self._is_late = True
            return LedgerBusy(
                f"the ledger {self._writer.place.name} did not answer within {seconds * 1000:.0f} ms: another process"
                " holds the write lock, or the disk is slow"
            )

    def wherever(
        self,
        act: Callable[[float], T],
        loop_wait_s: float,
        undo: Callable[[Any], None] | None = None,
        *,
        waits: bool = True,
    ) -> T:
        """What `act` returns, given how long it may wait: here, or where an event loop is running in the ledger thread.

        Raises:
            LedgerBusy: On an event loop, the ledger did not answer in time.
        """
        if _get_running_loop() is None:
            return act(BUSY_DEADLINE_S)
        seconds = self._patience(loop_wait_s)
        found: Any = self.wait(lambda: act(seconds), seconds, undo, waits=waits)
        if isinstance(found, Exception):
            raise found
        done: T = found
        return done

    def retry(self, wait_s: float, loop_wait_s: float) -> None:
        """Try again to write what is queued, after a write that failed.

        Args:
            wait_s: How long to wait for other processes.
            loop_wait_s: How long an event loop waits for the ledger thread at most.

        Raises:
            LedgerUnavailable: It fails again.
        """
        writer = self._writer
        if _get_running_loop() is None:
            writer.drain(timeout=wait_s)
            return
        result = self.wait(None, loop_wait_s)
        if isinstance(result, LedgerError):
            failure = writer.failure
            raise type(failure)(*failure.args) if failure is not None else result

    async def aflush(self) -> bool:
        """Have everything queued written, without blocking the event loop; whether it is."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[object] = loop.create_future()

        def settle(result: object) -> None:
            if not done.done():
                done.set_result(result)

        def reply(result: object) -> None:
            # The loop may have ended, or given up waiting, meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result)

        self.ask(Request(reply))
        return not isinstance(await done, Exception)

    def stop(self) -> None:
        """End the thread; being told something starts another one."""
        if self._running:
            self._running = self._signalled = self._deferred = False
            self._wake.put(_STOP)

    def _patience(self, seconds: float) -> float:
        return min(seconds, LATE_WAIT_S) if self._is_late else seconds

    def _tell(self, message: Request | _Later | None) -> None:
        if not self._running:
            self._running = True
            _thread.start_new_thread(self._run, ())
        self._wake.put(message)

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException:
            # The next one who tells something starts a new thread.
            self._running = self._signalled = self._deferred = False
            logger.critical("spendgraph: a ledger thread failed", exc_info=True)
            raise

    def _serve(self) -> None:
        writer = self._writer
        waiting: list[Request] = []
        due: float | None = None  # when what is queued is written, if nobody has it written before
        now = kept = time.monotonic()
        pauses: Pauses | None = None
        while True:
            if not writer.keeps_holds:
                kept = now
            elif now - kept >= leases.KEEP_S:  # however much else there is to do
                leases.keep(writer)
                now = kept = time.monotonic()
            message = None
            if due is None or now < due:
                rest = None if due is None else due - now
                if writer.keeps_holds and (rest is None or kept + leases.KEEP_S - now < rest):
                    rest = kept + leases.KEEP_S - now
                try:
                    message = self._wake.get(timeout=rest)
                except Empty:
                    now = time.monotonic()
                    continue
            if isinstance(message, _Stop):
                for request in waiting:  # whoever waits for an answer gets one
                    request.reply(LedgerUnavailable(f"the ledger {writer.place.name} was closed meanwhile"))
                return
            if isinstance(message, _Later):
                # Whatever comes first, the next signal or that moment, has them written.
                now = time.monotonic()
                due = now + _DEFER_S if due is None else min(due, now + _DEFER_S)
                continue
            if message is not None and not message.waits:
                answer = self._answer(message)
                # Whoever waits wakes up with the reply, and for the interpreter's lock until this thread sleeps again:
                # what else there is to do is done before.
                now = time.monotonic()
                message.reply(answer)
                del answer  # an error keeps alive the frames of whoever raises it, prompts and all
                continue
            # Before the queue is looked at: who posts later signals again.
            self._signalled = self._deferred = False
            if message is not None:
                waiting.append(message)
            problem = writer.try_once()
            if isinstance(problem, LedgerBusy):
                pauses = pauses or Pauses()
                if not pauses.over:
                    is_safe = writer.journal.is_ready or pauses.waited_s < UNSAFE_S
                    if not is_safe or len(writer.queued) > QUEUED_AT_MOST:
                        writer.put_aside(problem)
                    now = time.monotonic()
                    due = now + pauses.next()
                    continue
                due = time.monotonic() + random.uniform(0.001, 0.01)  # noqa: S311 - no secret
            else:
                pauses = None
                due = None if problem is None else time.monotonic() + _RETRY_S
            if problem is not None:
                writer.note_failure(problem)
                writer.put_aside(problem)
            for request in waiting:
                request.reply(problem or self._answer(request))
            waiting.clear()
            now = time.monotonic()

    def _answer(self, request: Request) -> object:
        if request.act is None:
            return None
        try:
            return request.act()
        except LedgerError as error:
            return error
