"""What is going to happen, before it is booked: tasks, and the acts they consist of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from spendgraph.pricing import Usage

if TYPE_CHECKING:
    from spendgraph.context import CostContext
    from spendgraph.ledger import StepKind, StepStatus, TaskStatus

Heard = Literal["reported", "estimated", "upper_bound", "cache_hit"]
"""What the meter hears of a call: its usage, only a part of its stream, never its end, or that no call was needed."""


class Act(NamedTuple):
    """One billable act of a task.

    `usage` is what the provider bills; what the ledger gets of it is a matter of `heard`. `planted` names the planted
    event that an act belongs to, and `baseline` is the usage it would have had without it (`None`: there would
    have been no act).
    """

    kind: StepKind
    name: str
    node: str
    started_us: int
    ended_us: int
    provider: str = ""
    model: str = ""
    answered: str = ""
    usage: Usage | None = None
    quantity: int | None = None
    tier: str = ""
    template: str = ""
    heard: Heard = "reported"
    status: StepStatus = "ok"
    error: str = ""
    parent: int | None = None
    attempt: int = 1
    is_replay: bool = False
    late_us: int = 0
    planted: str = ""
    baseline: Usage | None = None


@dataclass(slots=True)
class PlannedTask:
    """One task as it would go if nobody refused anything."""

    task_id: str
    context: CostContext
    graph: str
    thread_id: str
    started_us: int
    ended_us: int
    acts: list[Act] = field(default_factory=list[Act])
    status: TaskStatus = "finished"
    outcome: str = ""
    value_nanousd: int | None = None
