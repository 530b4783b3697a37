"""What this process has booked and not yet committed, in memory that survives `kill -9`.

A SQLite transaction per step costs a dozen system calls in the caller's path, and even one `write` costs more than
all else that happens at the end of a step. A journal costs a copy: what a step brings is a line stored in the shared
mapping of `<ledger>.journal-<pid>-<id>.jsonl` (mode 0600) before `book` returns, and the ledger thread commits
what was booked some milliseconds later, many lines in one transaction. What is committed is zeroed out, and the
files are removed when the ledger is closed. A store to the mapping is no system call, so an event loop may do it.

The files are written full of zeros before they are mapped, so that a store never needs room on the disk (SQLite maps
its own wal-index with the same care).

Their owner holds a lock on them for life. Who opens the ledger and gets that lock has found the journal of a dead
process, and folds it in (see `dead_journals`).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from spendgraph.ids import new_id
from spendgraph.ledger.file_locks import HAS_LOCKS, open_new, try_lock

if TYPE_CHECKING:
    from collections import deque

    from spendgraph.ledger.place import Place
    from spendgraph.ledger.records import Record

_ROOM: Final = 512 * 1024
"""The bytes of one half: twice what the steps need that may wait for a commit."""


class _Half:
    """One of the two files."""

    __slots__ = ("file", "memory", "path", "used")

    def __init__(self, place: Place) -> None:
        self.used = 0
        while True:
            self.path = f"{place.name}.journal-{os.getpid()}-{new_id()[:8]}.jsonl"
            file = open_new(self.path)
            if file is not None:
                self.file = file
                break
        try:
            _fill(self.file)
            self.memory = mmap.mmap(self.file, _ROOM)
        except BaseException:
            self.remove()
            os.close(self.file)
            raise

    def store(self, line: bytes) -> bool:
        end = self.used + len(line)
        if end > _ROOM:
            return False
        self.memory[self.used : end] = line
        self.used = end
        return True

    def empty(self) -> None:
        self.memory[: self.used] = bytes(self.used)
        self.used = 0

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.path)  # noqa: PTH108 - pathlib may be gone at the interpreter's end

    def close(self) -> None:
        self.memory.close()
        os.close(self.file)


class Journal:
    """The journal of one writer.

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
        """Whether this platform and this ledger can have one: without locks every step is a transaction of its own."""
        return HAS_LOCKS and not self._place.in_memory

    @property
    def is_ready(self) -> bool:
        """Whether its files are there, so that booking is a store to memory and nothing else."""
        return self._active is not None

    def prepare(self) -> None:
        """Make the files.

        Raises:
            OSError: They cannot be made.
        """
        with self.lock:
            if self._active is None:
                resting, active = _Half(self._place), None
                try:
                    active = _Half(self._place)
                finally:
                    if active is None:
                        resting.remove()
                        resting.close()
                self._resting, self._active = resting, active

    def append(self, group: tuple[Record, ...], queued: deque[tuple[Record, ...]]) -> bool:
        """Write a transaction down and queue it, as one act as far as `turn` can tell.

        Returns:
            Whether it fitted; if not, what is booked must be committed first.

        Raises:
            OSError: The files cannot be made.
            TypeError: A record is nothing that JSON can hold.
        """
        line = orjson.dumps([(type(record).__name__, tuple(record)) for record in group]) + b"\n"
        with self.lock:
            if self._active is None:
                self.prepare()
            assert self._active is not None
            if not self._active.store(line):
                return False
            queued.append(group)
            return True

    def turn(self) -> None:
        """Turn to the other half, if all it holds is committed: what is queued now is in this one."""
        if self._active is not None and self._active.used:
            with self.lock:
                if self._resting is not None and not self._resting.used:
                    self._active, self._resting = self._resting, self._active

    def committed(self) -> None:
        """All that was queued at the last `turn` is in the ledger."""
        half = self._resting
        if half is not None and half.used:
            half.empty()

    def remove(self) -> None:
        """Remove the files; booking again makes others."""
        with self.lock:
            for half in (self._active, self._resting):
                if half is not None:
                    half.remove()
            self.forget()

    def forget(self) -> None:
        """Give up the files without removing them: they are the parent process's."""
        halves = (self._active, self._resting)
        self._active = self._resting = None
        for half in halves:
            if half is not None:
                half.close()


def orphans(place: Place) -> list[Path]:
    """The journals of dead processes, oldest first."""
    found: list[tuple[int, Path]] = []
    for path in _journals(place):
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if try_lock(file):
                    found.append((os.fstat(file).st_mtime_ns, path))
            finally:
                os.close(file)
    return [path for _, path in sorted(found)]


def _journals(place: Place) -> list[Path]:
    if place.in_memory or not HAS_LOCKS:
        return []
    home = Path(place.name)
    escaped = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in home.name)
    return [
        path
        for path in home.parent.glob(f"{escaped}.journal-*.jsonl")
        if path.is_file() and not path.is_symlink() and path.lstat().st_uid == os.geteuid()
    ]


def _fill(file: int) -> None:
    """Write a file full of zeros, so that a store to its mapping never needs room on the disk."""
    if os.write(file, bytes(_ROOM)) != _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
