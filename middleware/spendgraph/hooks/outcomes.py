"""How a run or a block of code ended, as a task's status."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendgraph.ledger.records import TaskStatus

_CANCELLATIONS = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt"})


def is_pause(error: BaseException) -> bool:
    """Whether LangGraph pauses or drains with this exception (without importing LangGraph)."""
    errors = sys.modules.get("langgraph.errors")
    if errors is None:
        return False
    pausing: tuple[type[BaseException], ...] = (errors.GraphInterrupt, errors.GraphDrained)
    return isinstance(error, pausing)


def is_refusal(error: BaseException | None) -> bool:
    """Whether this is one of our refusals (without importing them)."""
    refusals = sys.modules.get("spendgraph.hooks.refusals")
    return refusals is not None and isinstance(error, refusals.Refusal)


def is_ours(error: BaseException | None) -> bool:
    """Whether this is a refusal, or the pause with which a person is asked (without importing them)."""
    refusals = sys.modules.get("spendgraph.hooks.refusals")
    return refusals is not None and isinstance(error, refusals.Refusal | refusals.ApprovalPause)


def task_status(error: BaseException | None) -> TaskStatus:
    """The status of a task whose code ended with this exception, or with none."""
    if error is None:
        return "finished"
    if is_pause(error):
        return "paused"
    if is_refusal(error):
        return "refused"
    return "cancelled" if type(error).__name__ in _CANCELLATIONS else "failed"
