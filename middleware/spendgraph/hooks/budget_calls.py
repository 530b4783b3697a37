"""Calls as the budgets see them: who pays, where they are, and what they may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spendgraph.budgets.authority import Call
from spendgraph.ledger.records import TOKEN_KINDS

if TYPE_CHECKING:
    from spendgraph.budgets.authority import Need
    from spendgraph.hooks.handing_over import Held
    from spendgraph.hooks.places import OpenStep, Place

_OF_A_MODEL: dict[str, Any] = {
    "kind": "model",
    "name": "",
    "provider": "",
    "model": "",
    "inputs": None,
    "parameters": None,
    "max_output_tokens": None,
    "fixed_nanousd": None,
}


def call_at(place: Place, started_us: int, **what: Any) -> Call:
    """A model call at a place: who pays is the place's, `what` is the rest."""
    return Call(
        context=place.context,
        task_id=place.task.task_id,
        thread_id=place.thread_id,
        started_us=started_us,
        caps=place.task.caps,
        **{**_OF_A_MODEL, **what},
    )


def call_of(step: OpenStep, *, fixed_nanousd: int | None = None, is_spent: bool = False) -> Call:
    """A step as the budgets see it."""
    place = step.place
    return Call(
        place.context,
        place.task.task_id,
        place.thread_id,
        step.kind,
        step.name,
        step.provider,
        step.model if step.kind in TOKEN_KINDS else "",
        step.inputs,
        step.parameters,
        step.max_output_tokens,
        fixed_nanousd,
        step.started_us,
        place.task.caps,
        is_spent,
    )


def covers(held: Held, call: Call, need: Need) -> bool:
    """Whether what was reserved is enough for the call that is made, in the same windows."""
    hold, reserved_for = held.step.hold, held.call
    if hold is None or [want[:3] for want in need.wants] != [want[:3] for want in held.wants]:
        return False
    limit, reserved_limit = call.max_output_tokens, reserved_for.max_output_tokens
    is_longer = reserved_limit is not None and (limit is None or limit > reserved_limit)
    if is_longer or need.tokens > hold.tokens:
        return False
    # An expected cost follows the history, which may have moved since: of the same model it is the same call.
    is_same = (call.provider, call.model) == (reserved_for.provider, reserved_for.model)
    return need.nanousd <= hold.nanousd or (is_same and not held.is_strict)
