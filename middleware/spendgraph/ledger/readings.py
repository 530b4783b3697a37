"""The connections through which this process reads, none of which lives through a fork.

SQLite keeps the locks of a process by file, not by connection: one connection that is open while the process forks has
the child believe that it holds locks which it does not, in every connection it opens to that file afterwards. A fork
therefore waits a moment for what is being read, and ends what takes longer.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

logger = logging.getLogger(__name__)

_PATIENCE_S: Final = 0.25
"""How long a fork waits for a question before it interrupts it."""

_END_S: Final = 5.0
"""How long the end of a question that was interrupted is waited for."""

_POLL_S: Final = 0.0005


class Reading(sqlite3.Connection):
    """A connection that only reads; it is known until it is closed.

    Attributes:
        thread: The thread that opened it.
        is_stopped: A fork has ended it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.thread = threading.get_ident()
        self.is_stopped = False
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()
        _open[id(self)] = weakref.ref(self)

    def cursor(self, *args: Any, **options: Any) -> Any:
        """A cursor; none once a fork has ended the connection."""
        if self.is_stopped:
            raise sqlite3.OperationalError("interrupted")
        cursor = super().cursor(*args, **options)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """Close it."""
        super().close()
        _open.pop(id(self), None)

    def stop(self) -> None:
        """Have the thread that reads fail at its next or present statement; from another thread."""
        self.is_stopped = True
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed meanwhile
            self.interrupt()

    def end(self) -> None:
        """Close it under its reader: with a statement left open, SQLite would keep the file open too."""
        self.is_stopped = True
        for cursor in list(self._cursors):
            with contextlib.suppress(sqlite3.Error):  # in the middle of a statement, in another thread
                cursor.close()
        self.close()


_open: dict[int, weakref.ref[Reading]] = {}

_connecting = threading.RLock()
"""Held while a connection is made and, by a fork, until it is over."""


def connect(make: Callable[[], T]) -> T:
    """Make a connection, after a fork that is under way."""
    with _connecting:
        return make()


def before_fork() -> None:
    """Have every connection closed, and no new one made; what calls it ends with `after_fork_in_parent` or `_in_child`."""
    _connecting.acquire()
    own = threading.get_ident()
    begun = time.monotonic()
    while found := [reading for ref in list(_open.values()) if (reading := ref()) is not None]:
        waited = time.monotonic() - begun
        is_over = waited > _END_S + _PATIENCE_S
        for reading in found:
            if reading.thread == own or is_over:
                reading.end()
            elif waited > _PATIENCE_S:
                reading.stop()
        if is_over:
            logger.error(
                "spendgraph: a process forked while a ledger was being read; %d readers did not end",
                len(found),
            )
            break
        del reading, found  # a reader that is dropped closes its connection
        time.sleep(_POLL_S)


def after_fork_in_parent() -> None:
    """Go on."""
    _connecting.release()


def after_fork_in_child() -> None:
    """Go on; the threads that read are not there."""
    global _connecting
    _open.clear()
    _connecting = threading.RLock()
