"""What a model call that LangChain announced as failed has cost.

A status of the provider, or a connection that was never made, is free. What an error or a broken stream reports is
believed. A stream that its reader left, or that a budget cut off, costs what was received of it. Everything else (a
timeout, a lost connection, a cancellation, in the middle of an answer too) was sent, and nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from spendgraph.hooks import wire_usage
from spendgraph.hooks.raw_errors import outcome_of
from spendgraph.hooks.streams import received
from spendgraph.pricing import Reported, Usage, read_langchain_error

if TYPE_CHECKING:
    from uuid import UUID

    from spendgraph.hooks.places import OpenStep
    from spendgraph.ledger.records import StepStatus

_CANCELLATIONS = frozenset({"CancelledError", "KeyboardInterrupt", "SystemExit"})


class Failure(NamedTuple):
    """How a model call failed.

    Attributes:
        status: The step's status.
        reported: What is known of its usage.
        is_unheard: It was sent, and what it cost is not known.
    """

    status: StepStatus
    reported: Reported
    is_unheard: bool


def read_failure(step: OpenStep, run_id: UUID, error: BaseException, response: Any) -> Failure:
    """How a model call failed, and what is known of its cost.

    Args:
        step: The call's step.
        run_id: The call's run.
        error: What it failed with.
        response: What LangChain has of the answer.
    """
    name = type(error).__name__
    reported = read_langchain_error(error, response, provider=step.provider)
    if step.provider == "anthropic":
        reported = wire_usage.completed(run_id, reported)
    if step.cut is not None:
        return Failure("cut", received(step, reported), is_unheard=False)
    if name == "GeneratorExit":
        return Failure("cut", reported, is_unheard=False)
    status: StepStatus = "cancelled" if name in _CANCELLATIONS else "error"
    if reported.usage is not None:
        return Failure(status, reported, is_unheard=reported.estimated)
    if status == "error" and not reported.output_text and outcome_of(error) == "free":
        free = Reported(usage=Usage(), provider=reported.provider, model=reported.model)
        return Failure(status, free, is_unheard=False)
    return Failure(status, reported, is_unheard=True)
