"""Calls that LangChain announces together, before it sends the first of them.

`generate` of several prompts, and `batch` of a completion model, which is one, announce every prompt first. When one is
refused, none is sent, and asynchronously some are announced only then. A chat model then sends them one after the
other, unless it does so on an event loop: when one fails, those behind it are not sent.

The prompts of a group have one object in common: the `options` that LangChain makes for it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from spendgraph.hooks.places import Group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spendgraph.hooks.places import Run
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.ledger.records import TaskStatus

_MOST_KEPT = 1_000
"""Groups that are remembered until a call of them ends: refused ones have none that does."""

_CHAT_MODELS = "langchain_core.language_models.chat_models"


class Groups:
    """The groups of one meter.

    Args:
        recorder: Forgets the steps of calls that are not sent.
    """

    def __init__(self, recorder: StepRecorder) -> None:
        self._recorder = recorder
        self._groups: dict[int, Group] = {}
        self._changing = threading.RLock()  # asynchronous completion models are announced in threads

    def of(self, announced: Mapping[str, Any]) -> Group | None:
        """The group of a call by what it is announced with; `None` of a call by itself."""
        size, options = announced.get("batch_size"), announced.get("options")
        if type(size) is not int or size == 1 or options is None:
            return None
        with self._changing:
            group = self._groups.get(id(options))
            if group is None:
                if len(self._groups) >= _MOST_KEPT:
                    del self._groups[next(iter(self._groups))]
                group = self._groups[id(options)] = Group(options)
            return group

    def let_in(self, group: Group, run: Run) -> None:
        """A call of a group was let in; it is not sent where another was refused meanwhile."""
        with self._changing:
            if not group.is_refused:
                run.group = group
                group.runs.append(run)
                return
        self._unsent(run, "refused")

    def refuse(self, announced: Mapping[str, Any]) -> None:
        """A call was refused: those that are announced together with it are not sent either."""
        group = self.of(announced)
        if group is None:
            return
        with self._changing:
            group.is_refused = True
            let_in, group.runs = group.runs, []
        for run in let_in:
            self._unsent(run, "refused")

    def ended(self, run: Run, error: BaseException | None = None) -> None:
        """A call ended, with an error or without: after one, calls that were to be sent behind it are not."""
        group, run.group = run.group, None
        if group is None:
            return
        behind: list[Run] = []
        with self._changing:
            self._groups.pop(id(group.options), None)
            if error is not None and run in group.runs and _sent_in_turn(error):
                at = group.runs.index(run)
                behind, group.runs = group.runs[at + 1 :], group.runs[:at]
        for each in behind:
            self._unsent(each, "failed")

    def _unsent(self, run: Run, status: TaskStatus) -> None:
        run.group = None
        if run.ended or run.step is None:
            return
        run.ended = True
        self._recorder.void(run.step)
        if run.owns_task:
            run.owns_task = False
            self._recorder.end_task(run.place.task, status)


def _sent_in_turn(error: BaseException) -> bool:
    """Whether a failed call was one of a chat model's that are sent one after the other.

    `BaseChatModel.generate` caught the error then; where it goes out to all at once, something else did.
    """
    trace = error.__traceback__
    if trace is None:
        return False
    frame = trace.tb_frame
    return frame.f_code.co_name == "generate" and frame.f_globals.get("__name__") == _CHAT_MODELS
