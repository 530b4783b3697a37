"""Refusals: a call that was not let out.

`Refusal` is at once a `SpendgraphError`, a LangGraph `GraphBubbleUp` and a `RuntimeError`. Only subclasses of
`GraphBubbleUp` are let through, unretried, by RetryPolicy, error-handler nodes, `ToolNode` and LangChain's
retry, fallback and tool-error middleware, and they leave the task unfinished, so that the graph can be
continued without paying for finished siblings again. LangGraph is costly to import, so this module is
imported when the first refusal is raised, never before.
"""

from __future__ import annotations

from typing import Self

from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.types import Interrupt

from spendgraph.errors import SpendgraphError


class Refusal(SpendgraphError, GraphBubbleUp, RuntimeError):  # noqa: N818 - the public name
    """A paid call was refused before it was sent.

    Attributes:
        budget: Name of the budget that refused, or empty when it was not a budget.
        owner: Who owns that budget.
        scope: The scope value the budget counts, for example `tenant=acme`.
        window: The window, as an ISO time of its start, or empty.
        limit: Limit of the window in nano-USD, or `None`.
        spent: Already spent in the window in nano-USD.
        held: Held by calls under way in nano-USD.
        asked: What the call would have reserved in nano-USD.
        reason: A short machine-readable word.
        approval_id: Id of the approval that would let it out, or empty.
        hint: What to do.
    """

    reason = "refused"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        hint: str = "",
        budget: str = "",
        owner: str = "",
        scope: str = "",
        window: str = "",
        limit: int | None = None,
        spent: int = 0,
        held: int = 0,
        asked: int = 0,
        approval_id: str = "",
    ) -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.budget = budget
        self.owner = owner
        self.scope = scope
        self.window = window
        self.limit = limit
        self.spent = spent
        self.held = held
        self.asked = asked
        self.reason = reason or type(self).reason
        self.approval_id = approval_id
        self.hint = hint
        self.is_handled = False
        self._bare: Self | None = None

    def handled(self) -> Self:
        """Say that this refusal was dealt with on purpose; otherwise it comes back at the end of the run."""
        self.is_handled = True
        if self._bare is not None:
            self._bare.is_handled = True
        return self

    def bare(self) -> Self:
        """What can be kept of this refusal: all but its traceback, which keeps every frame and prompt it was raised through.

        It knows when this one is dealt with.
        """
        if self._bare is None:
            bare = type(self).__new__(type(self), *self.args)
            vars(bare).update(vars(self))
            self._bare = bare
        return self._bare


class BudgetExceeded(Refusal):
    """A budget has not enough room left for the call. Amounts are in the budget's unit, nano-USD for money."""

    reason = "budget_exceeded"


class BreakerOpen(Refusal):
    """A breaker is open for the call's scope: something looked wrong, and nothing of that scope is let out for a while.

    Attributes:
        breaker: The breaker's name; `owner` answers for it, `scope` is whose calls it stops.
        why: Why it tripped.
        tripped_by: Who tripped it; empty where it did by itself.
        until: From when on one call is let through to try, as an ISO time.
    """

    reason = "breaker_open"

    def __init__(
        self,
        message: str,
        *,
        breaker: str,
        scope: str,
        why: str,
        until: str,
        owner: str = "",
        tripped_by: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint, owner=owner, scope=scope)
        self.breaker = breaker
        self.why = why
        self.until = until
        self.tripped_by = tripped_by


class UnboundedCall(Refusal):
    """A strict budget admits only calls with a proven ceiling; the message names what the call lacks."""

    reason = "unbounded_call"


class ApprovalRequired(Refusal):
    """A person has to agree before the call may go out, and has not, or said no.

    `reason` is `approval_required` where nobody could be asked (no checkpointer to pause with), `approval_denied`,
    `approval_expired`, or `approval_not_recorded` where a resume value is no decision.
    """

    reason = "approval_required"


class ApprovalPause(GraphInterrupt):
    """LangGraph pauses until a person has decided; `refusal` says on what."""

    def __init__(self, refusal: ApprovalRequired, payload: object) -> None:
        super().__init__((Interrupt(value=payload, id=refusal.approval_id),))
        self.refusal = refusal

    def handled(self) -> Self:
        """Say that this pause was caught on purpose, as `Refusal.handled` does."""
        self.refusal.handled()
        return self


class RefusalSwallowed(Refusal):
    """A refusal was caught on the way, and the run went on as if the call had answered.

    Attributes:
        refusal: The refusal; `refusal.handled()` where it is caught says that this is meant.
    """

    reason = "refusal_swallowed"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(
            f"A refused call was ignored: {refusal}",
            hint="Call handled() on the refusal where you catch it, if that is meant.",
            budget=refusal.budget,
            owner=refusal.owner,
            scope=refusal.scope,
            window=refusal.window,
            limit=refusal.limit,
            spent=refusal.spent,
            held=refusal.held,
            asked=refusal.asked,
            approval_id=refusal.approval_id,
        )
        self.refusal = refusal


class ContextMissing(Refusal):
    """Required tags are missing or not allowed, and the policy says to block.

    Attributes:
        missing: Names of the tags at fault.
    """

    reason = "context_missing"

    def __init__(self, message: str, *, missing: tuple[str, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = missing


class UnpricedModel(Refusal):
    """No price is known for the model, and the policy says to block.

    Attributes:
        provider: The provider as the model names it.
        model: The model asked for.
    """

    reason = "unpriced_model"

    def __init__(self, message: str, *, provider: str, model: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.model = model
