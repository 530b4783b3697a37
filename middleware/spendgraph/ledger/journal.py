"""What this process has booked and not yet committed, in a file that survives `kill -9`.

A SQLite transaction per step costs a dozen system calls in the caller's path. A journal costs one: what a step
brings is a line appended to `<ledger>.journal-<pid>-<id>.jsonl` (mode 0600) before `book` returns, and the ledger
thread commits what was booked some milliseconds later, many lines in one transaction. What is committed is
emptied out, and the files are removed when the ledger is closed.

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

fcntl: Any
try:
    import fcntl
except ImportError:  # no such locks on this platform: every step is a transaction of its own
    fcntl = None

if TYPE_CHECKING:
    import sqlite3
    from collections import deque

    from spendgraph.ledger.place import Place

logger = logging.getLogger(__name__)

_STATEMENTS = {kind.__name__: statements for kind, statements in AGAIN.items()}
_WIDTHS: dict[str, int] = {kind.__name__: len(kind._fields) for kind in get_args(Record)}


class _Half:
    """One of the two files."""

    __slots__ = ("file", "lines", "path")

    def __init__(self, place: Place) -> None:
        self.lines = 0
        while True:
            self.path = f"{place.name}.journal-{os.getpid()}-{new_id()[:8]}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self.file = os.open(self.path, flags, 0o600)
            # Somebody who opens the ledger just now may have taken it for a dead process's, and removed it.
            if _lock(self.file) and _is_at(self.file, self.path):
                return
            os.close(self.file)

    def empty(self) -> None:
        os.ftruncate(self.file, 0)
        self.lines = 0


class Journal:
    """The journal of one writer; its files are made when something is first booked.

    It has two halves. Before a commit the writer turns to the other half, so that the first holds nothing but
    what is being committed and can be emptied afterwards, however fast others go on booking.

    Args:
        place: Where the ledger is.
    """

    __slots__ = ("_active", "_place", "_resting", "lock")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._active: _Half | None = None
        self._resting: _Half | None = None
        # Reentrant: the collector may run a finalizer that books a step in the middle of another's.
        self.lock = threading.RLock()

    @property
    def is_possible(self) -> bool:
        """Whether this platform and this ledger can have one."""
        return fcntl is not None and not self._place.in_memory

    def append(self, group: tuple[Record, ...], queued: deque[tuple[Record, ...]]) -> None:
        """Write a transaction down and queue it, as one act as far as `turn` can tell.

        Raises:
            OSError: The file cannot be written.
            TypeError: A record is nothing that JSON can hold.
        """
        line = orjson.dumps([(type(record).__name__, tuple(record)) for record in group]) + b"\n"
        with self.lock:
            half = self._active
            if half is None:
                self._resting = _Half(self._place)
                half = self._active = _Half(self._place)
            written = os.write(half.file, line)
            if written != len(line):
                os.ftruncate(half.file, os.fstat(half.file).st_size - written)
                raise OSError("the disk is full")
            half.lines += 1
            queued.append(group)

    def turn(self) -> None:
        """Turn to the other half, if all it holds is committed: what is queued now is in this one."""
        if self._active is not None and self._active.lines:
            with self.lock:
                if self._resting is not None and not self._resting.lines:
                    self._active, self._resting = self._resting, self._active

    def committed(self) -> None:
        """All that was queued at the last `turn` is in the ledger."""
        half = self._resting
        if half is not None and half.lines:
            half.empty()

    def remove(self) -> None:
        """Remove the files; booking again makes others."""
        with self.lock:
            for half in (self._active, self._resting):
                if half is not None:
                    with contextlib.suppress(OSError):
                        os.unlink(half.path)  # noqa: PTH108 - pathlib may be gone at the interpreter's end
            self.forget()

    def forget(self) -> None:
        """Give up the files without removing them: they are the parent process's."""
        for half in (self._active, self._resting):
            if half is not None:
                os.close(half.file)
        self._active = self._resting = None


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
