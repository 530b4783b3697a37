"""What one meter makes of LangChain's events.

The process-wide dispatcher calls a listener once for every event of a run that belongs to its meter; an
event delivered twice is recorded once, because a run that is known is not begun again and a run that has
ended is not ended again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spendgraph.hooks import wire
from spendgraph.hooks.outcomes import is_pause, task_status
from spendgraph.hooks.raw_errors import outcome_of
from spendgraph.pricing import (
    Reported,
    Usage,
    estimate_tokens,
    read_langchain,
    read_langchain_error,
    read_provider,
)

if TYPE_CHECKING:
    from spendgraph.hooks.attribution import Attribution
    from spendgraph.hooks.places import Run
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger.records import StepStatus, TaskStatus

_LENGTH_PARAMETERS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")


class Listener:
    """Turns the events of LangChain runs into steps and tasks.

    Args:
        recorder: The meter's recorder.
        attribution: The meter's memory of runs.
        tools: The meter's tool registry.
    """

    def __init__(self, recorder: StepRecorder, attribution: Attribution, tools: ToolRegistry) -> None:
        self.recorder = recorder
        self.attribution = attribution
        self.tools = tools
        self.installed = False
        self.claimed: set[object] = set()
        self._runs = attribution.runs

    # Is it ours, and new?

    def claim(self, run_id: object, parent_run_id: object) -> None:
        """A handler of this meter was attached to a run that its parent does not bring along."""
        if parent_run_id not in self._runs and run_id not in self._runs:
            self.claimed.add(run_id)

    def wants(self, run_id: object, parent_run_id: object) -> bool:
        """Whether a run that starts now is this meter's business."""
        if parent_run_id in self._runs:
            return True
        if run_id in self.claimed:
            self.claimed.discard(run_id)
            return True
        return self.installed or self.attribution.is_inside()

    # Chains

    def chain_start(
        self,
        run_id: object,
        parent_run_id: object,
        metadata: dict[str, Any] | None,
        name: str,
        inputs: object,
        tags: list[str] | None,
    ) -> None:
        """A graph, node or chain starts."""
        if run_id in self._runs:
            return
        self.attribution.begin(
            run_id, parent_run_id, metadata, name=name, inputs=inputs, tags=tags, is_chain=True
        )

    def chain_end(self, run_id: object) -> None:
        """A graph, node or chain ended."""
        run = self._runs.get(run_id)
        if run is None or run.ended:
            return
        self.attribution.finish(run)
        if run.parent is None:
            self._root_ended(run, "paused" if run.paused else "finished")

    def chain_error(self, run_id: object, error: BaseException) -> None:
        """A graph, node or chain ended with an exception; what runs below it will not end any more."""
        run = self._runs.get(run_id)
        if run is None or run.ended:
            return
        self.attribution.finish(run)
        if is_pause(error) and run.parent is not None:
            run.parent.paused = True
        if run.parent is None:
            self._root_ended(run, "paused" if run.paused else task_status(error))
        elif run.place.task.open_steps and not is_pause(error):
            self._settle_below(run)

    # Models

    def model_start(
        self,
        run_id: object,
        parent_run_id: object,
        metadata: dict[str, Any] | None,
        serialized: dict[str, Any] | None,
        inputs: object,
        kwargs: dict[str, Any],
    ) -> None:
        """A chat or completion model is about to be called. Refusals leave from here."""
        if run_id in self._runs:
            return
        run = self.attribution.begin(run_id, parent_run_id, metadata, tags=kwargs.get("tags"))
        metadata = metadata or {}
        parameters: dict[str, Any] = kwargs.get("invocation_params") or {}
        provider = str(metadata.get("ls_provider") or "")
        model = metadata.get("ls_model_name") or parameters.get("model") or parameters.get("model_name")
        limit = metadata.get("ls_max_tokens")
        for key in _LENGTH_PARAMETERS:
            if limit is not None:
                break
            limit = parameters.get(key)
        run.step = self.recorder.open(
            str(run_id),
            run.place,
            "model",
            kwargs.get("name") or _class_name(serialized),
            provider=provider,
            model=str(model or ""),
            inputs=inputs,
            max_output_tokens=limit if isinstance(limit, int) else None,
            run_id=run_id,
            parameters=parameters,
        )
        if provider == "anthropic":
            wire.expect(run_id, batch_size=kwargs.get("batch_size") or 1)

    def model_end(self, run_id: object, response: Any) -> None:
        """A model answered."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        reported = read_langchain(response, provider=run.step.provider)
        if run.step.provider == "anthropic" and not reported.cache_hit:
            reported = _with_wire(run_id, reported)
        self._close_model(run, reported, "ok", None)

    def model_error(self, run_id: object, error: BaseException, response: Any) -> None:
        """A model call failed, was cut off or was cancelled."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        name = type(error).__name__
        status: StepStatus = "error"
        if name == "GeneratorExit":
            status = "cut"
        elif name in {"CancelledError", "KeyboardInterrupt", "SystemExit"}:
            status = "cancelled"
        reported = read_langchain_error(error, response, provider=run.step.provider)
        if run.step.provider == "anthropic":
            reported = _with_wire(run_id, reported)
        if reported.usage is None and status == "error" and outcome_of(error) == "free":
            reported = Reported(usage=Usage(), provider=reported.provider, model=reported.model)
        self._close_model(run, reported, status, error)

    def _close_model(
        self, run: Run, reported: Reported, status: StepStatus, error: BaseException | None
    ) -> None:
        step = run.step
        assert step is not None
        end = task_status(error) if run.owns_task else None
        self.recorder.close(step, reported, status=status, error=error, end_task=end)

    # Tools and retrievers

    def tool_start(
        self,
        run_id: object,
        parent_run_id: object,
        metadata: dict[str, Any] | None,
        serialized: dict[str, Any] | None,
        name: str | None,
    ) -> None:
        """A tool is about to be called. Refusals leave from here."""
        if run_id in self._runs:
            return
        run = self.attribution.begin(run_id, parent_run_id, metadata)
        tool = name or str((serialized or {}).get("name") or "tool")
        run.step = self.recorder.open(
            str(run_id), run.place, "tool", self.tools.qualified(tool, metadata), run_id=run_id
        )

    def retriever_start(
        self,
        run_id: object,
        parent_run_id: object,
        metadata: dict[str, Any] | None,
        serialized: dict[str, Any] | None,
        name: str | None,
    ) -> None:
        """A retriever is about to be called. Refusals leave from here."""
        if run_id in self._runs:
            return
        run = self.attribution.begin(run_id, parent_run_id, metadata)
        retriever = name or _class_name(serialized)
        run.step = self.recorder.open(str(run_id), run.place, "retriever", retriever, run_id=run_id)

    def priced_end(self, run_id: object, result: object) -> None:
        """A tool or retriever returned: its price may depend on the result."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        charge = self.tools.charge(run.step.name, result)
        self.recorder.close(
            run.step,
            cost_nanousd=charge.cost_nanousd,
            cost_basis=charge.basis,
            owner=charge.owner,
            quantity=charge.quantity,
            unit=charge.unit,
            note=charge.note,
        )
        self._end_lone(run, "finished")

    def priced_error(self, run_id: object, error: BaseException) -> None:
        """A tool or retriever failed: nothing is charged, the attempt is recorded."""
        run = self._ending(run_id)
        if run is None or run.step is None:
            return
        if is_pause(error) and run.parent is not None:
            run.parent.paused = True
        status: StepStatus = "cancelled" if type(error).__name__ == "CancelledError" else "error"
        self.recorder.close(
            run.step, status=status, error=error, owner=self.tools.owner(run.step.name), cost_nanousd=None
        )
        self._end_lone(run, task_status(error))

    # Ends

    def settle_all(self) -> None:
        """Settle every step whose end was not heard."""
        tasks = {id(run.place.task): run.place.task for run in list(self._runs.values())}
        for task in tasks.values():
            self.recorder.settle(task.open_steps.values())

    def _ending(self, run_id: object) -> Run | None:
        run = self._runs.get(run_id)
        if run is None or run.ended:
            return None
        self.attribution.finish(run)
        return run

    def _end_lone(self, run: Run, status: TaskStatus) -> None:
        if run.owns_task:
            self.recorder.end_task(run.place.task, status)

    def _root_ended(self, run: Run, status: TaskStatus) -> None:
        task = run.place.task
        if task.open_steps:
            self._settle_below(run)
        self.recorder.ledger.settle()
        if run.owns_task:
            self.recorder.end_task(task, status, durable=status != "finished")
        else:  # the task is a `meter.task`, which ends itself, unless a graph in it waits for an answer
            task.paused = status == "paused"
            if task.paused:
                self.recorder.end_task(task, status, durable=True)

    def _settle_below(self, run: Run) -> None:
        runs = self._runs
        steps = [
            step
            for step in list(run.place.task.open_steps.values())
            if (inner := runs.get(step.run_id)) is not None and inner.is_inside(run)
        ]
        self.recorder.settle(steps)


def _with_wire(run_id: object, reported: Reported) -> Reported:
    """What the wire said, where LangChain's message lost it.

    Of a stream that was cut before its final counts, the wire knows the exact input; the output is estimated
    from the text.
    """
    raw = wire.collect(run_id)
    if raw is None:
        return reported
    read = read_provider(raw, provider="anthropic")
    usage = read.usage
    if usage is None:
        return reported
    if raw.get("stop_reason") is None:
        seen = max(usage.output_tokens, estimate_tokens(reported.output_text))
        return replace(read, usage=replace(usage, output_tokens=seen), estimated=True)
    return read


def _class_name(serialized: dict[str, Any] | None) -> str:
    if not serialized:
        return ""
    return str(serialized.get("name") or (serialized.get("id") or [""])[-1])
