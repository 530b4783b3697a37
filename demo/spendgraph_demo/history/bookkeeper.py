"""Books a history's tasks in the order in which things are recorded, through the ledger's own door.

A task is announced, its acts are booked as they are recorded, it ends; corrections come later. A call for which a
budget has no room is refused, and its task ends there.
"""

from __future__ import annotations

import heapq
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.hooks.exceeding import exceeded
from spendgraph.hooks.places import Task
from spendgraph.hooks.references import References
from spendgraph.ledger import DecisionRow, HeldStep, PriceRow, StepRow, TaskEnd, TaskOutcome
from spendgraph.ledger.corrections import correction_of, late_correction
from spendgraph_demo.history.chance import new_id, stream
from spendgraph_demo.history.planted import CREDIT
from spendgraph_demo.history.truth import Truth
from spendgraph_demo.history.windows import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spendgraph.ledger import Ledger, Record
    from spendgraph.pricing import Price
    from spendgraph_demo.history.acts import Act, PlannedTask
    from spendgraph_demo.history.invoices import Invoices
    from spendgraph_demo.history.rows import Rows
    from spendgraph_demo.history.windows import Windows

_AT_ONCE: Final = 2_000
_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000

LATE_END: Final = "the end of the call was heard late"
EXPORTED: Final = "the provider's usage export"
CREDITED: Final = "credit: the search provider was down"


class _Open(NamedTuple):
    """A task under way: what is planned, what the hooks know of it, and the ids of its steps."""

    planned: PlannedTask
    task: Task
    step_ids: tuple[str, ...]


class _Correction(NamedTuple):
    """A correction that is going to be booked, with the windows of its charge."""

    row: StepRow
    windows: tuple[int, ...]
    planted: str = ""


class Bookkeeper:
    """Books what happens.

    Args:
        ledger: Where.
        rows: Makes the rows.
        windows: Counts them in the budgets' windows.
        invoices: Adds up what the providers bill.
        clock: Set to the time of what is posted.
        seed: The history's seed.
        credited: The times between which searches are credited on the next day.
    """

    def __init__(
        self,
        ledger: Ledger,
        rows: Rows,
        windows: Windows,
        invoices: Invoices,
        clock: SettableClock,
        seed: int,
        credited: tuple[int, int],
    ) -> None:
        self.truth = Truth()
        self._ledger = ledger
        self._rows = rows
        self._windows = windows
        self._invoices = invoices
        self._clock = clock
        self._rng = stream(seed, "bookkeeper")
        self._credited = credited
        self._references = References()
        self._waiting: list[tuple[int, int, _Open | _Correction, int]] = []
        self._count = 0
        self._records: list[Record] = []
        self._refused: set[str] = set()

    def plan(self, tasks: Iterable[PlannedTask]) -> None:
        """Take tasks in, in any order."""
        for planned in tasks:
            task = Task(
                planned.task_id,
                planned.context,
                planned.started_us,
                thread_id=planned.thread_id,
                graph=planned.graph,
            )
            step_ids = tuple(new_id(self._rng, act.started_us) for act in planned.acts)
            opened = _Open(planned, task, step_ids)
            self._wait(planned.started_us, opened, _START)
            for place, act in enumerate(planned.acts):
                self._wait(act.ended_us + act.late_us + 3_000, opened, place)
            self._wait(planned.ended_us + 4_000, opened, _END)

    def book_until(self, until_us: int) -> None:
        """Book everything that is recorded before a time."""
        waiting = self._waiting
        while waiting and waiting[0][0] < until_us:
            at_us, _, what, place = heapq.heappop(waiting)
            self._clock.now_us = max(self._clock.now_us, at_us)
            if isinstance(what, _Correction):
                self._correct(what)
            elif what.planned.task_id in self._refused:
                continue
            elif place == _START:
                self._note(self._references.announcement(what.task), what.task)
                self.truth.started()
            elif place == _END:
                self._end(what.planned)
            else:
                self._book(what, place)
            if len(self._records) >= _AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Post what is booked in one transaction."""
        if self._records:
            self._ledger.post(*self._records)
            self._records.clear()

    def _wait(self, at_us: int, what: _Open | _Correction, place: int) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (at_us, self._count, what, place))

    def _book(self, opened: _Open, place: int) -> None:
        planned, task, step_ids = opened
        act = planned.acts[place]
        context = self._rows.context(planned, act)
        expected = self._rows.expected(context, act)
        windows = self._windows.admit(planned, context, act, expected)
        if isinstance(windows, Refused):
            self._refuse(opened, place, windows)
            return
        ids = step_ids[place], None if act.parent is None else step_ids[act.parent]
        row, price = self._rows.row(task, context, act, ids, expected)
        self._note(self._references.introduction(context), task)
        self._price(price, task)
        self._records.append(HeldStep(tuple(row), windows, expected.nanousd, expected.tokens))
        self._windows.count(row, windows)
        self.truth.booked(row, act, price)
        if act.usage is not None:
            self._invoices.bill(row, act.usage, price, context.project or "default")
        self._correct_later(opened, place, row, windows)

    def _price(self, price: Price | None, task: Task) -> None:
        if price is not None and price.price_id not in self._references.known:
            record = PriceRow(
                price.price_id,
                price.provider,
                price.model,
                price.source,
                price.effective_from,
                price.rates,
                price.note,
            )
            self._note((record,), task)

    def _note(self, records: Sequence[Record], task: Task) -> None:
        """Post what other rows refer to, once."""
        self._records += records
        self._references.note(records, task)

    def _correct_later(self, opened: _Open, place: int, row: StepRow, windows: tuple[int, ...]) -> None:
        """Plan the correction of a row: a late end, a usage export for half of the estimates, a credit."""
        act = opened.planned.acts[place]
        rng = self._rng
        if act.heard == "upper_bound" or (act.heard == "estimated" and rng.random() < 0.5):
            heard_us = row.recorded_us + round(rng.uniform(2, 90) * _MINUTE_US)
            if act.heard == "estimated":
                heard_us = row.recorded_us + _DAY_US
            correction = self._actual(opened, place, row)._replace(recorded_us=heard_us)
            self._wait(heard_us, _Correction(correction, windows), 0)
        elif act.name == "web_search" and self._credited[0] <= act.started_us < self._credited[1]:
            credited_us = self._credited[1] + 10 * 3_600_000_000 + self._count % 1_000
            credit = correction_of(
                row._asdict(),
                {"cost_nanousd": -row.cost_nanousd},
                CREDITED,
                recorded_us=credited_us,
                step_id=f"{row.step_id}/credit",
            )
            self._wait(credited_us, _Correction(credit, windows, CREDIT), 0)

    def _actual(self, opened: _Open, place: int, row: StepRow) -> StepRow:
        """The correction of a row to what the provider billed."""
        act: Act = opened.planned.acts[place]
        context = self._rows.context(opened.planned, act)
        parent = None if act.parent is None else opened.step_ids[act.parent]
        heard = act._replace(heard="reported")
        expected = self._rows.expected(context, act)
        actual, _ = self._rows.row(opened.task, context, heard, (row.step_id, parent), expected)
        note = LATE_END if act.heard == "upper_bound" else EXPORTED
        return late_correction(row, actual)._replace(
            usage_note=note, estimate_nanousd=None, reserved_nanousd=None, response_id=row.response_id
        )

    def _correct(self, correction: _Correction) -> None:
        self._records.append(HeldStep(tuple(correction.row), correction.windows, 0, 0))
        self._windows.count(correction.row, correction.windows)
        self._invoices.corrected(correction.row)
        self.truth.corrected(correction.row, planted=correction.planted)

    def _refuse(self, opened: _Open, place: int, found: Refused) -> None:
        """Refuse a call: its task ends, and the decision says why."""
        planned, step_id = opened.planned, opened.step_ids[place]
        act, want = planned.acts[place], found.shortfall.want
        refusal = exceeded(
            f"The {act.kind} call was not sent", "this call asks for", found.budget, found.shortfall
        )
        detail = {
            "budget": found.budget.name,
            "scope": want.scope,
            "window_start_us": want.start_us,
            "unit": want.unit,
            "limit": want.limit or 0,
            "spent": found.shortfall.spent,
            "held": found.shortfall.held,
            "asked": found.shortfall.asked,
        }
        self._records.append(
            DecisionRow(
                decision_id=f"{step_id}/refused",
                kind="budget",
                outcome="refused",
                reason=str(refusal).removesuffix(refusal.hint).rstrip(),
                task_id=planned.task_id,
                step_id=step_id,
                context_id=planned.context.context_id,
                detail=json.dumps(detail, sort_keys=True),
                decided_us=act.started_us,
            )
        )
        self._records.append(TaskEnd(planned.task_id, "refused", act.started_us))
        self._refused.add(planned.task_id)
        self.truth.refused(found.budget.name)
        self.truth.ended("refused")

    def _end(self, planned: PlannedTask) -> None:
        self._records.append(TaskEnd(planned.task_id, planned.status, planned.ended_us))
        if planned.outcome:
            self._records.append(TaskOutcome(planned.task_id, planned.outcome, planned.value_nanousd))
        self.truth.ended(planned.status)


_START: Final = -2
_END: Final = -1


class SettableClock:
    """A clock that says what it is told.

    Attributes:
        now_us: The time in microseconds UTC.
    """

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        """The time."""
        return self.now_us
