"""Who a run belongs to: the lookup, first hit wins.

1. the parent run, or for a run without one the run that encloses it (the running LangChain config, then
   the run a thread was started from), unless a `meter.task` was opened inside that run;
2. `meter.task`;
3. the meter's resolver;
4. only at a true root: the run's own metadata, if the policy trusts it;
5. on a resume: the thread's task in the ledger;
6. nobody: unattributed.

Below a root a run's own metadata only fills unset tags and sets the template and extra tags. Own metadata
first would be wrong: a child started with `callbacks=[]` and forged metadata arrives without a parent, and
only the chain of enclosing runs knows the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables.config import var_child_runnable_config

from spendgraph.context import CostContext, TaskScope, around, current_scope, pseudonym
from spendgraph.errors import ContextError
from spendgraph.hooks.memory import RunMemory
from spendgraph.hooks.nodes import entered
from spendgraph.hooks.places import Place, Run, Task
from spendgraph.hooks.surroundings import context_of, is_resume, langgraph_runtime, task_of, wins
from spendgraph.hooks.swallowed import note_node
from spendgraph.ids import new_id

if TYPE_CHECKING:
    from uuid import UUID

    from spendgraph.hooks.recorder import StepRecorder

Resolver = Callable[[Mapping[str, Any], Any], CostContext | None]
"""`resolver(config, runtime)`: the context of a run, from its metadata and tags and LangGraph's runtime."""

_NO_METADATA: dict[str, Any] = {}
_NO_SPEND: dict[str, Any] = {}
_UNATTRIBUTED = CostContext()
_MOST_KEPT = 1024


class Attribution:
    """Remembers the runs of one meter and finds the place of every new one.

    Args:
        recorder: The meter's recorder.
        owner: Marks the meter's own tasks.
        resolver: The meter's resolver, if it has one.
        on_lost: Called with a run whose end can never be heard.
    """

    def __init__(
        self,
        recorder: StepRecorder,
        owner: object,
        resolver: Resolver | None,
        on_lost: Callable[[Run], None],
    ) -> None:
        self.recorder = recorder
        self.owner = owner
        self.resolver = resolver
        self.runs = RunMemory(on_lost)
        self._contexts: dict[tuple[tuple[str, Any], ...], CostContext | None] = {}
        self._hashes_users = recorder.policy.attribution.users == "hashed"
        self._trusts_metadata = recorder.policy.attribution.trust_metadata

    # Runs

    def begin(
        self,
        run_id: UUID,
        parent: Run | None,
        metadata: dict[str, Any] | None,
        *,
        name: str = "",
        inputs: object = None,
        tags: list[str] | None = None,
        is_chain: bool = False,
        before: Run | None = None,
    ) -> Run:
        """Remember a run that starts now under its parent, if that is known, and find its place.

        `before` is the ended run that had the same id, if any.
        """
        metadata = metadata or _NO_METADATA
        if parent is None:
            parent = self.enclosing()
        spend = _spend_of(metadata, _NO_SPEND if parent is None else parent.spend)
        scope = self._own_scope()
        if scope is not None and (parent is None or wins(scope, parent)):
            self._join(scope, parent, metadata, name, inputs, is_chain=is_chain)
            run = self._begin_in_task(scope, parent, spend, metadata)
        elif parent is not None:
            run = Run(self._below(parent, spend, metadata), parent, spend)
        else:
            run = self._begin_root(run_id, spend, metadata, name, inputs, tags, is_chain=is_chain)
        if before is not None:
            run.use = before.use + 1
        self.runs.keep(run_id, run)
        return run

    def enclosing(self) -> Run | None:
        """The known run that encloses this point of the program, if any."""
        config = var_child_runnable_config.get()
        if config is not None:
            parent_run_id = getattr(config.get("callbacks"), "parent_run_id", None)
            if parent_run_id is not None:
                run = self.runs.get(parent_run_id)
                if run is not None:
                    return run
        for scope in around(current_scope()):
            if scope.carried and scope.owner is self.owner:
                return cast("Run", scope.opened_in)
        return None

    def is_inside(self) -> bool:
        """Whether this point of the program is inside a run or a task of this meter."""
        return self._own_scope() is not None or self.enclosing() is not None

    # Points of the program outside LangChain's callbacks

    def here(self) -> Place:
        """The place of a step that starts here and now, outside LangChain's callbacks."""
        parent = self.enclosing()
        scope = self._own_scope()
        if scope is not None and (parent is None or wins(scope, parent)):
            return self._place_in_task(scope, parent)
        if parent is not None:
            if parent.step is not None:
                return parent.place.moved(parent_step_id=parent.step.step_id)
            return parent.place
        task_id = new_id()
        context = self._resolve(_NO_METADATA, None) or _UNATTRIBUTED
        return Place(Task(task_id, context, self.recorder.clock(), is_lone=True), context)

    def capture(self) -> TaskScope | None:
        """What a thread started here should carry: the task or run that encloses this point."""
        parent = self.enclosing()
        scope = self._own_scope()
        if scope is not None and (parent is None or wins(scope, parent)):
            return scope
        if parent is None:
            return None
        place = parent.place
        return TaskScope(
            place.context,
            place.task.task_id,
            place.task.parent_task_id,
            opened_in=parent,
            carried=True,
            owner=self.owner,
            outer=current_scope(),
        )

    def open_task(self, context: CostContext) -> TaskScope:
        """A new task opened at this point; inside another it is a child task and inherits unset tags."""
        parent = self.enclosing()
        outer = self._own_scope()
        enclosing: Task | None = None
        if outer is not None and (parent is None or wins(outer, parent)):
            context, enclosing = context.fill(outer.context), task_of(outer)
        elif parent is not None:
            context, enclosing = context.fill(parent.place.context), parent.place.task
        task_id = context.task_id
        if not task_id or (enclosing is not None and task_id == enclosing.context.task_id):
            task_id = new_id()
        context = self.private(context.replace(task_id=task_id))
        parent_task = None if enclosing is None else enclosing.task_id
        task = Task(task_id, context, self.recorder.clock(), parent_task_id=parent_task)
        if enclosing is not None:
            task.caps, task.envelopes = enclosing.caps, enclosing.envelopes
        return TaskScope(context, task_id, parent_task, opened_in=parent, owner=self.owner, state=task)

    def current_task(self) -> Task | None:
        """The task that encloses this point of the program, if any."""
        parent = self.enclosing()
        scope = self._own_scope()
        if scope is not None and (parent is None or wins(scope, parent)):
            return task_of(scope)
        return None if parent is None else parent.place.task

    # Lookup

    def _own_scope(self) -> TaskScope | None:
        innermost = current_scope()
        if innermost is None:  # a generator costs more than the answer
            return None
        for scope in around(innermost):
            if scope.owner is self.owner and not scope.carried:
                return scope
        return None

    def _join(
        self,
        scope: TaskScope,
        parent: Run | None,
        metadata: dict[str, Any],
        name: str,
        inputs: object,
        *,
        is_chain: bool,
    ) -> None:
        """Tie a task to the thread of the graph that starts in it; a resumed graph brings its own task."""
        thread_id = str(metadata.get("thread_id") or "")
        if not (is_chain and thread_id and parent is None):
            return
        task = task_of(scope)
        if is_resume(inputs) and not task.announced:
            context, resumed = self._resumed(scope.context.replace(task_id=""), name, thread_id)
            if resumed is not None and context is not None:
                resumed.caps = task.caps
                scope.state = task = resumed
        if not task.thread_id:
            task.thread_id, task.graph, task.announced = thread_id, name, False
        self.recorder.announce(task)

    def _begin_in_task(
        self,
        scope: TaskScope,
        parent: Run | None,
        spend: dict[str, Any],
        metadata: dict[str, Any],
    ) -> Run:
        place = self._place_in_task(scope, parent)
        base = Run(place, parent, _NO_SPEND if parent is None else parent.spend)
        return Run(self._below(base, spend, metadata), parent, spend)

    def _place_in_task(self, scope: TaskScope, parent: Run | None) -> Place:
        task = task_of(scope)
        if parent is None:
            return Place(task, scope.context, thread_id=task.thread_id, graph=task.graph)
        step_id = parent.step.step_id if parent.step is not None else parent.place.parent_step_id
        return parent.place.moved(task=task, context=scope.context, parent_step_id=step_id)

    def _begin_root(
        self,
        run_id: UUID,
        spend: dict[str, Any],
        metadata: dict[str, Any],
        name: str,
        inputs: object,
        tags: list[str] | None,
        *,
        is_chain: bool,
    ) -> Run:
        thread_id = str(metadata.get("thread_id") or "")
        graph = name if is_chain else ""
        problem = ""
        context = self._resolve(metadata, tags)
        if context is None and self._trusts_metadata and spend:
            try:
                context = self._read(spend)
            except ContextError as error:
                problem = f"Its metadata was not accepted: {error}."
        task = None
        if is_chain and thread_id and is_resume(inputs):
            context, task = self._resumed(context, graph, thread_id)
        context = self.private(context or _UNATTRIBUTED)
        if task is None:
            task = Task(
                context.task_id or (str(run_id) if self.runs.get(run_id) is None else new_id()),
                context,
                self.recorder.clock(),
                thread_id=thread_id if is_chain else "",
                graph=graph,
            )
        place = Place(task, context, thread_id=thread_id, graph=graph, problem=problem)
        run = Run(place, None, spend, owns_task=True)
        if is_chain and thread_id:
            self.recorder.announce(task)
        if problem:
            self.recorder.decide(place, "context", "ignored", problem)
        ns = metadata.get("langgraph_checkpoint_ns")
        if ns:  # a node's run whose graph started before the meter was attached
            run.place = entered(place, ns, metadata)
        return run

    def _read(self, spend: dict[str, Any]) -> CostContext | None:
        """The context of a root's metadata; the same few come again and again, and are checked once."""
        key = tuple(spend.items())
        try:
            if key in self._contexts:
                return self._contexts[key]
        except TypeError:  # a value that is no text: reading it says what is wrong
            return CostContext.from_metadata(spend)
        context = CostContext.from_metadata(spend)
        if len(self._contexts) >= _MOST_KEPT:
            self._contexts.clear()
        self._contexts[key] = context
        return context

    def _resumed(
        self, context: CostContext | None, graph: str, thread_id: str
    ) -> tuple[CostContext | None, Task | None]:
        """The thread's task, if the caller's own tags do not say it is somebody else's."""
        paused = self.recorder.outages.unfinished_task(context, graph, thread_id)
        if paused is None:
            return context, None
        before = context_of(paused)
        if context is not None:
            context = self.private(context)
        if context is None or context.is_empty:
            context = before
        elif context.context_id != before.context_id or context.task_id not in {"", paused.task_id}:
            return context, None
        task = Task(
            paused.task_id,
            before,
            paused.started_us,
            thread_id=thread_id,
            graph=graph,
            replays_left=paused.paid,
        )
        return context, task

    def _resolve(self, metadata: Mapping[str, Any], tags: list[str] | None) -> CostContext | None:
        if self.resolver is None:
            return None
        context = self.resolver({"metadata": dict(metadata), "tags": list(tags or ())}, langgraph_runtime())
        return None if context is None else self.private(context)

    def private(self, context: CostContext) -> CostContext:
        """The context as the ledger may know it: with a pseudonym where the policy hashes users."""
        if self._hashes_users and context.user:
            return context.replace(user=pseudonym(context.user, self.recorder.ledger.secret))
        return context

    def _below(self, parent: Run, spend: dict[str, Any], metadata: dict[str, Any]) -> Place:
        """The place of a run under `parent`: the parent's own, unless it entered a node or brings tags."""
        place = parent.place
        if parent.step is not None and parent.step.step_id != place.parent_step_id:
            place = place.moved(parent_step_id=parent.step.step_id)
        ns = metadata.get("langgraph_checkpoint_ns")
        if ns is not None and ns != place.checkpoint_ns:
            place = entered(place, ns, metadata)
            note_node(parent, ns)
        if self.resolver is not None and place.context.is_empty:
            place = self._resolved_late(place, metadata)
        if spend is not parent.spend and spend != parent.spend:
            own = {k: v for k, v in spend.items() if parent.spend.get(k) != v}
            if own:
                place = self._tagged(place, own)
        return place

    def _resolved_late(self, place: Place, metadata: dict[str, Any]) -> Place:
        """LangGraph's runtime is only there inside a node: a root without context is asked again."""
        context = place.task.context
        if context.is_empty:
            context = self._resolve(metadata, None) or _UNATTRIBUTED
            if context.is_empty:
                return place
            place.task.context = context
        return place.moved(context=context)

    def _tagged(self, place: Place, own: dict[str, Any]) -> Place:
        try:
            tags = CostContext.from_metadata(own)
        except ContextError as error:
            self.recorder.decide(place, "context", "ignored", f"metadata was not accepted: {error}")
            return place
        if tags is None:
            return place
        context, refused = place.context.below(self.private(tags))
        if refused:
            reason = f"a run inside the task tried to change {', '.join(refused)}"
            self.recorder.decide(place, "context", "ignored", reason, tags=list(refused))
        if context.context_id == place.context.context_id:
            return place
        return place.moved(context=context)


def _spend_of(metadata: dict[str, Any], inherited: dict[str, Any]) -> dict[str, Any]:
    """The entries of a run's metadata that are ours; `inherited` itself where they are its parent's."""
    try:
        # Looking at each entry takes three times as long, at every run's start.
        ours = " ".join(metadata).count("spend_")
        if ours == len(inherited) and inherited.items() <= metadata.items():
            return inherited
        return {k: v for k, v in metadata.items() if k[:6] == "spend_"} or _NO_SPEND
    except TypeError:  # a host may use keys that are no text
        return {k: v for k, v in metadata.items() if str(k).startswith("spend_")} or _NO_SPEND
