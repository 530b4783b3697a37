"""Telling those who watch budgets which windows a commit has changed.

It happens in the thread that has committed, while the writer's lock is held: whoever watches notes the ids, wakes a thread
of its own and returns. Nothing is built where nobody watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from spendgraph.ledger.records import HeldStep

if TYPE_CHECKING:
    from spendgraph.ledger.records import Record

Watcher = Callable[[frozenset[int]], None]
"""Called with the ids of windows whose spending has changed; it neither blocks nor raises."""


def tell_of(records: Sequence[Record], watchers: Iterable[Watcher]) -> None:
    """Tell of the windows of the steps among records that were just committed."""
    tell({each for record in records if type(record) is HeldStep for each in record.windows}, watchers)


def tell(windows: set[int], watchers: Iterable[Watcher]) -> None:
    """Tell of windows, if there are any."""
    if windows:
        changed = frozenset(windows)
        for watcher in tuple(watchers):  # one may go meanwhile
            watcher(changed)
