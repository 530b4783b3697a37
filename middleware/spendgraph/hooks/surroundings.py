"""What can be told of the surroundings of a run that starts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, cast

from spendgraph.context import CostContext, TaskScope
from spendgraph.hooks.places import Run, Task

if TYPE_CHECKING:
    from spendgraph.ledger import PausedTask


def wins(scope: TaskScope, parent: Run) -> bool:
    """Whether a task was opened inside `parent` (and not `parent` inside the task)."""
    opened_in = scope.opened_in
    return opened_in is not None and isinstance(opened_in, Run) and opened_in.is_inside(parent)


def context_of(paused: PausedTask) -> CostContext:
    """The context of a task as the ledger knows it."""
    tags: dict[str, object] = {**paused.context._asdict(), "task_id": paused.task_id}
    del tags["context_id"]
    tags["extra"] = json.loads(paused.context.extra)
    return CostContext.from_mapping(tags)


def task_of(scope: TaskScope) -> Task:
    """The task that a meter keeps on a scope of its own."""
    return cast("Task", scope.state)


def is_resume(inputs: object) -> bool:
    """Whether a graph's input goes on with what its thread has left, rather than begin something."""
    return inputs is None or type(inputs).__name__ == "Command"


def langgraph_runtime() -> Any:
    """LangGraph's runtime, inside a node, without importing LangGraph; else `None`."""
    module = sys.modules.get("langgraph.runtime")
    if module is None:
        return None
    try:
        return module.get_runtime()
    except RuntimeError:  # outside of a node
        return None
