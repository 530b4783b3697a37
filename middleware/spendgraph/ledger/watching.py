"""Telling those who watch budgets which windows a commit has changed.

It happens in the thread that has committed, while the writer's lock is held: whoever watches notes the ids, wakes a thread
of its own and returns. Nothing is built where nobody watches.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import orjson

from spendgraph.ledger.records import HeldStep, UnheldStep

if TYPE_CHECKING:
    import sqlite3

    from spendgraph.ledger.records import Record
    from spendgraph.ledger.statements import Execute

Watcher = Callable[[frozenset[int]], None]
"""Called with the ids of windows whose spending has changed; it neither blocks nor raises."""

Tell = Callable[[set[int]], None]
"""Called with the ids of windows that a commit has changed, after it."""

_WRITTEN: Final = "SELECT coalesce(max(seq), 0) FROM steps"

_CHANGED: Final = """\
SELECT DISTINCT m.window_id FROM steps AS s JOIN step_windows AS m ON m.step_id = s.step_id WHERE s.seq > ?"""

_OF_STEPS: Final = """\
SELECT DISTINCT window_id FROM step_windows WHERE step_id IN (SELECT value FROM json_each(?))"""


class Watchers:
    """Those who watch the commits of one process.

    What is folded in comes mostly before anybody watches, when the ledger is opened: it is told to each who comes later.
    """

    __slots__ = ("_folded", "_watchers")

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._folded: set[int] = set()

    def __len__(self) -> int:
        return len(self._watchers)

    def add(self, watcher: Watcher) -> None:
        """Tell somebody of each commit from now on, and of what was folded in before."""
        self._watchers.append(watcher)
        if self._folded:
            watcher(frozenset(self._folded))

    def remove(self, watcher: Watcher) -> None:
        """Undo `add`."""
        with contextlib.suppress(ValueError):
            self._watchers.remove(watcher)

    def tell(self, windows: set[int]) -> None:
        """Tell of windows, if there are any."""
        if windows:
            changed = frozenset(windows)
            for watcher in tuple(self._watchers):  # one may go meanwhile
                watcher(changed)

    def tell_folded(self, windows: set[int]) -> None:
        """Tell of the windows of what other processes, or this one in an outage, have left."""
        self._folded |= windows
        self.tell(windows)

    def windows_of(self, records: Sequence[Record], execute: Execute) -> set[int]:
        """The windows of the steps among records that a transaction has written; none where nobody watches."""
        if not self._watchers:
            return set()
        windows = {each for record in records if type(record) is HeldStep for each in record.windows}
        if unheld := [record.step[0] for record in records if type(record) is UnheldStep]:
            # Nobody knew the ids of their windows.
            windows |= _first(execute(_OF_STEPS, (orjson.dumps(unheld).decode(),)))
        return windows


@contextmanager
def noting(execute: Execute) -> Generator[set[int]]:
    """The windows that the steps count in which are written inside of it: complete at its end, in a transaction."""
    changed: set[int] = set()
    (seq,) = execute(_WRITTEN).fetchone()
    yield changed
    changed.update(_first(execute(_CHANGED, (seq,))))


def _first(rows: sqlite3.Cursor) -> set[int]:
    return {window_id for (window_id,) in rows}
