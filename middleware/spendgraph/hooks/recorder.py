"""The one door between the hooks and the rooms below: opens a step, closes it, books it once.

Opening may refuse (required tags missing, no price known, ledger unavailable): then the call must not go
out. Closing never raises for what the provider said: what cannot be read is booked as an estimate or as
unpriced, marked, and a paid answer is never lost.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from spendgraph.budgets.matching import Counter
from spendgraph.errors import LedgerError, LedgerUnavailable
from spendgraph.hooks.admission import Admission
from spendgraph.hooks.envelopes import Envelopes
from spendgraph.hooks.outage import Outages
from spendgraph.hooks.outcomes import task_status
from spendgraph.hooks.places import OpenStep, Place, Task
from spendgraph.hooks.posting import Posting
from spendgraph.hooks.reserving import Reservations
from spendgraph.hooks.rows import Ending, StepRows
from spendgraph.hooks.swallowed import note_admission, note_refusal_inside
from spendgraph.ids import new_id
from spendgraph.ledger.corrections import late_correction
from spendgraph.ledger.holds import UNHEARD
from spendgraph.ledger.records import (
    TOKEN_KINDS,
    CostBasis,
    DecisionRow,
    Record,
    StepKind,
    StepRow,
    StepStatus,
    TaskEnd,
    TaskStatus,
)

if TYPE_CHECKING:
    from spendgraph.hooks.handing_over import Held
    from spendgraph.hooks.places import Run
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger import Ledger
    from spendgraph.notify import Notifier
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import Price, PriceBook, Reported

logger = logging.getLogger(__name__)

_MOST_KEPT = 10_000


class StepRecorder:
    """Books the steps of one meter.

    Args:
        ledger: Where the rows go.
        policy: Required tags, owners and what to do about unknown prices.
        prices: The price book.
        tools: What tools cost.
        notifier: Who is told of what budgets refuse and ask for.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        prices: PriceBook,
        tools: ToolRegistry,
        notifier: Notifier | None = None,
    ) -> None:
        self.ledger = ledger
        self.policy = policy
        self.prices = prices
        self.clock = ledger.unpaid_time
        self.here: Callable[[], Place] = self._nowhere
        self.enclosing: Callable[[], Run | None] = lambda: None
        self.open_steps: dict[str, OpenStep] = {}
        self._settling = threading.RLock()
        self.envelopes = Envelopes(ledger)
        self._posting = Posting(ledger)
        self._rows = StepRows(policy, prices)
        self._admission = Admission(policy, prices, tools, self.decide)
        self.outages = Outages(ledger, policy, self.decide)
        self._tools = tools
        self._notifier = notifier
        self.reservations: Reservations | None = (
            self._reserving() if policy.budgets or policy.breakers else None
        )
        """Takes room in budgets, if there are any."""

    @property
    def reserves(self) -> bool:
        """Whether opening a step may take room in budgets."""
        return self.reservations is not None

    def cap(self, task: Task, limit: Budget) -> None:
        """Limit what runs inside a task, beside the policy's budgets."""
        if self.reservations is None:
            self.reservations = self._reserving()
        task.caps = (*task.caps, Counter(limit, f"cap={task.task_id}"))

    def _reserving(self) -> Reservations:
        return Reservations(
            self.ledger,
            self.policy,
            self.prices,
            self._tools,
            self._rows,
            self._posting.references.all_of,
            self.decide,
            self.outages,
            self._notifier,
        )

    # Opening

    def open(
        self,
        step_id: str,
        place: Place,
        kind: StepKind,
        name: str,
        *,
        provider: str = "",
        model: str = "",
        inputs: object = None,
        max_output_tokens: int | None = None,
        run: Run | None = None,
        parameters: object = None,
        fixed_nanousd: int | None = None,
        is_spent: bool = False,
        is_told: bool = False,
        began_us: int | None = None,
        held: Held | None = None,
    ) -> OpenStep:
        """Open a step before its call goes out.

        `fixed_nanousd` is what it costs at most, where the caller knows; with `is_spent` the money is gone already, and
        nothing is refused for want of it. With `is_told` it is told its cost while it runs. `began_us` is when
        it began, if not now. `held` is what was reserved for it before, which it takes over if it needs no more.

        Raises:
            ContextMissing: Required tags are missing and the policy blocks.
            BudgetExceeded: A budget has not enough room left.
            BreakerOpen: A breaker is open, or trips.
            UnboundedCall: A strict budget cannot tell what the call may cost at most.
            UnpricedModel: No price is known for the model and the policy blocks.
            LedgerUnavailable: The ledger cannot be written, so nothing paid for may start, and the policy does not say
                `allow` for this environment.
        """
        started_us, fault = self.may_start(step_id, place, kind, name, provider, model, is_spent=is_spent)
        task = place.task
        step = OpenStep(
            step_id,
            place,
            kind,
            name,
            provider=provider,
            model=model,
            inputs=inputs,
            started_us=started_us if began_us is None else began_us,
            is_replay=False,
            max_output_tokens=max_output_tokens,
            run=run,
            parameters=parameters,
        )
        reservations = self.reservations
        if reservations is not None and not (held is not None and reservations.adopt(step, held)):
            fault = reservations.admit(
                step, fault, fixed_nanousd=fixed_nanousd, is_spent=is_spent, is_told=is_told
            )
        if fault is not None and step.hold is None:
            self.outages.let_out(step, fault)
        step_id = step.step_id
        if task.replays_left:
            left = task.replays_left.get((place.checkpoint_ns, kind), 0)
            if left > 0:
                task.replays_left[place.checkpoint_ns, kind] = left - 1
                step.is_replay = True
        task.open_steps[step_id] = self.open_steps[step_id] = step
        return step

    def open_here(self, kind: StepKind, name: str, **details: Any) -> OpenStep:
        """Open a step of what LangChain does not announce, at this point of the program; takes and raises what `open` does."""
        run = self.enclosing()
        try:
            step = self.open(new_id(), self.here(), kind, name, **details)
        except Exception as error:
            note_refusal_inside(run, error)
            raise
        if not details.get("is_spent"):  # money that is gone stands in for no call
            note_admission(run)
        return step

    def outgrown(self, step: OpenStep) -> None:
        """A stream has sent more than what is held for its step covers: hold more, or cut it off.

        Raises:
            BudgetExceeded: There is no room left; the step is to be closed as `cut`.
            LedgerUnavailable: The ledger cannot be written, so nothing more that is paid for may come.
        """
        if self.reservations is not None:
            self.reservations.streams.outgrown(step)

    def may_start(
        self,
        step_id: str,
        place: Place,
        kind: StepKind,
        name: str,
        provider: str,
        model: str,
        *,
        is_spent: bool = False,
    ) -> tuple[int, str | None]:
        """Ask everything but room of a step; when it starts, and the fault of the ledger that the policy does not mind.

        Raises:
            ContextMissing: Required tags are missing and the policy blocks.
            UnpricedModel: No price is known for the model and the policy blocks.
            LedgerUnavailable: The ledger cannot be written, so nothing paid for may start.
        """
        started_us, fault = self.outages.start(place.context)
        self._admission.admit(step_id, place, kind, name, provider, model, started_us, is_spent=is_spent)
        return started_us, fault

    # Closing

    def close(
        self,
        step: OpenStep,
        reported: Reported | None = None,
        *,
        status: StepStatus = "ok",
        error: BaseException | None = None,
        quantity: float | None = None,
        unit: str = "",
        cost_nanousd: int | None = None,
        cost_basis: CostBasis | None = None,
        owner: str = "",
        note: str = "",
        ended_us: int | None = None,
        end_task: TaskStatus | None = None,
        is_unheard: bool = False,
    ) -> None:
        """Book a step at its end; a second close of one step does nothing.

        A step that was settled before its end was heard is corrected by the difference.

        Args:
            step: What `open` returned.
            reported: What the response says; `None` or a report without usage is estimated.
            status: How it ended.
            error: The exception it ended with; only its class name is kept.
            quantity: How many units were used, for steps that are not counted in tokens.
            unit: What the units are.
            cost_nanousd: The cost, where it is not computed from tokens.
            cost_basis: Where that cost comes from.
            owner: The team that provides the step, before the policy's `owners` are asked.
            note: Why the amounts should be looked at; empty when nothing is wrong.
            ended_us: When it ended, if not now.
            end_task: The task ends with this step.
            is_unheard: It was sent and nobody knows what it cost: it is booked as a step whose end is never heard.
        """
        task = step.place.task
        if not self._take(step):
            with self._settling:  # it may be under way in another thread
                if step.booked is None:
                    return
        price = None
        recorded_us = self.ledger.end_time(0 if ended_us is not None else step.started_us)
        if ended_us is None:
            ended_us = recorded_us
        ending = Ending(ended_us, status, error, owner, note, cost_basis, recorded_us)
        if is_unheard:
            row, price = self._rows.lost(step, reported, ending)
        elif step.kind in TOKEN_KINDS and cost_nanousd is None:
            row, price = self._rows.counted(step, reported, ending)
        else:
            row = self._rows.plain(step, cost_nanousd, ending, reported, quantity=quantity, unit=unit)
        if end_task is None and task.is_lone:
            end_task = task_status(error)
        step.inputs = step.parameters = None  # a prompt lives no longer than its call
        if step.booked is not None:
            booked, step.booked = step.booked, None
            self._post(step, late_correction(booked, row), price)
            return
        self._post(step, row, price, end_task=end_task)

    def settle(self, steps: Iterable[OpenStep]) -> None:
        """Book steps whose end was never heard; a late end corrects them.

        A cancelled or timed-out call emits no end event, though it was sent. It is booked at all that was held for it
        in budgets; without any as an estimate, or as an upper bound when the request limits the answer.
        """
        for step in list(steps):
            with self._settling:
                if not self._take(step):
                    continue
                ending = Ending(self.ledger.end_time(step.started_us), "cancelled", note=UNHEARD)
                row, price = self._rows.lost(step, None, ending)
                step.booked = row
                step.inputs = step.parameters = None
                self._post(step, row, price)

    def void(self, step: OpenStep) -> None:
        """Forget a step that was opened and never sent."""
        if self._take(step) and self.reservations is not None:
            self.reservations.release(step)

    def give_back(self, step: OpenStep) -> None:
        """Give back what was held for a step that never began; never raises, for there may be an answer to return."""
        try:
            if self.reservations is not None:
                self.reservations.release(step)
        except LedgerError as error:
            logger.error("spendgraph: a hold could not be given back yet: %s", error)  # noqa: TRY400 - one line

    def _take(self, step: OpenStep) -> bool:
        """Whether the step was open; it is not any more."""
        self.open_steps.pop(step.step_id, None)
        # The run keeps its step for a late end: without a circle nothing waits for the collector.
        step.run = None
        return step.place.task.open_steps.pop(step.step_id, None) is not None

    # Tasks and decisions

    def announce(self, task: Task) -> None:
        """Write a task's row at once, so that another process can resume it by its thread.

        Raises:
            LedgerUnavailable: It could not be written, and the policy does not let its calls out.
        """
        if not task.announced:
            records = self._posting.references.announcement(task)
            try:
                self._posting.soon(*records)
            except LedgerUnavailable:
                if not self.outages.lets_out(task.context):
                    raise
            self._posting.references.note(records, task)

    def end_task(self, task: Task, status: TaskStatus, *, durable: bool = False) -> None:
        """Write how a task ended; with `durable`, before returning.

        A task that never had a row gets one, so that what was started can be counted.
        """
        self.envelopes.give_back(task, is_over=status != "paused")
        ended_us = None if status == "paused" else self.ledger.end_time(task.started_us)
        records: list[Record] = [
            *self._posting.references.announcement(task),
            TaskEnd(task.task_id, status, ended_us),
        ]
        if durable:
            self._posting.book(task, records, at_once=True)
        else:
            self.ledger.defer(*records)
            self._posting.references.note(records, task)

    def decide(self, place: Place, kind: str, outcome: str, reason: str, **detail: object) -> None:
        """Write a decision other than *allow*; if that cannot be done now, the decision stands all the same."""
        step_id = detail.pop("step_id", None)
        decision = DecisionRow(
            decision_id=new_id(),
            kind=kind,
            outcome=outcome,
            reason=reason,
            task_id=place.task.task_id,
            step_id=None if step_id is None else str(step_id),
            context_id=place.context.context_id,
            detail=json.dumps(detail, sort_keys=True, default=str),
            decided_us=self.ledger.end_time(0),
        )
        try:
            self._posting.soon(*self._posting.references.introduction(place.context), decision)
        except LedgerUnavailable as error:
            logger.error("spendgraph: a decision could not be written yet: %s", error)  # noqa: TRY400 - one line

    def _post(
        self, step: OpenStep, row: StepRow, price: Price | None, *, end_task: TaskStatus | None = None
    ) -> None:
        booked: Record = row
        is_overrun = False
        if self.reservations is not None:
            booked = self.reservations.record(step, row)
            is_overrun = self.reservations.is_overrun(step, booked, row)
        self._posting.step(step, row, booked, price, end_task=end_task, is_overrun=is_overrun)

    def _nowhere(self) -> Place:
        raise RuntimeError("the recorder is not attached to a meter")
