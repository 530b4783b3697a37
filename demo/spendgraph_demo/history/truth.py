"""What is true of a history: the planted events with their exact dollars, and how much there is of everything else.

It is written beside the ledger as JSON, so that tests and notebooks can say whether they found what there is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from spendgraph.clock import iso

if TYPE_CHECKING:
    from spendgraph.ledger import StepRow
    from spendgraph.pricing import Price
    from spendgraph_demo.history.acts import Act


@dataclass(slots=True)
class Amount:
    """How much there is of something.

    Attributes:
        nanousd: What it cost, in nano-USD; of a planted event only what is there because of it.
        steps: How many rows.
        tasks: How many tasks.
        first_us: When the first of them started; `None` where there is none.
        last_us: When the last of them started.
    """

    nanousd: int = 0
    steps: int = 0
    tasks: int = 0
    first_us: int | None = None
    last_us: int | None = None
    seen: set[str] = field(default_factory=set[str], repr=False)

    def add(self, row: StepRow, nanousd: int) -> None:
        """Count a row."""
        self.nanousd += nanousd
        self.steps += 1
        self.seen.add(row.task_id)
        self.tasks = len(self.seen)
        self.first_us = row.started_us if self.first_us is None else min(self.first_us, row.started_us)
        self.last_us = row.started_us if self.last_us is None else max(self.last_us, row.started_us)

    def document(self) -> dict[str, object]:
        """The same as plain data, with the times as ISO text too."""
        found = asdict(self)
        del found["seen"]
        found["first"] = None if self.first_us is None else iso(self.first_us)
        found["last"] = None if self.last_us is None else iso(self.last_us)
        return found


class Truth:
    """Counts what is booked.

    Attributes:
        planted: The planted events by name.
        kinds: Everything else that can be looked for, by name.
        statuses: How many tasks there are in each state.
        refusals: How many calls each budget has refused.
        total_nanousd: What everything cost.
        steps: How many charges there are.
        corrections: How many corrections.
    """

    def __init__(self) -> None:
        self.planted: dict[str, Amount] = {}
        self.kinds: dict[str, Amount] = {}
        self.statuses: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.total_nanousd = 0
        self.steps = 0
        self.corrections = 0

    def booked(self, row: StepRow, act: Act, price: Price | None) -> None:
        """Count a charge."""
        self.total_nanousd += row.cost_nanousd
        self.steps += 1
        if act.planted:
            usual = 0 if act.baseline is None or price is None else price.cost(act.baseline)
            self._event(act.planted).add(row, row.cost_nanousd - usual)
        if row.missing_tags:
            self._kind("unattributed").add(row, row.cost_nanousd)
        if row.cost_basis in ("estimated", "upper_bound", "unpriced"):
            self._kind(row.cost_basis).add(row, row.cost_nanousd)
        if row.is_replay:
            self._kind("replay").add(row, row.cost_nanousd)
        if row.status in ("error", "cache_hit"):
            self._kind(row.status).add(row, row.cost_nanousd)
        if act.late_us:
            self._kind("late").add(row, row.cost_nanousd)

    def corrected(self, row: StepRow, *, planted: str = "") -> None:
        """Count a correction."""
        self.total_nanousd += row.cost_nanousd
        self.corrections += 1
        self._kind("correction").add(row, row.cost_nanousd)
        if row.missing_tags:
            self._kind("unattributed").add(row, row.cost_nanousd)
        if row.cost_basis in ("estimated", "upper_bound"):
            self._kind(row.cost_basis).add(row, row.cost_nanousd)
        if planted:
            self._event(planted).add(row, row.cost_nanousd)

    def started(self) -> None:
        """Count a task that runs."""
        self.statuses["running"] = self.statuses.get("running", 0) + 1

    def ended(self, status: str) -> None:
        """Count a task that has run as one that has ended."""
        self.statuses["running"] -= 1
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def refused(self, budget: str) -> None:
        """Count a refusal."""
        self.refusals[budget] = self.refusals.get(budget, 0) + 1

    def _event(self, name: str) -> Amount:
        return self.planted.setdefault(name, Amount())

    def _kind(self, name: str) -> Amount:
        return self.kinds.setdefault(name, Amount())
