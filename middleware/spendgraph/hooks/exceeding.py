"""Saying that a budget has not enough room: how much it allows, where that is, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.clock import from_us
from spendgraph.money import format_amount, is_or_are

if TYPE_CHECKING:
    from spendgraph.budgets.authority import Unbounded
    from spendgraph.hooks.refusals import BudgetExceeded, UnboundedCall
    from spendgraph.ledger.asks import Shortfall
    from spendgraph.policy import Budget


def exceeded(what: str, asks: str, budget: Budget, found: Shortfall, *, reason: str = "") -> BudgetExceeded:
    """The refusal for want of room.

    Args:
        what: What was not done, such as `The model call was not sent`.
        asks: Who asks, such as `this call asks for`; the amount follows.
        budget: The budget.
        found: What is missing.
        reason: The refusal's reason, if not its class's.
    """
    from spendgraph.hooks.refusals import BudgetExceeded

    want = found.want
    limit = want.limit or 0
    is_cap = want.scope.startswith("cap=")
    whose = f" for {want.scope}" if want.scope and not is_cap else ""
    allowed, spent, held, asked = (
        format_amount(count, want.unit) for count in (limit, found.spent, found.held, found.asked)
    )
    said = (
        f"budget {budget.name!r}{whose} allows {allowed}; {spent} {is_or_are(found.spent, want.unit)} spent,"
        f" {held} {is_or_are(found.held, want.unit)} held by calls under way,"
        f" and {asks} {asked}"
    )
    return BudgetExceeded(
        f"{what}: {said}.",
        reason=reason,
        hint="Raise the cap of the block." if is_cap else _hint(budget, found),
        budget=budget.name,
        owner=budget.owner or "",
        scope=want.scope,
        window="" if "call" in budget.per else from_us(want.start_us).isoformat(),
        limit=limit,
        spent=found.spent,
        held=found.held,
        asked=found.asked,
    )


def unbounded(kind: str, found: Unbounded) -> UnboundedCall:
    """The refusal of a call that has no proven ceiling, for a strict budget."""
    from spendgraph.hooks.refusals import UnboundedCall

    budget = found.counter.budget
    is_price = found.missing.startswith("a price")
    advice = "Add it under prices.models in the policy file" if is_price else "Set it on the call"
    return UnboundedCall(
        f"The {kind} call was not sent: budget {budget.name!r} is strict, and the call has no ceiling: it lacks"
        f" {found.missing}.",
        hint=f"{advice}, or let the budget say `reserve: expected`.",
        budget=budget.name,
        owner=budget.owner or "",
        scope=found.counter.scope,
        limit=budget.limit,
    )


def _hint(budget: Budget, found: Shortfall) -> str:
    """What can be done about a budget that has not enough room."""
    want = found.want
    hint = f"Raise limit_{'usd' if want.unit == 'nanousd' else want.unit} of the budget in the policy file"
    if budget.owner:
        hint += f" (its owner is {budget.owner})"
    if want.end_us is not None and found.asked <= (want.limit or 0):
        hint += f", or wait for its next window at {from_us(want.end_us).isoformat()}"
    return f"{hint}."
