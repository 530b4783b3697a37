"""The runs of one meter, each known for as long as LangChain still refers to its id.

A child is told its parent's id, nothing else; background work may be told long after the parent has ended. So
a run is kept exactly while its id object lives: configs, managers and contexts that can still name it hold it,
and nothing here does. When the id dies while the run has not ended, its end can never be heard any more (a
cancelled or timed-out call emits none): the run is lost, and that is the moment to book it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spendgraph.hooks.places import Run


def number_of(run_id: Any) -> int:
    """A run's id as a number: quicker to look up than the id itself."""
    try:
        number: int = run_id.int
    except AttributeError:
        return hash(run_id)
    return number


class _Key(weakref.ref[Any]):
    """A weak reference to a run's id that remembers where the run is kept."""

    __slots__ = ("number",)
    number: int


class RunMemory:
    """Runs by their ids.

    Args:
        on_lost: Called with a run whose end can never be heard; it may be called wherever the collector runs.
    """

    def __init__(self, on_lost: Callable[[Run], None]) -> None:
        self._runs: dict[int, Run] = {}
        self._on_lost = on_lost
        self._on_death = self._forget

    def get(self, run_id: Any) -> Run | None:
        """The run with this id, ended or not, if it is known."""
        if run_id is None:
            return None
        try:  # as `number_of`: a run is asked for at every event, of itself and of its parent
            return self._runs.get(run_id.int)
        except AttributeError:
            return self._runs.get(hash(run_id))

    def keep(self, run_id: Any, run: Run) -> None:
        """Remember a run for the lifetime of its id; an ended one of the same id is forgotten.

        An id that is no UUID (callers may give text) has no lifetime of its own: its run is known until it ends.
        """
        number = number_of(run_id)
        try:
            run.key = key = _Key(run_id, self._on_death)
            key.number = number
        except TypeError:
            run.key = None
        self._runs[number] = run

    def drop(self, run_id: Any) -> None:
        """Forget a run that has ended and that nothing runs below."""
        run = self._runs.pop(number_of(run_id), None)
        if run is not None:
            run.key = None

    def __iter__(self) -> Iterator[Run]:
        """The runs known now."""
        return iter(list(self._runs.values()))

    def __len__(self) -> int:
        """How many runs are known now."""
        return len(self._runs)

    def _forget(self, key: _Key) -> None:
        run = self._runs.get(key.number)
        if run is None or run.key is not key:
            return
        del self._runs[key.number]
        if not run.ended:
            self._on_lost(run)
