"""Room in budgets for the steps of one meter: taken before the call goes out, told apart when it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.budgets.authority import BudgetAuthority, Call, Need, TooDear, Unbounded
from spendgraph.budgets.breakers import Guarded
from spendgraph.errors import LedgerUnavailable
from spendgraph.hooks.asking import Asking
from spendgraph.hooks.dear_calls import DearCalls
from spendgraph.hooks.exceeding import exceeded
from spendgraph.hooks.gating import Gating
from spendgraph.hooks.guarding import Guarding
from spendgraph.hooks.outage import unheld
from spendgraph.hooks.rows import TOKEN_KINDS
from spendgraph.hooks.streams import Streams
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.holds import Ask, Hold, Shortfall
from spendgraph.ledger.records import HeldStep, HoldRelease, StepRow, UnheldStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.budgets.breakers import Watch
    from spendgraph.hooks.outage import Outages
    from spendgraph.hooks.places import Place
    from spendgraph.hooks.refusals import BudgetExceeded
    from spendgraph.hooks.rows import StepRows
    from spendgraph.hooks.steps import OpenStep
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.records import Record
    from spendgraph.notify import Notifier
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import PriceBook


_MOST_KEPT = 10_000
_NOTHING = Need((), 0, 0, 0, ())
_UNGUARDED = Guarded((), ())


class Reservations:
    """Takes room for steps, or refuses them with a decision that says why.

    Args:
        ledger: Where the room is.
        policy: The budgets and breakers.
        prices: The price book.
        tools: What tools cost.
        rows: Makes the row to book should a call's end never be heard.
        references: The rows that a step at a place refers to.
        decide: Writes a decision: `decide(place, kind, outcome, reason, **detail)`.
        outages: Says which calls go out without a ledger.
        notifier: Tells people of what was refused, of what they are asked and of dear calls.
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
        outages: Outages,
        notifier: Notifier | None = None,
    ) -> None:
        self._ledger = ledger
        self._outages = outages
        self._tools = tools
        self._rows = rows
        self._references = references
        self._written: set[tuple[str, str]] = set()
        self._counts_tokens = any(budget.unit == "tokens" for budget in policy.budgets)
        self._decide = decide
        self._authority = BudgetAuthority(ledger, policy, prices)
        self._loop_wait_s = policy.loop_wait_ms / 1000
        self._guarding = Guarding(ledger, policy, decide, notifier) if policy.breakers else None
        self._asking = Asking(ledger, policy.approvals, references, decide, self._loop_wait_s, notifier)
        self._notifier = notifier
        self._dear = DearCalls(policy.budgets, notifier)
        self.gating = Gating(ledger, self._authority, self._asking, self._loop_wait_s, notifier)
        self.streams = Streams(ledger, self._authority, rows, self._cut, self._loop_wait_s)

    def admit(
        self,
        step: OpenStep,
        fault: str | None,
        *,
        fixed_nanousd: int | None = None,
        is_spent: bool = False,
    ) -> str | None:
        """Take room for a step that is about to start, and note it on the step.

        Args:
            step: The step.
            fault: Why the ledger cannot be asked for room, in words, where the policy lets the step out all the same.
            fixed_nanousd: What it costs at most, where the caller knows.
            is_spent: The money is gone already: it counts, and nothing is refused.

        Returns:
            The fault in spite of which the step goes out; `None` where there is none.

        Raises:
            BudgetExceeded: A budget has not enough room left.
            BreakerOpen: A breaker is open, or trips.
            UnboundedCall: A strict budget cannot tell what the call may cost at most.
            LedgerUnavailable: The ledger cannot be written.
        """
        guarding = self._guarding
        watches: tuple[Watch, ...] = ()
        seen: tuple[int, ...] = ()
        if guarding is not None:
            watches = guarding.watches(step)
            seen = () if is_spent else guarding.note(step, watches)
        if step.kind not in TOKEN_KINDS and fixed_nanousd is None and step.kind != "other":
            is_paid, fixed_nanousd = self._tools.upfront(step.name)
            if not is_paid:
                if guarding is not None and (guards := guarding.free(step, watches, seen)):
                    return self._take(step, _NOTHING, Guarded((), guards), fault)
                return fault
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
            ),
            is_guarded=bool(watches),
        )
        if need is None:
            return fault
        if isinstance(need, Unbounded):
            self._refuse_unbounded(step, need)
        elif isinstance(need, TooDear):
            self._refuse(step, need.budget, need.shortfall)
        elif guarding is None or not watches:
            return self._take(step, need, _UNGUARDED, fault)
        else:
            is_free = need.nanousd == 0
            guarded = guarding.guard(step, watches, seen, is_free=is_free, is_spent=is_spent)
            return self._take(step, need, guarded, fault)
        return fault

    def record(self, step: OpenStep, row: StepRow) -> Record:
        """The row of a step that has ended, as it is booked: what was held for it is settled with it."""
        hold = step.hold
        if row.entry == "charge" and row.status == "ok":
            what = step.model if step.kind in TOKEN_KINDS else step.name
            self._authority.learn(step.place.context.feature, what, row.cost_nanousd, row.cost_basis)
        if row.cost_nanousd > self._dear.least_nanousd:
            self._dear.look(step, row)
        if hold is None:
            return row if step.unheld is None else UnheldStep(tuple(row), step.unheld.windows)
        if row.entry == "correction":  # what was held went with the charge
            return HeldStep(tuple(row), hold.windows, 0, 0)
        return HeldStep(tuple(row), *hold)

    def is_overrun(self, record: Record, row: StepRow) -> bool:
        """Whether what is booked takes more room than was held for it, so that it must count before the next call."""
        if not isinstance(record, HeldStep):
            return False
        return row.cost_nanousd > record.held_nanousd or (
            self._counts_tokens and row.input_tokens + row.output_tokens > record.held_tokens
        )

    def release(self, step: OpenStep) -> None:
        """Give back what was held for a step that was not sent after all."""
        if step.hold is not None:
            self._ledger.book(HoldRelease(step.step_id, step.hold.draws, step.hold.envelopes))

    def _take(self, step: OpenStep, need: Need, guarded: Guarded, fault: str | None) -> str | None:
        wants = (*need.wants, *guarded.wants)
        reserved = need.nanousd if need is not _NOTHING and (wants or not guarded.guards) else None
        if need is not _NOTHING:
            step.estimate_nanousd = need.estimate_nanousd
        if not wants and not guarded.guards:
            step.reserved_nanousd = reserved
            return fault
        if fault is not None:
            step.unheld = unheld(wants, need.nanousd, need.tokens) if wants else None
            return fault
        step.reserved_nanousd = reserved
        # With the hold goes what its row refers to, because another process may have to book it; what is only queued
        # here may never be written.
        place = step.place
        if place.task.caps and not self._counts_tokens:
            self._counts_tokens = any(want.unit == "tokens" for want in wants)
        payer = place.context.context_id, place.task.task_id
        ask = Ask(
            wants,
            need.nanousd,
            need.tokens,
            self._rows.unheard(step, step.started_us, need.nanousd, need.tokens),
            () if payer in self._written else self._references(place),
            envelopes=place.task.envelopes,
            breakers=guarded.guards,
        )
        try:
            taken = self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s)
        except LedgerUnavailable as error:
            # Once a budget has said no, only the ledger can say yes; below, too.
            if error.had_no_room or not self._outages.lets_out(place.context):
                raise
            step.reserved_nanousd = None
            return self._take(step, need, guarded, str(error))
        rounds: dict[str, int] = {}
        while isinstance(taken, Shortfall):
            budget = need.budgets[wants.index(taken.want)]
            if not budget.asks and taken.threshold is None:
                break
            exceeded, tried = self._exceeded(step, budget, taken), rounds.get(budget.name, -1)
            asked = self._asking.ask(step.place, budget, taken, exceeded, tried)
            if taken.threshold is None:
                rounds[budget.name] = asked
            # Granted: whether there is room is asked anew, in the window and with what is spent by now.
            taken = self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s)
        if isinstance(taken, Blocked):
            assert self._guarding is not None
            self._guarding.refuse(step, taken)
        if isinstance(taken, Hold):
            if self._guarding is not None:
                self._guarding.passed(step)
            if not taken.windows and not taken.probes:
                return None  # breakers are closed, and nothing was taken
            step.hold, step.need = taken, need
            if guarded.wants:  # a stream is not cut off for a breaker's sake: the next call trips it
                unlimited = (want._replace(limit=None) for want in guarded.wants)
                step.need = need._replace(wants=(*need.wants, *unlimited))
            if len(self._written) >= _MOST_KEPT:
                self._written.clear()
            self._written.add(payer)
        else:
            self._refuse(step, need.budgets[wants.index(taken.want)], taken)
        return None

    def _refuse(self, step: OpenStep, budget: Budget, found: Shortfall) -> None:
        refusal = self._exceeded(step, budget, found)
        self._note(step, budget, found, refusal, "refused")
        raise refusal

    def _cut(self, step: OpenStep, budget: Budget, found: Shortfall) -> BudgetExceeded:
        refusal = exceeded(
            f"The {step.kind} answer was cut off", "it asks for more:", budget, found, reason="stream_cut"
        )
        self._note(step, budget, found, refusal, "cut")
        return refusal

    def _note(
        self, step: OpenStep, budget: Budget, found: Shortfall, refusal: BudgetExceeded, outcome: str
    ) -> None:
        want = found.want
        if self._notifier is not None and not want.scope.startswith("cap="):
            self._notifier.blocked(budget, found)
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

    def _exceeded(self, step: OpenStep, budget: Budget, found: Shortfall) -> BudgetExceeded:
        return exceeded(f"The {step.kind} call was not sent", "this call asks for", budget, found)

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
