"""SQLite connections of a ledger: how they are opened, and what their errors mean."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from spendgraph.errors import LedgerBusy, LedgerError, LedgerUnavailable
from spendgraph.ledger.place import Place, check_file, prepare
from spendgraph.ledger.readings import Reading, connect
from spendgraph.ledger.upgrade import ensure_schema, pending_migrations

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LOOP_WAIT_S: Final = 0.025
"""How long an event loop waits for the ledger thread, where nobody says."""

BUSY_DEADLINE_S: Final = 5.0
"""How long a write waits for other processes before it gives up with `LedgerBusy`."""

_CHECKPOINT_S: Final = 0.05
"""How long a file that is shorter than it says may be one that a checkpoint is making longer."""

_SAID: Final = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

_FIRST_PAUSE_S: Final = 0.0002
_LONGEST_PAUSE_S: Final = 0.003

_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "free some disk space",
    sqlite3.SQLITE_READONLY: "make the file and its directory writable for this process",
    sqlite3.SQLITE_PERM: "make the file and its directory writable for this process",
    sqlite3.SQLITE_CANTOPEN: "check that the file and its directory exist and are writable for this process",
    sqlite3.SQLITE_IOERR: "check the disk",
    sqlite3.SQLITE_CORRUPT: "run `spendgraph verify` and restore the file from a backup",
    sqlite3.SQLITE_NOTADB: "give the path of a ledger, or restore the file from a backup",
    sqlite3.SQLITE_BUSY: "another process holds the write lock; try again, or find out who holds it",
    sqlite3.SQLITE_LOCKED: "another reader holds the table; try again",
}


def open_writer(place: Place, *, create: bool = True) -> sqlite3.Connection:
    """A connection in autocommit mode that may be used from any thread, to a ledger with today's schema.

    It waits for nobody by itself (`busy_timeout` starves writers): `pauses` is the way to wait.

    Raises:
        LedgerError: The file is not a ledger, or a newer spendgraph made it.
        LedgerUnavailable: The file cannot be opened, created or written.
    """
    if create:
        prepare(place)
    elif not place.in_memory:
        check_file(place)
    return insist(lambda: _open_writer(place), place)


def open_reader(place: Place) -> Reading:
    """A connection that only reads, with rows by name.

    Raises:
        LedgerError: The file is not a ledger, or its schema is not of this version.
        LedgerUnavailable: The file cannot be read.
    """
    if not place.in_memory:
        check_file(place)
    return insist(lambda: _open_reader(place), place)


def is_whole(place: Place) -> bool:
    """Whether a file that has become shorter has all the pages it says it has, as after a VACUUM; else it was cut short.

    Of the file alone, whatever is in the WAL: a checkpoint leaves a file that is whole, and one that is writing it now is over soon.
    """
    waiting = Pauses(_CHECKPOINT_S)
    while True:
        with suppress(sqlite3.Error, OSError):  # SQLite refuses a file that says more than there is
            with closing(sqlite3.connect(f"{place.readonly_uri}&immutable=1", uri=True)) as connection:
                (said,) = connection.execute(_SAID).fetchone()
            if 0 < said <= Path(place.name).stat().st_size:
                return True
        if waiting.over:
            return False
        waiting.sleep()


def insist(act: Callable[[], T], place: Place) -> T:
    """Do something with SQLite until no other process is in its way.

    Raises:
        LedgerError: The file is no database.
        LedgerBusy: Others were in the way for five seconds.
        LedgerUnavailable: SQLite failed for another reason.
    """
    waiting = Pauses()
    while True:
        try:
            return act()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
                raise LedgerError(
                    f"{place.name} is not a SQLite database, or is damaged at its start; restore the ledger from a"
                    " backup or give another path"
                ) from error
            problem = diagnose(error, place)
            if not isinstance(problem, LedgerBusy) or waiting.over:
                raise problem from error
        waiting.sleep()


class Pauses:
    """Random pauses between attempts, growing from 0.2 to 3 ms, so that no process starves."""

    __slots__ = ("_begun", "_deadline", "_longest")

    def __init__(self, deadline_s: float = BUSY_DEADLINE_S) -> None:
        self._begun = time.monotonic()
        self._deadline = self._begun + deadline_s
        self._longest = _FIRST_PAUSE_S

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._deadline

    @property
    def waited_s(self) -> float:
        """How many seconds ago the first attempt was."""
        return time.monotonic() - self._begun

    def next(self) -> float:
        """The seconds to wait before the next attempt."""
        pause = random.uniform(_FIRST_PAUSE_S / 2, self._longest)  # noqa: S311 - no secret
        self._longest = min(self._longest * 2, _LONGEST_PAUSE_S)
        return pause

    def sleep(self) -> None:
        """Wait before the next attempt."""
        time.sleep(self.next())


def diagnose(error: Exception, place: Place) -> LedgerUnavailable:
    """What an error of SQLite or the operating system means for the user of a ledger."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind = LedgerBusy if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} else LedgerUnavailable
    advice = _ADVICE.get(code, "check the file and its directory")
    return kind(f"the ledger {place.name} is not available: {error}; {advice}")


def _open_writer(place: Place) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place.uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        if pending_migrations(connection, place.name) is None and not place.in_memory:
            connection.execute("PRAGMA journal_mode = WAL")
        ensure_schema(connection, place.name)
        if not place.in_memory:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 10000")
        connection.execute("PRAGMA foreign_keys = ON")
        # What a statement keeps aside is small; by default RETURNING opens a file for it each time.
        connection.execute("PRAGMA temp_store = MEMORY")
        if not connection.execute("SELECT 1 FROM settings WHERE key = 'secret'").fetchone():
            connection.execute(
                "INSERT INTO settings (key, value) VALUES ('secret', ?) ON CONFLICT (key) DO NOTHING",
                (secrets.token_hex(32),),
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _open_reader(place: Place) -> Reading:
    def make() -> Reading:
        return sqlite3.connect(
            place.readonly_uri,
            uri=True,
            timeout=5,
            isolation_level=None,
            check_same_thread=False,
            factory=Reading,
        )

    connection = connect(make)
    try:
        connection.row_factory = sqlite3.Row
        _require_schema(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_schema(connection: sqlite3.Connection, place: Place) -> None:
    pending = pending_migrations(connection, place.name)
    if pending is None:
        raise LedgerError(f"{place.name} is empty: nothing has been written to this ledger yet")
    if pending:
        raise LedgerError(
            f"the ledger {place.name} was made by an older version of spendgraph; open it once for writing"
            " (any run of your agent does) to bring it up to date"
        )
