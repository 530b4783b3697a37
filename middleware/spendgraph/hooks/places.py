"""What is under way, and where it stands: whose money, which task, which node.

A `Task` is the in-memory side of one user action; a `Place` is one position inside it and is shared by every
run that stands there; a `Run` is one LangChain run, and a `Group` the runs that were announced together; an `OpenStep` is
a step between its start and its end. Places are never changed after they are shared, except that a resolver may settle the
context of a task whose root had none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import weakref

    from spendgraph.budgets.authority import Answer, Need
    from spendgraph.budgets.breakers import Watch
    from spendgraph.budgets.loops import RecentCalls
    from spendgraph.budgets.matching import Counter
    from spendgraph.context import CostContext
    from spendgraph.hooks.refusals import Refusal
    from spendgraph.ledger import Envelope
    from spendgraph.ledger.asks import Hold
    from spendgraph.ledger.records import StepRow


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


class Noted(NamedTuple):
    """A refusal inside a run.

    Attributes:
        run: The run whose call was refused, of which another call may settle it; `None` once its root has ended.
        namespace: LangGraph's checkpoint namespace of that run: of a node that runs again it is the same.
        refusal: What is kept of the refusal.
        raised: The refusal itself, while anybody has it. When nobody has, nobody can say any more that it is handled.
    """

    run: Run | None
    namespace: str
    refusal: Refusal
    raised: weakref.ref[Refusal]


class Unsettled(Protocol):
    """The refusals inside one root run that nobody has dealt with; `spendgraph.hooks.swallowed` keeps them."""

    def note(self, run: Run, refusal: Refusal) -> None:
        """A call of this run was refused."""

    def settle(self, run: Run) -> None:
        """A call of this run was admitted."""

    def again(self, namespace: str) -> None:
        """A node runs, perhaps again."""

    def still_open(self) -> list[Noted]:
        """Those that nobody has dealt with."""
        ...


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
        self.refused: Unsettled | None = None
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


class Group:
    """The calls of one group, in the order in which they were announced.

    Args:
        options: What its prompts have in common; kept, so that no other group has its identity.
    """

    __slots__ = ("is_refused", "options", "runs")

    def __init__(self, options: object) -> None:
        self.options = options
        self.runs: list[Run] = []
        """Those let in."""
        self.is_refused = False
        """Whether one of its calls was refused, so that none is sent."""


WindowKey = tuple[str, str, int, int | None]
"""A window by budget, scope, start and end."""


class Unheld(NamedTuple):
    """Room that could not be taken: the windows, and how much it would have been."""

    windows: tuple[WindowKey, ...]
    nanousd: int
    tokens: int


class OpenStep:
    """A step that has started and has not been booked yet.

    `inputs` and `parameters` are what was sent, kept by reference until the end, only to estimate usage that
    a provider does not report; they are never written.
    """

    __slots__ = (
        "allowance",
        "answer",
        "booked",
        "cut",
        "estimate_nanousd",
        "hold",
        "inputs",
        "is_called",
        "is_replay",
        "kind",
        "max_output_tokens",
        "model",
        "name",
        "need",
        "parameters",
        "place",
        "provider",
        "received",
        "reserved_nanousd",
        "run",
        "started_us",
        "step_id",
        "unheld",
        "watched",
    )

    def __init__(
        self,
        step_id: str,
        place: Place,
        kind: str,
        name: str,
        *,
        provider: str,
        model: str,
        inputs: object,
        started_us: int,
        is_replay: bool,
        max_output_tokens: int | None = None,
        run: Run | None = None,
        parameters: object = None,
    ) -> None:
        self.step_id = step_id
        self.place = place
        self.kind = kind
        self.name = name
        self.provider = provider
        self.model = model
        self.inputs = inputs
        self.started_us = started_us
        self.is_replay = is_replay
        self.max_output_tokens = max_output_tokens
        self.run = run
        self.parameters = parameters
        self.estimate_nanousd: int | None = None
        self.reserved_nanousd: int | None = None
        self.hold: Hold | None = None
        """What is held for it in budgets."""
        self.unheld: Unheld | None = None
        """What would be, had the ledger not failed."""
        self.is_called = False
        """The decorated function of the tool that runs here was called: another call of it is another step."""
        self.watched: tuple[tuple[Watch, ...], tuple[int, ...]] | None = None
        """The breakers that guard it, and when calls identical to it started."""
        self.need: Need | None = None
        """The room it asked for."""
        self.received = 0
        """The bytes of text that its stream has sent, if something is held for it."""
        self.allowance = 0
        """The bytes of text that what is held covers; worked out at the first chunk."""
        self.answer: Answer | None = None
        """What its answer costs while it comes."""
        self.cut: Exception | None = None
        """Why its stream is cut off."""
        self.booked: StepRow | None = None
        """The row already booked, when the step was settled before its end was heard."""

    @property
    def is_held(self) -> bool:
        """Whether room is held for it in budgets, or would be, had the ledger not failed."""
        return self.hold is not None or self.unheld is not None
