"""The ledger thread: writes what event loops have posted, and answers their questions.

It is started with `_thread`, because `threading.Thread.start` waits for an event, which the thread of an
event loop must not. Everything it is told travels through a `SimpleQueue`.
"""

from __future__ import annotations

import _thread
import logging
import random
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from spendgraph.errors import LedgerBusy, LedgerError
from spendgraph.ledger import keeping
from spendgraph.ledger.connection import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.ledger.writer import Writer

logger = logging.getLogger(__name__)

_RETRY_S: Final = 1.0
"""How often a ledger that failed is tried again."""

_DEFER_S: Final = 0.05
"""How long deferred rows wait for others to be written with."""


class Request:
    """Something done once everything queued before it is written.

    `reply` is called in the ledger thread with what `act` returns, or with the error.
    """

    __slots__ = ("act", "reply")

    def __init__(self, reply: Callable[[Any], None], act: Callable[[], object] | None = None) -> None:
        self.reply = reply
        self.act = act


class _Stop:
    """Ends the thread."""


class _Later:
    """Rows are queued which may wait a little."""


_STOP: Final = _Stop()
_LATER: Final = _Later()


class LedgerThread:
    """The thread of one writer; it starts when it is first told something."""

    __slots__ = ("_deferred", "_running", "_signalled", "_wake", "_writer")

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._wake: SimpleQueue[Request | _Later | _Stop | None] = SimpleQueue()
        self._running = False
        self._signalled = False
        self._deferred = False

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

    def stop(self) -> None:
        """End the thread; being told something starts another one."""
        if self._running:
            self._running = False
            self._wake.put(_STOP)

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
        pause: float | None = None
        pauses: Pauses | None = None
        kept = time.monotonic()
        while True:
            # By the clock, not at a silence: a busy process has none, and its long calls need their leases.
            if writer.keeps_holds and not waiting and time.monotonic() - kept >= keeping.KEEP_S:
                keeping.keep(writer)
                kept = time.monotonic()
            try:
                message = self._wake.get(timeout=pause or (keeping.KEEP_S if writer.keeps_holds else None))
            except Empty:
                message = None
            if isinstance(message, _Stop):
                return
            if isinstance(message, _Later):
                # Whatever comes first, the next signal or the end of the pause, has them written.
                pause = _DEFER_S
                continue
            # Before the queue is looked at: who posts later signals again.
            self._signalled = self._deferred = False
            if message is not None:
                waiting.append(message)
            problem = writer.try_once()
            if isinstance(problem, LedgerBusy):
                pauses = pauses or Pauses()
                if not pauses.over:
                    pause = pauses.next()
                    continue
                pause = random.uniform(0.001, 0.01)  # noqa: S311 - no secret
            else:
                pauses = None
                pause = None if problem is None else _RETRY_S
            if problem is not None:
                writer.failure = problem
            for request in waiting:
                request.reply(problem or self._answer(request))
            waiting.clear()

    def _answer(self, request: Request) -> object:
        if request.act is None:
            return None
        try:
            return request.act()
        except LedgerError as error:
            return error
