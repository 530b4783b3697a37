"""The envelopes that this process's tasks have taken: kept for their steps, and given back when the task pauses or ends."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple

from spendgraph.errors import LedgerError
from spendgraph.ledger.records import EnvelopeRelease

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.hooks.places import Task
    from spendgraph.ledger import Envelope, Ledger

logger = logging.getLogger(__name__)


class Taker(NamedTuple):
    """Which run of which gate took an envelope.

    Attributes:
        gate: The gate in this process.
        name: Its name, in any process.
        task_id: The task it was taken for.
        namespace: LangGraph's checkpoint namespace of the gate's run; empty outside of a graph.
        superstep: LangGraph's step.
    """

    gate: str
    name: str
    task_id: str
    namespace: str
    superstep: int | None

    @property
    def key(self) -> str:
        """What this run is known by: going on with the thread elsewhere, after a crash, runs under the same namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.gate

    def replaces(self, other: Taker) -> bool:
        """Whether this run asks for what the other one has: the same gate, run again, not beside it in another branch."""
        return (
            (self.gate, self.task_id) == (other.gate, other.task_id)
            and self.namespace.rpartition("|")[0] == other.namespace.rpartition("|")[0]
            and (self.superstep != other.superstep or self.namespace == other.namespace)
        )


class Turn:
    """One run of a gate, which may be given up while a thread is still at it."""

    __slots__ = ("envelope_id", "is_given_up", "task")

    def __init__(self) -> None:
        self.task: Task | None = None
        self.envelope_id = ""
        self.is_given_up = False


class Envelopes:
    """Knows which envelopes are out.

    Args:
        ledger: Where they are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._out: dict[str, Taker] = {}
        # Reentrant: a task whose run was lost may end wherever the collector runs.
        self._changing = threading.RLock()

    def replaced_by(self, task: Task, taker: Taker) -> tuple[str, ...]:
        """The ids of the task's envelopes in whose place this run takes another."""
        with self._changing:
            out = [(each.envelope_id, self._out.get(each.envelope_id)) for each in task.envelopes]
        return tuple(each for each, by in out if by is not None and taker.replaces(by))

    def keep(
        self, task: Task, envelope: Envelope, taker: Taker, replaced: tuple[str, ...], turn: Turn
    ) -> None:
        """Let the task's steps draw from an envelope from now on; if nobody waits for it any more, give it back."""
        with self._changing:
            for each in replaced:
                self._out.pop(each, None)
            kept = tuple(each for each in task.envelopes if each.envelope_id not in replaced)
            is_late = turn.is_given_up or task.is_over
            if not is_late:
                self._out[envelope.envelope_id] = taker
                turn.task, turn.envelope_id = task, envelope.envelope_id
                kept = (*kept, envelope)
            task.envelopes = kept
        if is_late:
            self._release((envelope.envelope_id,))

    def give_up(self, turn: Turn) -> None:
        """Whoever ran the gate was cancelled: what it has taken, or will take yet, goes back."""
        with self._changing:
            turn.is_given_up = True
            task, envelope_id = turn.task, turn.envelope_id
            if task is None:
                return
            task.envelopes = tuple(each for each in task.envelopes if each.envelope_id != envelope_id)
            self._out.pop(envelope_id, None)
        self._release((envelope_id,))

    def give_back(self, task: Task, *, is_over: bool = True) -> None:
        """The task pauses or is over: what it has not used goes back. What its calls under way hold is theirs."""
        if is_over:
            task.is_over = True
        if not task.envelopes:
            return
        with self._changing:
            mine = [
                each.envelope_id
                for each in task.envelopes
                if each.envelope_id in self._out and self._out[each.envelope_id].task_id == task.task_id
            ]
            task.envelopes = ()
            for envelope_id in mine:
                del self._out[envelope_id]
        self._release(mine)

    def close(self) -> None:
        """Give everything back: the meter is closed."""
        with self._changing:
            out = list(self._out)
            self._out.clear()
        self._release(out)

    def _release(self, envelope_ids: Iterable[str]) -> None:
        for envelope_id in envelope_ids:
            try:
                self._ledger.book(EnvelopeRelease(envelope_id))
            except (
                LedgerError
            ) as error:  # it stays queued, or its lease runs out: an end must not fail for that
                logger.error("spendgraph: an envelope could not be given back yet: %s", error)  # noqa: TRY400 - one line
