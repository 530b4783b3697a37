"""Which value a run was resumed with, and which question it has answered.

LangGraph keeps a single resume value with the checkpoint, so that a later run of the same checkpoint sees it again: it
would answer the next question, too. So a value counts only in the run that brought it, and for one question.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spendgraph.hooks.places import Place, Run

SILENT = object()
"""Nobody has said anything."""


def note_answer(run: Run, metadata: dict[str, Any] | None, inputs: object) -> None:
    """Remember, at a graph's start, whether it is resumed with a value for the one question that waits."""
    run.thread_id = thread_id = str((metadata or {}).get("thread_id") or "")
    answers = run.place.task.answers
    value = getattr(inputs, "resume", None) if type(inputs).__name__ == "Command" else None
    if value is not None:
        answers[thread_id] = ""
    elif answers:
        answers.pop(thread_id, None)


def forget_answer(run: Run) -> None:
    """The run that brought a value has ended."""
    answers = run.place.task.answers
    if answers and run.thread_id and (run.parent is None or run.thread_id != run.root.thread_id):
        answers.pop(run.thread_id, None)


def answer_by_id(configurable: dict[str, Any], approval_id: str) -> object:
    """What the run was resumed with for this very question, or `SILENT`."""
    answers: Any = configurable.get("__pregel_resume_map") or {}
    return answers.get(approval_id, SILENT)


def single_answer(configurable: dict[str, Any], place: Place, approval_id: str) -> object:
    """The one value the run was resumed with, if no other question had it, or `SILENT`; it is not used up."""
    taken = place.task.answers.get(place.thread_id)
    scratchpad: Any = configurable.get("__pregel_scratchpad")
    if taken is None or taken not in {"", approval_id} or scratchpad is None:
        return SILENT
    if configurable.get("__pregel_resume_map"):
        return SILENT
    value = scratchpad.get_null_resume(False)
    return SILENT if value is None else value


def use_up(configurable: dict[str, Any], place: Place, approval_id: str) -> None:
    """The single value has answered this question: nobody else gets it."""
    place.task.answers[place.thread_id] = approval_id
    configurable["__pregel_scratchpad"].get_null_resume(True)


def running_config() -> dict[str, Any]:
    """What LangGraph gives a node under `configurable`, where this is inside one."""
    module = sys.modules.get("langgraph.config")
    if module is None:
        return {}
    try:
        config: dict[str, Any] = module.get_config()
    except RuntimeError:  # outside of a node, or in a thread of somebody's own
        return {}
    found: dict[str, Any] = config.get("configurable") or {}
    return found
