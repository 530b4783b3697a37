"""What this process has booked and not yet committed, in a file that survives `kill -9`.

A SQLite transaction per step costs a dozen system calls in the caller's path. A journal costs one: what a step
brings is a line appended to `<ledger>.journal-<pid>-<id>.jsonl` (mode 0600) before `book` returns, and the ledger
thread commits what was booked some milliseconds later, many lines in one transaction. The file is emptied
after each commit and removed when the ledger is closed.

Its owner holds a lock on it for life. Who opens the ledger and gets that lock has found the journal of a dead
process, and folds it in: a step is written once however often it is read, because its id is unique. A line
that was torn by the kill was never acknowledged and is left out.

On a running event loop there is no journal, because a loop's thread must not touch a file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import orjson

from spendgraph.ids import new_id
from spendgraph.ledger.records import Record
from spendgraph.ledger.statements import AGAIN

try:
    import fcntl
except ImportError:  # no such locks on this platform: every step is a transaction of its own
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import sqlite3
    from collections import deque

    from spendgraph.ledger.place import Place

logger = logging.getLogger(__name__)

_STATEMENTS = {kind.__name__: statements for kind, statements in AGAIN.items()}
_WIDTHS: dict[str, int] = {kind.__name__: len(kind._fields) for kind in get_args(Record)}


class Journal:
    """The journal of one writer; its file is made when something is first booked.

    Args:
        place: Where the ledger is.
    """

    __slots__ = ("_file", "_lines", "_path", "_place", "lock")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._file = -1
        self._path = ""
        self._lines = 0
        # Reentrant: the collector may run a finalizer that books a step in the middle of another's.
        self.lock = threading.RLock()

    @property
    def is_possible(self) -> bool:
        """Whether this platform and this ledger can have one."""
        return fcntl is not None and not self._place.in_memory

    def append(self, group: tuple[Record, ...], queued: deque[tuple[Record, ...]]) -> None:
        """Write a transaction down and queue it, so that the journal is not emptied before it is committed.

        Raises:
            OSError: The file cannot be written.
            TypeError: A record is nothing that JSON can hold.
        """
        line = orjson.dumps([(type(record).__name__, tuple(record)) for record in group]) + b"\n"
        with self.lock:
            if self._file < 0:
                self._create()
            written = os.write(self._file, line)
            if written != len(line):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise OSError("the disk is full")
            self._lines += 1
            queued.append(group)

    def empty_after(self, queued: deque[tuple[Record, ...]]) -> None:
        """Empty the file after a commit, unless something is queued again."""
        if self._lines:
            with self.lock:
                if not queued:
                    self._lines = 0
                    os.ftruncate(self._file, 0)

    def remove(self) -> None:
        """Remove the file; booking again makes another."""
        with self.lock:
            if self._file >= 0:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)  # noqa: PTH108 - pathlib may be gone at the interpreter's end
                self.forget()

    def forget(self) -> None:
        """Give up the file without removing it: it is the parent process's, or holds what cannot be written."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        self._lines = 0

    def _create(self) -> None:
        while True:
            path = f"{self._place.name}.journal-{os.getpid()}-{new_id()[:8]}.jsonl"
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            # Somebody who opens the ledger just now may have taken it for a dead process's, and removed it.
            if _lock(file) and _is_at(file, path):
                self._file, self._path = file, path
                return
            os.close(file)


def orphans(place: Place) -> list[Path]:
    """The journals of dead processes, oldest first."""
    found: list[tuple[int, Path]] = []
    for path in _journals(place):
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _lock(file):
                    found.append((os.fstat(file).st_mtime_ns, path))
            finally:
                os.close(file)
    return [path for _, path in sorted(found)]


def fold_in(path: Path, connection: sqlite3.Connection) -> int | None:
    """Write a dead process's journal to the ledger and remove it.

    Returns:
        How many of its steps are in the ledger now, or `None` where its owner is alive after all.

    Raises:
        OSError: The file cannot be read.
        sqlite3.Error: The ledger cannot be written; the journal stays.
    """
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not _lock(file) or not _is_at(file, str(path)):
            return None
        records = [record for line in path.read_bytes().splitlines() for record in _read(line)]
        connection.execute("BEGIN IMMEDIATE")
        try:
            for kind, row in records:
                for sql in _STATEMENTS[kind]:
                    connection.execute(sql, row)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        path.unlink()
        return sum(kind == "StepRow" for kind, _ in records)
    finally:
        os.close(file)


def _journals(place: Place) -> list[Path]:
    if place.in_memory or fcntl is None:
        return []
    home = Path(place.name)
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in home.name)
    return [
        path
        for path in home.parent.glob(f"{escaped}.journal-*.jsonl")
        if path.is_file() and not path.is_symlink() and path.lstat().st_uid == os.geteuid()
    ]


def _read(line: bytes) -> list[tuple[str, list[Any]]]:
    """The records of a line; none of a line that was torn."""
    try:
        group: object = orjson.loads(line)
        return [(kind, row) for kind, row in group if len(row) == _WIDTHS[kind]]  # type: ignore[attr-defined]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return []


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: str) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(file).st_ino  # noqa: PTH116 - as everywhere in this room
    except FileNotFoundError:
        return False
