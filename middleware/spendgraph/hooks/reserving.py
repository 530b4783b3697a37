"""Room in budgets for the steps of one meter: taken before the call goes out, told apart when it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.budgets.authority import BudgetAuthority, Call, Need, TooDear, Unbounded
from spendgraph.clock import from_us
from spendgraph.hooks.asking import Asking
from spendgraph.hooks.rows import TOKEN_KINDS
from spendgraph.hooks.streams import Streams
from spendgraph.ledger.holds import Ask, Hold, Shortfall
from spendgraph.ledger.records import HeldStep, HoldRelease, StepRow
from spendgraph.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.hooks.places import Place
    from spendgraph.hooks.refusals import BudgetExceeded
    from spendgraph.hooks.rows import StepRows
    from spendgraph.hooks.steps import OpenStep
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.records import Record
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import PriceBook


_MOST_KEPT = 10_000


class Reservations:
    """Takes room for steps, or refuses them with a decision that says why.

    Args:
        ledger: Where the room is.
        policy: The budgets.
        prices: The price book.
        tools: What tools cost.
        rows: Makes the row to book should a call's end never be heard.
        references: The rows that a step at a place refers to.
        decide: Writes a decision: `decide(place, kind, outcome, reason, **detail)`.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        prices: PriceBook,
        tools: ToolRegistry,
        rows: StepRows,
        references: Callable[[Place], tuple[Record, ...]],
        decide: Callable[..., None],
    ) -> None:
        self._ledger = ledger
        self._tools = tools
        self._rows = rows
        self._references = references
        self._written: set[tuple[str, str]] = set()
        self._decide = decide
        self._authority = BudgetAuthority(ledger, policy, prices)
        self._loop_wait_s = policy.loop_wait_ms / 1000
        self._asking = Asking(ledger, policy.approvals, references, decide, self._loop_wait_s)
        self.streams = Streams(ledger, self._authority, rows, self._cut, self._loop_wait_s)

    def admit(self, step: OpenStep, *, fixed_nanousd: int | None = None, is_spent: bool = False) -> None:
        """Take room for a step that is about to start, and note it on the step.

        Args:
            step: The step.
            fixed_nanousd: What it costs at most, where the caller knows.
            is_spent: The money is gone already: it counts, and nothing is refused.

        Raises:
            BudgetExceeded: A budget has not enough room left.
            UnboundedCall: A strict budget cannot tell what the call may cost at most.
            LedgerUnavailable: The ledger cannot be written.
        """
        if step.kind not in TOKEN_KINDS and fixed_nanousd is None and step.kind != "other":
            is_paid, fixed_nanousd = self._tools.upfront(step.name)
            if not is_paid:
                return
        place = step.place
        need = self._authority.need(
            Call(
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
        )
        if need is None:
            return
        if isinstance(need, Unbounded):
            self._refuse_unbounded(step, need)
        elif isinstance(need, TooDear):
            self._refuse(step, need.budget, need.shortfall)
        else:
            self._take(step, need)

    def record(self, step: OpenStep, row: StepRow) -> Record:
        """The row of a step that has ended, as it is booked: what was held for it is settled with it."""
        hold = step.hold
        if row.entry == "charge" and row.status == "ok":
            what = step.model if step.kind in TOKEN_KINDS else step.name
            self._authority.learn(step.place.context.feature, what, row.cost_nanousd, row.cost_basis)
        if hold is None:
            return row
        return HeldStep(tuple(row), hold.windows, hold.nanousd, hold.tokens, hold.draws)

    def release(self, step: OpenStep) -> None:
        """Give back what was held for a step that was not sent after all."""
        if step.hold is not None:
            self._ledger.book(HoldRelease(step.step_id, step.hold.draws))

    def _take(self, step: OpenStep, need: Need) -> None:
        wants = need.wants
        step.estimate_nanousd, step.reserved_nanousd = need.estimate_nanousd, need.nanousd
        if not wants:
            return
        # With the hold goes what its row refers to, because another process may have to book it; what is only queued
        # here may never be written.
        place = step.place
        payer = place.context.context_id, place.task.task_id
        ask = Ask(
            wants,
            need.nanousd,
            need.tokens,
            self._rows.unheard(step, step.started_us, need.nanousd, need.tokens),
            () if payer in self._written else self._references(place),
        )
        taken = self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s)
        while isinstance(taken, Shortfall):
            budget = need.budgets[wants.index(taken.want)]
            if not budget.asks and taken.threshold is None:
                break
            self._asking.ask(step.place, budget, taken, self._exceeded(step, budget, taken))
            # Granted: whether there is room is asked anew, in the window and with what is spent by now.
            taken = self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s)
        if isinstance(taken, Hold):
            step.hold, step.need = taken, need
            if len(self._written) >= _MOST_KEPT:
                self._written.clear()
            self._written.add(payer)
        else:
            self._refuse(step, need.budgets[wants.index(taken.want)], taken)

    def _refuse(self, step: OpenStep, budget: Budget, found: Shortfall) -> None:
        refusal = self._exceeded(step, budget, found)
        self._note(step, budget, found, refusal, "refused")
        raise refusal

    def _cut(self, step: OpenStep, budget: Budget, found: Shortfall) -> BudgetExceeded:
        refusal = self._exceeded(step, budget, found, reason="stream_cut")
        self._note(step, budget, found, refusal, "cut")
        return refusal

    def _note(
        self, step: OpenStep, budget: Budget, found: Shortfall, refusal: BudgetExceeded, outcome: str
    ) -> None:
        want = found.want
        self._decide(
            step.place,
            "budget",
            outcome,
            str(refusal).removesuffix(refusal.hint).rstrip(),
            step_id=step.step_id,
            budget=budget.name,
            scope=want.scope,
            window_start_us=want.start_us,
            unit=want.unit,
            limit=want.limit or 0,
            spent=found.spent,
            held=found.held,
            asked=found.asked,
        )

    def _exceeded(
        self, step: OpenStep, budget: Budget, found: Shortfall, *, reason: str = ""
    ) -> BudgetExceeded:
        from spendgraph.hooks.refusals import BudgetExceeded

        want = found.want
        limit = want.limit or 0
        is_cap = want.scope.startswith("cap=")
        whose = f" for {want.scope}" if want.scope and not is_cap else ""
        allowed, spent, held, asked = (
            format_usd(count) if want.unit == "nanousd" else f"{count:,} {want.unit}"
            for count in (limit, found.spent, found.held, found.asked)
        )
        said = (
            f"budget {budget.name!r}{whose} allows {allowed}; {spent} is spent, {held} is held by calls under way,"
            f" and this call asks for {asked}{' more' if reason else ''}"
        )
        what = "answer was cut off" if reason else "call was not sent"
        return BudgetExceeded(
            f"The {step.kind} {what}: {said}.",
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

    def _refuse_unbounded(self, step: OpenStep, found: Unbounded) -> None:
        from spendgraph.hooks.refusals import UnboundedCall

        budget = found.counter.budget
        reason = f"budget {budget.name!r} is strict, and the call has no ceiling: it lacks {found.missing}"
        self._decide(
            step.place,
            "budget",
            "refused",
            reason,
            step_id=step.step_id,
            budget=budget.name,
            lacks=found.missing,
        )
        raise UnboundedCall(
            f"The {step.kind} call was not sent: {reason}.",
            hint="Set it on the call, or let the budget say `reserve: expected`.",
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
