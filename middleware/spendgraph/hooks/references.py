"""What a step's row refers to: its task and its context, written once, before the first row that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger.records import ContextRow, PriceRow, Record, TaskStart

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.context import CostContext
    from spendgraph.hooks.places import Place, Task

_MOST_KEPT = 10_000


class References:
    """Remembers what one meter has written of contexts, prices and tasks.

    Attributes:
        known: Ids of the contexts and prices that are written or queued.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()

    def of(self, place: Place) -> list[Record]:
        """The rows that a step at a place refers to, as far as the ledger may not have them."""
        return [*self.announcement(place.task), *self.introduction(place.context)]

    def all_of(self, place: Place) -> tuple[Record, ...]:
        """The rows that a step at a place refers to, whatever is written or queued."""
        task, own = place.task, _row(place.context)
        if place.context is task.context:  # as nearly always
            return own, _start(task)
        return own, _row(task.context), _start(task)

    def anew(self, place: Place) -> list[Record]:
        """The rows of who pays, whatever is written or queued, and of the task, as far as the ledger may not have it."""
        return [_row(place.context), _row(place.task.context), *self.announcement(place.task)]

    def announcement(self, task: Task) -> list[Record]:
        """The row of a task, unless it is written."""
        if task.announced:
            return []
        return [*self.introduction(task.context), _start(task)]

    def introduction(self, context: CostContext) -> list[ContextRow]:
        """The row of a context, unless it is written."""
        if context.context_id in self.known:
            return []
        return [_row(context)]

    def note(self, records: Iterable[Record], task: Task) -> None:
        """Note what need not be written again, once it is written or queued, and never before.

        From then on another thread's row that names it goes without it.
        """
        if len(self.known) > _MOST_KEPT:
            self.known.clear()
        for record in records:
            if isinstance(record, ContextRow):
                self.known.add(record.context_id)
            elif isinstance(record, PriceRow):
                self.known.add(record.price_id)
            elif isinstance(record, TaskStart):
                task.announced = True


def _start(task: Task) -> TaskStart:
    return TaskStart(
        task.task_id,
        task.parent_task_id,
        task.context.context_id,
        task.thread_id,
        task.graph,
        task.started_us,
    )


def _row(context: CostContext) -> ContextRow:
    return ContextRow(
        context_id=context.context_id,
        feature=context.feature,
        team=context.team,
        workload_class=context.workload_class,
        tenant=context.tenant,
        environment=context.environment,
        user=context.user,
        version=context.version,
        template=context.template,
        template_version=context.template_version,
        workspace=context.workspace,
        project=context.project,
        cost_center=context.cost_center,
        priority=context.priority,
        extra=context.extra_json,
    )
