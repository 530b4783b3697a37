"""The writers of this process: one per ledger, through forks and to the interpreter's end."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING

from spendgraph.ledger import behind, readings
from spendgraph.ledger.writer import Writer

if TYPE_CHECKING:
    from spendgraph.ledger.place import Place

_lock = threading.Lock()
_users: dict[Writer, int] = {}
_writers: dict[str, Writer] = {}


def acquire(place: Place) -> Writer:
    """The open writer of a ledger, shared by everyone who opens it in this process.

    Raises:
        LedgerError: The file is not a ledger, or a newer spendgraph made it.
        LedgerUnavailable: The file cannot be opened, created or written.
    """
    with _lock:
        writer = _writers.get(place.name) or Writer(place)
        # One that is in use and was deleted is not made anew: a fresh ledger would know of no spending.
        writer.open(create=not _users.get(writer))
        _writers[place.name] = writer
        _users[writer] = _users.get(writer, 0) + 1
        _drain_when_a_worker_ends()
    return writer


def release(writer: Writer) -> None:
    """Close a writer with its last user.

    It stays known: rows posted late, by a task that outlives its meter, are still written and drained.
    """
    with _lock:
        _users[writer] -= 1
        if _users[writer] == 0:
            writer.close()
            if writer.place.in_memory:
                del _writers[writer.place.name], _users[writer]


def _drain_all() -> None:
    for writer in list(_writers.values()):
        writer.close(for_good=False)


def _drain_when_a_worker_ends() -> None:
    """Multiprocessing's workers end without the interpreter's exit functions; they have their own."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _drain_all, exitpriority=100)


class _Workers:
    """What multiprocessing's registry of what runs in a new worker holds on to."""

    def begin(self) -> None:
        """Run in the new worker."""
        _drain_when_a_worker_ends()


_workers = _Workers()
_are_workers_told = False


def _tell_workers() -> None:
    """Have every worker that is forked from now on drain what it inherits, too.

    It forgets what was registered for its end before it runs; this is run by it afterwards.
    """
    global _are_workers_told
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _are_workers_told:
        util.register_after_fork(_workers, _Workers.begin)
        _are_workers_told = True


def _before_fork() -> None:
    _tell_workers()
    behind.before_fork()
    readings.before_fork()  # whoever reads holds no lock of a writer
    _lock.acquire()
    for writer in _writers.values():
        writer.before_fork()


def _after_fork_in_parent() -> None:
    for writer in _writers.values():
        writer.after_fork_in_parent()
    _lock.release()
    readings.after_fork_in_parent()
    behind.after_fork()


def _after_fork_in_child() -> None:
    for writer in _writers.values():
        writer.after_fork_in_child()
    _lock.release()
    readings.after_fork_in_child()
    behind.after_fork()


atexit.register(_drain_all)
os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
