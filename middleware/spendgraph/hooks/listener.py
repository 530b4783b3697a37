"""What one meter makes of LangChain's events.

The process-wide dispatcher calls a listener once for every event of a run that belongs to its meter; an
event delivered twice is recorded once, because a run that is known is not begun again and a run that has
ended is not ended again.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from spendgraph.errors import LedgerError
from spendgraph.hooks import wire, wire_usage
from spendgraph.hooks.announced import announced, class_name
from spendgraph.hooks.answers import forget_answer, note_answer
from spendgraph.hooks.attribution import Attribution
from spendgraph.hooks.chunks import Chunks
from spendgraph.hooks.failures import read_failure
from spendgraph.hooks.groups import Groups
from spendgraph.hooks.handing_over import waiting
from spendgraph.hooks.memory import number_of
from spendgraph.hooks.outcomes import is_pause, task_status
from spendgraph.hooks.raw_errors import is_lost
from spendgraph.hooks.swallowed import Swallowed, note_admission, note_refusal
from spendgraph.pricing import CompletionBatches, Reported, read_langchain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from spendgraph.hooks.attribution import Resolver
    from spendgraph.hooks.places import OpenStep, Run
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger.records import StepKind, TaskStatus

logger = logging.getLogger(__name__)

_UNREADABLE = "the answer could not be read: its usage is estimated"


class Listener:
    """Turns the events of LangChain runs into steps and tasks.

    Args:
        recorder: The meter's recorder.
        tools: The meter's tool registry.
        owner: Marks the meter's own tasks.
        resolver: The meter's resolver, if it has one.
    """

    def __init__(
        self, recorder: StepRecorder, tools: ToolRegistry, owner: object, resolver: Resolver | None
    ) -> None:
        self.recorder = recorder
        self.tools = tools
        self.attribution = Attribution(recorder, owner, resolver, self._lost)
        self._swallowed = Swallowed(raises=recorder.policy.on_swallowed == "raise")
        self.installed = False
        self.closed = False
        self._runs = self.attribution.runs
        self.chunks = Chunks(self._runs, recorder)
        self._claimed: weakref.WeakSet[UUID] = weakref.WeakSet()
        self._claimed_text: set[object] = set()
        self._batches = CompletionBatches()
        self.groups = Groups(recorder)

    # Is it ours, and new?

    def claim(self, run_id: UUID, parent_run_id: UUID | None) -> None:
        """A handler of this meter was attached to a run that its parent does not bring along.

        Raises:
            LedgerError: The meter was closed.
        """
        if self._runs.get(parent_run_id) is not None:
            return
        if self.closed:
            raise LedgerError("this run has the handler of a meter that was closed: attach an open meter")
        try:
            self._claimed.add(run_id)
        except TypeError:  # text in the place of a UUID
            self._claimed_text.add(run_id)

    def _begin(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: dict[str, Any] | None,
        *,
        name: str = "",
        inputs: object = None,
        tags: list[str] | None = None,
        is_chain: bool = False,
    ) -> Run | None:
        """The run that starts now, if it is this meter's business and was not announced before."""
        known = self._runs.get(run_id)
        if known is not None and not known.ended:
            return None
        parent = self._runs.get(parent_run_id)
        if parent is None:
            if run_id in self._claimed:
                self._claimed.discard(run_id)
            elif run_id in self._claimed_text:
                self._claimed_text.discard(run_id)
            elif not self.installed and not self.attribution.is_inside():
                return None
        return self.attribution.begin(
            run_id,
            parent,
            metadata,
            name=name,
            inputs=inputs,
            tags=tags,
            is_chain=is_chain,
            before=known,
        )

    def _open(self, run_id: UUID, run: Run, kind: StepKind, name: str, **details: Any) -> None:
        step_id = str(run_id) if run.use == 1 else f"{run_id}/{run.use}"
        try:
            run.step = self.recorder.open(step_id, run.place, kind, name, run=run, **details)
        except Exception as error:  # a pause that somebody catches is a refusal ignored, too
            note_refusal(run, error)
            if run.owns_task:  # a call by itself: LangChain announces no end of what was not let out
                run.owns_task = False
                self.recorder.end_task(run.place.task, task_status(error))
            raise
        note_admission(run.parent)

    # Chains

    def chain_start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: dict[str, Any] | None,
        name: str,
        inputs: object,
        tags: list[str] | None,
    ) -> None:
        """A graph, node or chain starts."""
        run = self._begin(run_id, parent_run_id, metadata, name=name, inputs=inputs, tags=tags, is_chain=True)
        if run is not None and (run.parent is None or type(inputs).__name__ == "Command"):
            note_answer(run, metadata, inputs)
            if run.parent is None:
                self._swallowed.begins(run, inputs)

    def chain_end(self, run_id: UUID) -> None:
        """A graph, node or chain ended.

        Raises:
            RefusalSwallowed: A call inside was refused, and nobody dealt with that.
        """
        run = self._ending(run_id)
        if run is None:
            return
        forget_answer(run)
        parent = run.parent
        if parent is None:
            ignored = self._swallowed.ends_well(run)
            status: TaskStatus = "refused" if ignored else "paused" if run.paused else "finished"
            self._root_ended(run, status)
            if ignored is not None:
                raise ignored
        elif run.place is not parent.place:  # attempts are counted of a node that fails
            run.place.task.attempts.pop(run.place.checkpoint_ns, None)

    def chain_error(self, run_id: UUID, error: BaseException) -> None:
        """A graph, node or chain ended with an exception; what runs below it will not end any more."""
        run = self._ending(run_id)
        if run is None:
            return
        run.failed = True
        forget_answer(run)
        pauses = is_pause(error)
        if pauses and run.parent is not None:
            run.parent.paused = True
        if run.parent is None:
            self._swallowed.fails(run)
            self._root_ended(run, "paused" if run.paused else task_status(error))
        elif run.place.task.open_steps and not pauses:
            self._settle_below(run)

    # Models

    def model_start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: dict[str, Any] | None,
        serialized: dict[str, Any] | None,
        inputs: object,
        kwargs: dict[str, Any],
    ) -> None:
        """A chat or completion model is about to be called. Refusals leave from here."""
        group = self.groups.of(kwargs)
        if group is not None and group.is_refused:
            return
        run = self._begin(run_id, parent_run_id, metadata, tags=kwargs.get("tags"))
        if run is None:
            return
        metadata = metadata or {}
        parameters: dict[str, Any] = kwargs.get("invocation_params") or {}
        provider, model, limit = announced(metadata, parameters)
        try:
            self._open(
                run_id,
                run,
                "model",
                kwargs.get("name") or class_name(serialized),
                provider=provider,
                model=model,
                inputs=inputs,
                max_output_tokens=limit,
                parameters=parameters,
                held=waiting(self.recorder, inputs, metadata),
            )
        except BaseException:
            self.groups.refuse(kwargs)
            raise
        if group is not None:
            self.groups.let_in(group, run)
        if provider == "anthropic":
            wire.expect(number_of(run_id), batch_size=kwargs.get("batch_size") or 1)

    def model_end(self, run_id: UUID, response: Any) -> None:
        """A model answered."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        provider = run.step.provider
        note = ""
        self.groups.ended(run)
        try:
            sent: Any = run.step.inputs
            if sent and type(sent[0]) is str:  # a completion model: its prompts may share one usage
                reported = self._batches.read(response, run.step.parameters, provider=provider)
            else:
                reported = read_langchain(response, provider=provider)
            if provider == "anthropic" and not reported.cache_hit:
                reported = wire_usage.completed(run_id, reported)
        except Exception:
            logger.exception("spendgraph: an answer could not be read and is estimated")
            reported, note = Reported(provider=provider), _UNREADABLE
        self.recorder.close(run.step, reported, note=note, end_task="finished" if run.owns_task else None)
        self._runs.drop(run_id)

    def model_error(self, run_id: UUID, error: BaseException, response: Any) -> None:
        """A model call failed, was cut off or was cancelled."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        failed = read_failure(run.step, run_id, error, response)
        self.recorder.close(
            run.step,
            failed.reported,
            status=failed.status,
            error=error,
            end_task=task_status(error) if run.owns_task else None,
            is_unheard=failed.is_unheard,
        )
        self.groups.ended(run, error)

    # Tools and retrievers

    def tool_start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: dict[str, Any] | None,
        serialized: dict[str, Any] | None,
        name: str | None,
        inputs: object = None,
    ) -> None:
        """A tool is about to be called. Refusals leave from here."""
        run = self._begin(run_id, parent_run_id, metadata)
        if run is not None:
            tool = name or str((serialized or {}).get("name") or "tool")
            self._open(run_id, run, "tool", self.tools.qualified(tool, metadata), inputs=inputs)

    def retriever_start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: dict[str, Any] | None,
        serialized: dict[str, Any] | None,
        name: str | None,
        inputs: object = None,
    ) -> None:
        """A retriever is about to be called. Refusals leave from here."""
        run = self._begin(run_id, parent_run_id, metadata)
        if run is not None:
            self._open(run_id, run, "retriever", name or class_name(serialized), inputs=inputs)

    def priced_end(self, run_id: UUID, result: object) -> None:
        """A tool or retriever returned: its price may depend on the result.

        Raises:
            RefusalSwallowed: It is a root, a call inside was refused, and nobody dealt with that.
        """
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        ignored = self._swallowed.ends_well(run)
        charge = self.tools.charge(run.step.name, result)
        self.recorder.close(
            run.step,
            cost_nanousd=charge.cost_nanousd,
            cost_basis=charge.basis,
            owner=charge.owner,
            quantity=charge.quantity,
            unit=charge.unit,
            note=charge.note,
            end_task=None if not run.owns_task else "finished" if ignored is None else "refused",
        )
        if ignored is not None:
            raise ignored

    def priced_error(self, run_id: UUID, error: BaseException) -> None:
        """A tool or retriever failed: nothing is charged, unless it may have paid without hearing of it."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        run.refused = None
        if is_pause(error) and run.parent is not None:
            run.parent.paused = True
        self.recorder.close(
            run.step,
            status="cancelled" if type(error).__name__ == "CancelledError" else "error",
            error=error,
            owner=self.tools.owner(run.step.name),
            end_task=task_status(error) if run.owns_task else None,
            is_unheard=is_lost(error),
        )

    # Ends that are not heard

    def void(self, run_id: UUID) -> None:
        """The call was announced and then not made, because another meter refused it."""
        run = self._runs.get(run_id)
        if run is not None and run.step is not None and not run.ended:
            run.ended = True
            self.recorder.void(run.step)

    def settle(self, steps: Iterable[OpenStep]) -> None:
        """Book steps whose end was not heard so far; one that comes late corrects them."""
        self.recorder.settle(steps)

    def _lost(self, run: Run) -> None:
        """Nobody refers to the run any more: its end cannot be heard."""
        run.ended = True
        self.groups.ended(run)
        try:
            if run.step is not None:
                self.recorder.settle([run.step])
            if run.owns_task:
                self.recorder.end_task(run.place.task, "cancelled")
        except Exception:
            # Wherever the collector happened to run: nobody there could do anything about it.
            logger.exception("spendgraph: a call whose end was lost could not be booked")

    def _ending(self, run_id: UUID) -> Run | None:
        """The run that ends now; a late end counts where its step was settled before."""
        run = self._runs.get(run_id)
        if run is None or (run.ended and (run.step is None or run.step.booked is None)):
            return None
        run.ended = True
        if run.key is None:
            self._runs.drop(run_id)
        return run

    def _root_ended(self, run: Run, status: TaskStatus) -> None:
        task = run.place.task
        if task.open_steps:
            self._settle_below(run)
        if run.owns_task:
            self.recorder.end_task(task, status, durable=status != "finished")
        else:  # the task is a `meter.task`, which ends itself, unless a graph in it waits for an answer
            task.paused = status == "paused"
            if task.paused:
                self.recorder.end_task(task, status, durable=True)

    def _settle_below(self, run: Run) -> None:
        steps = [
            step
            for step in list(run.place.task.open_steps.values())
            if (below := step.run) is not None and below.is_inside(run)  # another thread may book it now
        ]
        self.recorder.settle(steps)
