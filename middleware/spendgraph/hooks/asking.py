"""Asking a person for room beyond a limit: pausing the graph by an interrupt of our own, and reading the answer.

LangGraph's `interrupt()` hands out answers by the order of calls within a task, so that parallel calls can get each
other's. Here the interrupt's id is the approval's, and an answer is looked up by it: first in the ledger, then among
the values that the run is resumed with, and a single value only where this question alone is waiting.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from spendgraph.clock import from_us
from spendgraph.errors import ApprovalError
from spendgraph.hooks.answers import SILENT, answer_by_id, running_config, single_answer, use_up
from spendgraph.hooks.tool_prices import dollars
from spendgraph.ledger.approvals import Decision, Question
from spendgraph.money import format_amount, format_usd, is_or_are
from spendgraph.policy.periods import duration_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.hooks.places import Place
    from spendgraph.hooks.refusals import Refusal
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.approvals import Standing
    from spendgraph.ledger.asks import Shortfall
    from spendgraph.ledger.records import Record
    from spendgraph.notify import Notifier
    from spendgraph.policy import Approvals, Budget

ACTION = "spend"
"""The name of the action that a person is asked to approve."""

NOTE = "acknowledge"
"""The name of the action that a person is asked to take note with."""

_INLINE = "resume"
"""Who decided, where the run was resumed with the decision."""


_MOST = 10**18
"""Of nano-USD, tokens or calls: a billion dollars. Added to a limit, it still fits the ledger's integers."""


class Answer(NamedTuple):
    """What somebody said: yes or no, how much in the budget's unit (`None`: as asked), and why.

    What cannot be read means no.
    """

    yes: bool
    amount: int | None
    why: str
    is_readable: bool = True


class Asking:
    """Asks for one meter.

    Args:
        ledger: The inbox.
        approvals: What counts as an answer.
        references: The rows that a question at a place refers to.
        decide: Writes a decision.
        loop_wait_s: How long an event loop waits for the ledger.
        notifier: Tells people that they are asked.
    """

    def __init__(
        self,
        ledger: Ledger,
        approvals: Approvals,
        references: Callable[[Place], tuple[Record, ...]],
        decide: Callable[..., None],
        loop_wait_s: float,
        notifier: Notifier | None = None,
    ) -> None:
        self._ledger = ledger
        self._within_us = duration_us(approvals.within)
        self._is_recorded = approvals.decisions == "recorded"
        self._references = references
        self._decide = decide
        self._loop_wait_s = loop_wait_s
        self._notifier = notifier

    def ask(self, place: Place, budget: Budget, found: Shortfall, exceeded: Refusal, tried: int = -1) -> int:
        """Return when more room was granted; else pause the graph, or refuse.

        Args:
            place: Where the call is.
            budget: The budget without enough room.
            found: What is missing.
            exceeded: The refusal that the call would get if nobody could be asked.
            tried: What this returned the last time, if the room that was granted then is not enough.

        Returns:
            The round of the approval, for the next time.

        Raises:
            ApprovalPause: The graph pauses for a person.
            ApprovalRequired: It cannot, or the answer was no.
        """
        question = self._question(place, budget, found, tried)
        standing = self._ledger.inbox.ask(question, loop_wait_s=self._loop_wait_s)
        configurable = running_config()
        if standing.state == "pending" and not standing.is_new:
            standing = self._answered(place, budget, found, standing, configurable, exceeded)
        if standing.state == "approved":
            return standing.round
        wanted = "more" if found.threshold is None else "going on"
        if standing.state in {"denied", "expired"}:
            by = f" by {standing.decided_by}" if standing.decided_by else ""
            why = f": {standing.decided_why}" if standing.decided_why else ""
            said = f"{wanted} was {standing.state}{by}{why}"
            raise self._refusal(standing, exceeded, f"approval_{standing.state}", said)
        if self._notifier is not None:
            self._notifier.asked(budget, found, standing, place.task.task_id)
        act = (
            "approve it"
            if found.threshold is None
            else f"take note that {format_amount(found.spent, found.want.unit)} {is_or_are(found.spent, found.want.unit)} spent"
        )
        waiting = f"a person has to {act} by {from_us(standing.expires_us).isoformat(timespec='minutes')}"
        refusal = self._refusal(standing, exceeded, "approval_required", waiting)
        if configurable.get("__pregel_checkpointer") is None or not configurable.get("thread_id"):
            raise refusal
        from spendgraph.hooks.refusals import ApprovalPause

        raise ApprovalPause(refusal, _payload(place, budget, found, standing))

    def _question(self, place: Place, budget: Budget, found: Shortfall, tried: int = -1) -> Question:
        want, task = found.want, place.task
        return Question(
            want.budget,
            want.scope,
            want.start_us,
            want.since_us,
            task.task_id,
            place.thread_id,
            place.graph,
            place.context.context_id,
            want.unit,
            want.limit or 0,
            found.spent,
            found.held,
            found.asked if found.threshold is None else 0,
            place.checkpoint_ns,
            budget.approvers,
            self._within_us,
            "approve" if found.threshold is None else "acknowledge",
            found.threshold or 0,
            tried,
            self._references(place),
        )

    def _answered(
        self,
        place: Place,
        budget: Budget,
        found: Shortfall,
        standing: Standing,
        configurable: dict[str, Any],
        exceeded: Refusal,
    ) -> Standing:
        """How the question stands once what the run was resumed with is taken for the decision, where that counts."""
        approval_id = standing.approval_id
        said = answer_by_id(configurable, approval_id)
        is_single = said is SILENT and standing.is_alone
        if is_single:
            said = single_answer(configurable, place, approval_id)
        if said is SILENT:
            return standing
        answer = read_answer(said, found.want.unit, ACTION if found.threshold is None else NOTE)
        if self._is_recorded or budget.approvers:
            how = (
                f"budget {budget.name!r} wants a decision that is recorded in the ledger, not a resume value"
            )
            self._ignore(place, approval_id, how)
            how = "only a decision recorded in the ledger counts, and there is none"
            raise self._refusal(standing, exceeded, "approval_not_recorded", how)
        if is_single and not answer.is_readable:
            # It may be meant for a question of the graph's own, which gets it.
            self._ignore(place, approval_id, answer.why)
            raise self._refusal(standing, exceeded, "approval_unreadable", answer.why)
        decision = Decision(answer.yes, _INLINE, answer.why, answer.amount)
        try:
            decided = self._ledger.inbox.decide(approval_id, decision, loop_wait_s=self._loop_wait_s)
        except ApprovalError as error:
            if error.reason != "decided":
                raise self._refusal(standing, exceeded, f"approval_{error.reason}", str(error)) from error
            # Another branch was first with the same answer; what it said is in the ledger.
            question = self._question(place, budget, found)
            return self._ledger.inbox.ask(question, loop_wait_s=self._loop_wait_s)
        if is_single:
            use_up(configurable, place, approval_id)
        return standing._replace(state=decided.state, decided_by=_INLINE, decided_why=answer.why)

    def _ignore(self, place: Place, approval_id: str, why: str) -> None:
        self._decide(place, "approval", "ignored", why, approval_id=approval_id)

    def _refusal(self, standing: Standing, exceeded: Refusal, reason: str, what: str) -> Any:
        from spendgraph.hooks.refusals import ApprovalRequired

        hint = exceeded.hint
        if reason in {"approval_required", "approval_not_recorded"}:
            command = f"spendgraph approvals approve {standing.approval_id[:8]} --by NAME --why REASON"
            hint = f"Decide with `{command}`, and go on with the thread."
        message = str(exceeded).removesuffix(exceeded.hint).rstrip().rstrip(".")
        return ApprovalRequired(
            f"{message}; {what}.",
            reason=reason,
            hint=hint,
            budget=exceeded.budget,
            owner=exceeded.owner,
            scope=exceeded.scope,
            window=exceeded.window,
            limit=exceeded.limit,
            spent=exceeded.spent,
            held=exceeded.held,
            asked=exceeded.asked,
            approval_id=standing.approval_id,
        )


def read_answer(said: object, unit: str, action: str = ACTION) -> Answer:
    """Read LangChain's human-in-the-loop answer, `{"decisions": [...]}` with one decision; anything else means no.

    `{"type": "approve"}` grants what was asked, `{"type": "edit", "edited_action": {"name": "spend", "args": {"amount":
    "5"}}}` another amount (dollars, tokens or calls), `{"type": "reject", "message": "..."}` nothing.
    """
    decisions: Any = said.get("decisions") if isinstance(said, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(decisions, list) or len(decisions) != 1:  # pyright: ignore[reportUnknownArgumentType]
        return _nonsense("one decision")
    decision: Any = decisions[0]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(decision, dict):
        return _nonsense("a decision with a type")
    read = cast("dict[str, Any]", decision)
    why = read.get("message")
    why = why[:1000] if isinstance(why, str) else ""
    match read.get("type"):
        case "approve":
            return Answer(yes=True, amount=None, why=why)
        case "reject":
            return Answer(yes=False, amount=None, why=why)
        case "edit":
            edited: Any = read.get("edited_action")
            args: Any = cast("dict[str, Any]", edited).get("args") if isinstance(edited, dict) else None
            if (
                action == NOTE
                or not isinstance(args, dict)
                or cast("dict[str, Any]", edited).get("name") != ACTION
            ):
                return _nonsense(
                    "approve or reject" if action == NOTE else f"the action {ACTION!r} with its amount"
                )
            amount = cast("dict[str, Any]", args).get("amount")
            try:
                granted = read_amount(amount, unit)
            except ValueError:
                return _nonsense(f"an amount of {unit}")
            return Answer(yes=True, amount=granted, why=why)
        case _:
            return _nonsense("approve, edit or reject")


def read_amount(amount: object, unit: str) -> int:
    """An amount above zero in a budget's unit: dollars become nano-USD.

    Raises:
        ValueError: It is none.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int | float | Decimal):
        raise ValueError(f"expected an amount, found {amount!r}")  # noqa: TRY004 - one kind of error for all that is wrong
    try:
        read = _MOST + 1  # which is looked at first: an exponent is not to be written out
        if isinstance(amount, str) or amount <= _MOST:
            read = dollars(amount, name="amount") if unit == "nanousd" else int(amount)
    except ArithmeticError as error:  # a Decimal that is no number
        raise ValueError(f"expected an amount, found {amount!r}") from error
    if read > _MOST:
        raise ValueError("expected an amount that a limit can have, found a larger one")
    if read <= 0 or (unit != "nanousd" and str(read) != str(amount)):
        raise ValueError(f"expected an amount above 0, found {amount!r}")
    return read


def _nonsense(expected: str) -> Answer:
    return Answer(
        yes=False, amount=None, why=f"the answer could not be read: expected {expected}", is_readable=False
    )


def _payload(place: Place, budget: Budget, found: Shortfall, standing: Standing) -> dict[str, Any]:
    """LangChain's human-in-the-loop request, and the figures beside it."""
    want, unit = found.want, found.want.unit
    whose = f" for {want.scope}" if want.scope else ""
    description = (
        f"Budget {budget.name!r}{whose} allows {format_amount(want.limit or 0, unit)}; {format_amount(found.spent, unit)}"
        f" {is_or_are(found.spent, unit)} spent and {format_amount(found.held, unit)} {is_or_are(found.held, unit)} held by calls under way."
    )
    args: dict[str, str] = {}
    if found.threshold is None:
        action, allowed = ACTION, ["approve", "edit", "reject"]
        amount = format_usd(standing.asked).removeprefix("$") if unit == "nanousd" else str(standing.asked)
        args = {"amount": amount, "unit": "usd" if unit == "nanousd" else unit}
        description += f" This task asks for {format_amount(standing.asked, unit)} more."
    else:
        action, allowed = NOTE, ["approve", "reject"]
        description += (
            f" From {format_amount(found.threshold, unit)} on somebody has to take note of it, once."
        )
    return {
        "action_requests": [{"name": action, "args": args, "description": description}],
        "review_configs": [{"action_name": action, "allowed_decisions": allowed}],
        "spendgraph": {
            "approval_id": standing.approval_id,
            "kind": "approve" if found.threshold is None else "acknowledge",
            "budget": budget.name,
            "owner": budget.owner or "",
            "scope": want.scope,
            "unit": unit,
            "limit": want.limit or 0,
            "spent": found.spent,
            "held": found.held,
            "asked": standing.asked,
            "task_spent": standing.task_nanousd,
            "expires": from_us(standing.expires_us).isoformat(),
            "task_id": place.task.task_id,
            "context": place.context.to_mapping(),
        },
    }
