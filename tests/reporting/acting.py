"""Tasks of random spending: how they stand, what came of them, who opened them, and what must be said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from ledger.rows import task
from reporting.kit import CONTEXTS, DAY, spending
from spendgraph.ledger import ContextRow, DecisionRow, Ledger, StepRow, TaskEnd, TaskOutcome, TaskStart
from spendgraph.ledger.records import Record
from spendgraph_reports.period import DAY_US

PAYERS = {context.context_id: context for context in CONTEXTS}
IDS = tuple(f"task-{number}" for number in range(9))
"""`spending` books on the first seven; the last two have no step."""


@dataclass(frozen=True)
class Acts:
    """What happened in a ledger.

    Attributes:
        steps: Every step and correction, in the order of writing.
        starts: The tasks that somebody opened, by id.
        ends: How those stand that do not run any more.
        outcomes: What was reported.
        refusals: How many calls of each task were refused.
    """

    steps: Sequence[StepRow]
    starts: Mapping[str, TaskStart]
    ends: Mapping[str, TaskEnd]
    outcomes: Mapping[str, TaskOutcome]
    refusals: Mapping[str, int]

    def steps_of(self, task_id: str) -> list[StepRow]:
        """The rows of a task."""
        return [row for row in self.steps if row.task_id == task_id]

    def tasks(self) -> list[str]:
        """Every task that was opened, or that has a step."""
        return sorted({*self.starts, *(row.task_id for row in self.steps)})

    def payer(self, task_id: str) -> ContextRow:
        """Who pays for a task: by its own tags, or its first step's."""
        if task_id in self.starts:
            return PAYERS[self.starts[task_id].context_id]
        return PAYERS[self.steps_of(task_id)[0].context_id]

    def began(self, task_id: str) -> int:
        """When the first step of a task started; of one without steps, when it was opened."""
        return min(
            (row.started_us for row in self.steps_of(task_id)),
            default=self.starts[task_id].started_us if task_id in self.starts else 0,
        )

    def cost(self, task_id: str) -> int:
        """All a task ever cost."""
        return sum(row.cost_nanousd for row in self.steps_of(task_id))

    def state(self, task_id: str) -> str:
        """How a task stands."""
        if task_id not in self.starts:
            return "no task"
        return self.ends[task_id].status if task_id in self.ends else "running"

    def root(self, task_id: str) -> str:
        """The outermost task that was opened, going up from one; itself where the way up is a circle."""
        seen, at = {task_id}, task_id
        while at in self.starts and (parent := self.starts[at].parent_task_id) in self.starts:
            assert parent is not None
            if parent in seen:
                return task_id
            seen.add(parent)
            at = parent
        return at

    def in_period(self, since_us: int, until_us: int) -> list[str]:
        """The tasks that began in a period."""
        return [task_id for task_id in self.tasks() if since_us <= self.began(task_id) < until_us]


@st.composite
def acts(draw: st.DrawFn) -> Acts:
    """Random steps, and tasks of which some were never opened, some have no step, and some opened each other."""
    opened = draw(st.sets(st.sampled_from(IDS)))
    starts = {
        task_id: task(
            task_id,
            context_id=draw(st.sampled_from(CONTEXTS)).context_id,
            parent_task_id=draw(st.sampled_from([None, None, "elsewhere", *IDS])),
            started_us=DAY + draw(st.integers(-45, 45)) * DAY_US,
        )
        for task_id in sorted(opened)
    }
    stand = st.sampled_from(["running", "finished", "failed", "cancelled", "refused", "paused"])
    ends = {
        task_id: TaskEnd(task_id, status, None if status == "paused" else start.started_us + 5)
        for task_id, start in starts.items()
        if (status := draw(stand)) != "running"
    }
    worth = st.one_of(st.none(), st.integers(0, 10**13))
    outcomes = {
        task_id: TaskOutcome(task_id, outcome, draw(worth))
        for task_id in starts
        if (outcome := draw(st.sampled_from(["", "success", "failure"])))
    }
    refusals = {task_id: number for task_id in IDS if (number := draw(st.integers(0, 2)))}
    return Acts(draw(spending()), starts, ends, outcomes, refusals)


def play(path: Path, acted: Acts, *, roll: bool = False) -> Path:
    """A ledger in which that happened; rolled up first by halves, where that is asked for."""
    refused = [
        DecisionRow(
            f"{task_id}/{number}", "budget", "refused", "no room", task_id, None, None, '{"budget": "b"}', DAY
        )
        for task_id, many in acted.refusals.items()
        for number in range(many)
    ]
    half = len(acted.steps) // 2 if roll else 0
    with Ledger.open(path) as ledger:
        post(ledger, [*CONTEXTS, *acted.starts.values(), *acted.steps[:half]])
        if half:
            ledger.upkeep.roll()
        post(ledger, [*acted.steps[half:], *acted.outcomes.values(), *acted.ends.values(), *refused])
    return path


def post(ledger: Ledger, records: Iterable[Record]) -> None:
    """Write records, however many."""
    ledger.post(*records)
