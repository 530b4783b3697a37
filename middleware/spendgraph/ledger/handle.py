"""The connection through which one process writes, to the file that was at the ledger's path when it was opened.

It is for whoever holds the writer's lock. A file that is moved, deleted, replaced or cut short while it is open would
take every row without a word, so each transaction looks at it first: 1 us beside some 50 for the transaction.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn, TypeVar

from spendgraph.errors import LedgerError, LedgerUnavailable
from spendgraph.ledger.connection import is_whole, open_writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from spendgraph.ledger.place import Place
    from spendgraph.ledger.statements import Execute

T = TypeVar("T")


class Handle:
    """A connection that is opened when it is needed.

    Attributes:
        connection: It, while it is open.
    """

    __slots__ = ("_execute", "_inode", "_on_close", "_place", "_size", "connection")

    def __init__(self, place: Place, on_close: Callable[[], None]) -> None:
        self._place = place
        self._on_close = on_close  # the next connection may be to another file
        self.connection: sqlite3.Connection | None = None
        self._execute: Execute | None = None
        self._inode = self._size = 0

    def open(self, *, create: bool = False) -> sqlite3.Connection:
        """The connection, opened if it is not; with `create`, to a ledger that is made where there is none.

        Raises:
            LedgerError: With `create`, the file is not a ledger, or a newer spendgraph made it.
            LedgerUnavailable: The file cannot be opened, created or written, or is no ledger any more.
        """
        if self.connection is not None:
            return self.connection
        place = self._place
        try:
            if not create:
                self._check_not_emptied()
            connection = open_writer(place, create=create)
        except LedgerUnavailable:
            raise
        except LedgerError as error:
            if create:
                raise
            raise LedgerUnavailable(str(error)) from error
        if not place.in_memory:
            status = os.stat(place.name)  # noqa: PTH116 - the same call as in is_in_place
            self._inode, self._size = status.st_ino, status.st_size
        self.connection = connection
        self._execute = connection.cursor().execute
        return connection

    def current(self) -> sqlite3.Connection:
        """The connection, to the file that is at the ledger's path now.

        Raises:
            OSError: The file is not at its path any more.
            LedgerUnavailable: As `open`.
        """
        connection = self.open()
        if not self.is_in_place():
            self._leave()
        return connection

    def is_in_place(self) -> bool:
        """Whether the connection's file is still the one at its path, and nobody has cut it short."""
        if not self._inode:
            return True
        try:
            status = os.stat(self._place.name)  # noqa: PTH116 - Path.stat is slower
        except OSError:
            return False
        if status.st_ino != self._inode:
            return False
        if status.st_size < self._size and not is_whole(self._place):  # else somebody has vacuumed it
            return False
        self._size = status.st_size
        return True

    def transact(self, work: Callable[[Execute], T]) -> T:
        """Do something in a transaction, without waiting for other processes.

        Raises:
            sqlite3.Error: It failed; nothing was done.
            OSError: The file is not at its path any more.
            LedgerUnavailable: As `open`.
        """
        execute = self._execute
        if execute is None:
            self.open()
            execute = self._execute
            assert execute is not None
        if not self.is_in_place():
            self._leave()
        execute("BEGIN IMMEDIATE")
        try:
            result = work(execute)
            execute("COMMIT")
        except BaseException:
            if self.connection is not None and self.connection.in_transaction:
                execute("ROLLBACK")
            raise
        return result

    def give_up(self) -> None:
        """Close a connection that failed: a new one finds a ledger that was repaired or put back."""
        if not self._place.in_memory:  # which would be gone with its connection
            self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self.connection, self._execute = self.connection, None, None
        self._on_close()
        if connection is not None:
            connection.close()

    def _leave(self) -> NoReturn:
        self.close()
        raise OSError("its file was moved, deleted, replaced or cut short")

    def _check_not_emptied(self) -> None:
        """Opening an empty file would make a ledger in which nothing was ever spent."""
        place = self._place
        try:
            is_empty = not place.in_memory and not os.stat(place.name).st_size  # noqa: PTH116 - as above
        except OSError:
            return  # opening it says what is wrong
        if is_empty:
            raise LedgerUnavailable(
                f"the ledger {place.name} was emptied while it was in use: restore it from a backup"
            )
