"""Questions to a ledger that nobody waits for, each answered by a thread and a connection of its own.

What a process wants to know of its past when it starts must delay neither its first call nor its ledger thread.
A question ends with its ledger, and does not live through a fork: SQLite's locks would not. It is asked again then, in
both processes.
"""

from __future__ import annotations

import _thread
import logging
import sqlite3
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from spendgraph.errors import LedgerError
from spendgraph.ledger.connection import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.ledger.place import Place

logger = logging.getLogger(__name__)

_END_S: Final = 5.0
"""How long the end of a question that was stopped is waited for."""


class Question:
    """One question, asked when it is made."""

    def __init__(
        self, place: Place, ask: Callable[[sqlite3.Connection], Any], tell: Callable[[Any], None]
    ) -> None:
        self._place = place
        self._ask = ask
        self._tell = tell
        self._changing = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_stopped = False
        self._over = threading.Event()
        _questions.add(self)
        _thread.start_new_thread(self._run, ())

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is answered, given up or stopped; whether it is. Not for event loops."""
        return self._over.wait(timeout)

    def stop(self) -> None:
        """Interrupt it and wait for its end; what it had found is not told."""
        with self._changing:
            self._is_stopped = True
            if self._connection is not None:
                self._connection.interrupt()
        self._over.wait(_END_S)

    def again(self) -> None:
        """Ask once more, after a fork."""
        self._changing = threading.Lock()
        self._connection = None
        self._is_stopped = False
        self._over = threading.Event()
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        try:
            connection = open_reader(self._place)
            try:
                with self._changing:
                    if self._is_stopped:
                        return
                    self._connection = connection
                found = self._ask(connection)
            finally:
                with self._changing:
                    self._connection = None
                    connection.close()
            if not self._is_stopped:
                self._tell(found)
        except (LedgerError, sqlite3.Error) as error:
            if not self._is_stopped:  # nobody waits for the answer: what it was for does without
                logger.warning("spendgraph: a question to the ledger was not answered: %s", error)
        finally:
            self._over.set()


class Behind:
    """The questions of one open ledger.

    Args:
        place: Where the ledger is; one in memory has no past, and answers nothing.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._asked: list[Question] = []

    def ask(self, ask: Callable[[sqlite3.Connection], Any], tell: Callable[[Any], None]) -> Question | None:
        """Ask something, without waiting.

        Args:
            ask: Asks it, on a connection that only reads, in another thread.
            tell: Called with the answer, in that thread.

        Returns:
            The question, which can be waited for; `None` where there is nobody to ask.
        """
        if self._place.in_memory:
            return None
        question = Question(self._place, ask, tell)
        self._asked.append(question)
        return question

    def stop(self) -> None:
        """End what is still open."""
        while self._asked:
            self._asked.pop().stop()


_questions: weakref.WeakSet[Question] = weakref.WeakSet()
_stopped: list[Question] = []


def before_fork() -> None:
    """Stop what is asked."""
    for question in list(_questions):
        if not question.wait(0):
            question.stop()
            _stopped.append(question)


def after_fork() -> None:
    """Ask it again, in both processes."""
    while _stopped:
        _stopped.pop().again()
