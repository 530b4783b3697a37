"""Writing what steps bring: each row with what it refers to, once, and never raising at an end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from spendgraph.errors import LedgerError, LedgerUnavailable
from spendgraph.hooks.references import References
from spendgraph.ledger.records import PriceRow, Record, TaskEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.hooks.places import OpenStep, Task
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.records import StepRow, TaskStatus
    from spendgraph.pricing import Price

logger = logging.getLogger(__name__)


class Posting:
    """Writes the rows of one meter.

    Attributes:
        references: What is written of contexts, prices and tasks.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.references = References()
        self._ledger = ledger

    def step(
        self,
        step: OpenStep,
        row: StepRow,
        booked: Record,
        price: Price | None,
        *,
        end_task: TaskStatus | None,
        is_overrun: bool,
    ) -> None:
        """Write a step's row.

        Args:
            step: The step.
            row: Its row.
            booked: The row with what was held for it.
            price: What it was charged at.
            end_task: The task ends with this step.
            is_overrun: It takes more room than was held, and must count before the next call.
        """
        place, task, references = step.place, step.place.task, self.references
        known = references.known
        if (
            end_task is None
            and step.unheld is None
            and task.announced
            and row.context_id in known
            and (price is None or price.price_id in known)
        ):
            self.book(task, (booked,), is_overrun=is_overrun)
            return
        # What was let out without the ledger brings along all it refers to: who mends a ledger may restore a backup.
        records = references.of(place) if step.unheld is None else references.anew(place)
        if price is not None and (price.price_id not in known or step.unheld is not None):
            records.append(
                PriceRow(
                    price.price_id,
                    price.provider,
                    price.model,
                    price.source,
                    price.effective_from,
                    price.rates,
                    price.note,
                )
            )
        records.append(booked)
        if end_task is not None:
            records.append(TaskEnd(task.task_id, end_task, row.ended_us))
        self.book(task, records, is_overrun=is_overrun)

    def book(
        self, task: Task, records: Sequence[Record], *, at_once: bool = False, is_overrun: bool = False
    ) -> None:
        """Write what an end brings, without ever raising.

        A paid answer is not lost to the ledger's trouble: the rows wait in memory, and the next start is
        refused until they are written.
        """
        try:
            if at_once:
                self.soon(*records)
            else:
                self._ledger.book(*records, at_once=is_overrun)
        except LedgerUnavailable as error:  # what is queued keeps its order: known all the same
            logger.error("spendgraph: a step could not be written yet: %s", error)  # noqa: TRY400 - one line
        except LedgerError as error:
            logger.error("spendgraph: a step could not be written: %s", error)  # noqa: TRY400 - one line
            return
        if len(records) > 1:
            self.references.note(records, task)

    def soon(self, *records: Record) -> None:
        """Write records at once, or leave them for later where the ledger is known to fail: nobody waits twice.

        Raises:
            LedgerUnavailable: They could not be written now; they stay queued.
        """
        if self._ledger.is_failing:
            self._ledger.book(*records)
        else:
            self._ledger.post(*records)
