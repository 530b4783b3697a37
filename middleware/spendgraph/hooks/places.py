"""Where a step stands: whose money, which task, which node.

A `Task` is the in-memory side of one user action; a `Place` is one position inside it and is shared by every
run that stands there; a `Run` is one LangChain run. Places are never changed after they are shared, except
that a resolver may settle the context of a task whose root had none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spendgraph.budgets.loops import RecentCalls
    from spendgraph.budgets.matching import Counter
    from spendgraph.context import CostContext
    from spendgraph.hooks.groups import Group
    from spendgraph.hooks.steps import OpenStep
    from spendgraph.hooks.swallowed import Refused
    from spendgraph.ledger import Envelope


_new = object.__new__


class Task:
    """One user action while it runs in this process."""

    __slots__ = (
        "announced",
        "answers",
        "attempts",
        "caps",
        "context",
        "envelopes",
        "graph",
        "is_lone",
        "is_over",
        "open_steps",
        "parent_task_id",
        "paused",
        "recent",
        "replays_left",
        "started_us",
        "task_id",
        "thread_id",
    )

    def __init__(
        self,
        task_id: str,
        context: CostContext,
        started_us: int,
        *,
        parent_task_id: str | None = None,
        thread_id: str = "",
        graph: str = "",
        replays_left: dict[tuple[str, str], int] | None = None,
        is_lone: bool = False,
    ) -> None:
        self.task_id = task_id
        self.context = context
        self.started_us = started_us
        self.parent_task_id = parent_task_id
        self.thread_id = thread_id
        self.graph = graph
        self.announced = False
        self.paused = False
        self.caps: tuple[Counter, ...] = ()
        """Ad-hoc limits on what runs inside, beside the policy's budgets."""
        self.answers: dict[str, str] = {}
        """Threads whose graph was resumed with a single value, and the approval that it has answered."""
        self.recent: RecentCalls | None = None
        """Its latest calls, where a breaker looks for loops."""
        self.envelopes: tuple[Envelope, ...] = ()
        """Room that its gates have set aside, or those of the tasks around it: its steps draw from it first."""
        self.is_over = False
        self.attempts: dict[str, int] = {}
        self.open_steps: dict[str, OpenStep] = {}
        self.replays_left = replays_left
        self.is_lone = is_lone
        """It is one step outside of everything: the task ends with it."""


class Place:
    """A position inside a task: context, enclosing step, thread and node."""

    __slots__ = (
        "attempt",
        "checkpoint_ns",
        "context",
        "graph",
        "missing",
        "node",
        "parent_step_id",
        "path",
        "problem",
        "task",
        "thread_id",
    )

    def __init__(
        self,
        task: Task,
        context: CostContext,
        *,
        parent_step_id: str | None = None,
        thread_id: str = "",
        graph: str = "",
        node: str = "",
        path: str = "",
        checkpoint_ns: str = "",
        attempt: int = 1,
        problem: str = "",
    ) -> None:
        self.task = task
        self.context = context
        self.parent_step_id = parent_step_id
        self.thread_id = thread_id
        self.graph = graph
        self.node = node
        self.path = path
        self.checkpoint_ns = checkpoint_ns
        self.attempt = attempt
        self.problem = problem
        self.missing: str | None = None

    def moved(self, **changes: Any) -> Place:
        """A copy of this place with some of its attributes changed."""
        copy = _new(Place)  # without __init__: this happens at every node
        copy.task = self.task
        copy.context = self.context
        copy.parent_step_id = self.parent_step_id
        copy.thread_id = self.thread_id
        copy.graph = self.graph
        copy.node = self.node
        copy.path = self.path
        copy.checkpoint_ns = self.checkpoint_ns
        copy.attempt = self.attempt
        copy.problem = self.problem
        copy.missing = None if "context" in changes else self.missing
        for name, value in changes.items():
            setattr(copy, name, value)
        return copy


class Run:
    """One LangChain run that is under way, or has ended and may still be referred to.

    It does not hold its id: see `spendgraph.hooks.memory`.
    """

    __slots__ = (
        "ended",
        "failed",
        "group",
        "key",
        "owns_task",
        "parent",
        "paused",
        "place",
        "refused",
        "spend",
        "step",
        "thread_id",
        "use",
    )

    def __init__(
        self,
        place: Place,
        parent: Run | None,
        spend: dict[str, Any],
        *,
        owns_task: bool = False,
    ) -> None:
        self.place = place
        self.parent = parent
        self.spend = spend
        self.owns_task = owns_task
        self.step: OpenStep | None = None
        self.paused = False
        self.group: Group | None = None
        """The calls that LangChain announced together with it, until it ends."""
        self.refused: Refused | None = None
        """Of a root: calls inside that were refused."""
        self.thread_id = ""
        """Of a chain that is a root, or that is resumed: its thread."""
        self.ended = False
        self.failed = False
        """It ended with an exception; a node that did runs again when the graph goes on."""
        self.key: object = None
        self.use = 1
        """How many runs have had its id: callers may give one id to several runs, one after the other."""

    @property
    def root(self) -> Run:
        """The outermost run around this one."""
        run = self
        while run.parent is not None:
            run = run.parent
        return run

    def is_inside(self, other: Run) -> bool:
        """Whether `other` is this run or one of those that enclose it."""
        run: Run | None = self
        while run is not None:
            if run is other:
                return True
            run = run.parent
        return False
