"""Room in budgets for the steps of one meter: taken before the call goes out, told apart when it is refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

from spendgraph.budgets.authority import BudgetAuthority, Need, TooDear, Unbounded
from spendgraph.budgets.breakers import Guarded
from spendgraph.errors import LedgerUnavailable
from spendgraph.hooks.asking import Asking
from spendgraph.hooks.budget_calls import call_of, covers
from spendgraph.hooks.dear_calls import DearCalls
from spendgraph.hooks.exceeding import exceeded, unbounded
from spendgraph.hooks.gating import Gating
from spendgraph.hooks.guarding import Guarding
from spendgraph.hooks.outage import unheld
from spendgraph.hooks.streams import Streams
from spendgraph.ledger.asks import Ask, Hold, Shortfall
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.records import TOKEN_KINDS, HeldStep, HoldRelease, StepRow, UnheldStep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spendgraph.budgets.breakers import Watch
    from spendgraph.hooks.handing_over import Held
    from spendgraph.hooks.outage import Outages
    from spendgraph.hooks.places import OpenStep, Place, WindowKey
    from spendgraph.hooks.refusals import BudgetExceeded
    from spendgraph.hooks.rows import StepRows
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.asks import Want
    from spendgraph.ledger.choosing import Chosen, Ladder
    from spendgraph.ledger.records import Record
    from spendgraph.notify import Notifier
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import PriceBook

T = TypeVar("T")

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
        self.authority = BudgetAuthority(ledger, policy, prices)
        self._loop_wait_s = policy.loop_wait_ms / 1000
        self._guarding = Guarding(ledger, policy, decide, notifier) if policy.breakers else None
        self._asking = Asking(ledger, policy.approvals, references, decide, self._loop_wait_s, notifier)
        self._notifier = notifier
        self._dear = DearCalls(policy.budgets, notifier)
        self.gating = Gating(ledger, self.authority, self._asking, self._loop_wait_s, outages, notifier)
        self.streams = Streams(ledger, self.authority, rows, self._cut, self._loop_wait_s)

    def admit(
        self,
        step: OpenStep,
        fault: str | None,
        *,
        fixed_nanousd: int | None = None,
        is_spent: bool = False,
        is_told: bool = False,
    ) -> str | None:
        """Take room for a step that is about to start, and note it on the step.

        Args:
            step: The step.
            fault: Why the ledger cannot be asked for room, in words, where the policy lets the step out all the same.
            fixed_nanousd: What it costs at most, where the caller knows.
            is_spent: The money is gone already: it counts, and nothing is refused.
            is_told: It is told its cost while it runs, so that having no price does not make it free.

        Returns:
            The fault in spite of which the step goes out; `None` where there is none.

        Raises:
            BudgetExceeded: A budget has not enough room left.
            BreakerOpen: A breaker is open, or trips.
            UnboundedCall: A strict budget cannot tell what the call may cost at most.
            LedgerUnavailable: The ledger cannot be written.
        """
        watches, seen = self._watched(step, is_spent=is_spent)
        if fixed_nanousd is None and (step.kind not in TOKEN_KINDS or step.kind == "rerank"):
            is_paid, fixed_nanousd = self._tools.upfront(step.name)
            if not is_paid and not is_told and step.kind != "rerank":
                if self._guarding is not None and (guards := self._guarding.free(step, watches, seen)):
                    return self._take(step, _NOTHING, Guarded((), guards), fault)
                return fault
        call = call_of(step, fixed_nanousd=fixed_nanousd, is_spent=is_spent)
        need = self.authority.need(call, is_guarded=bool(watches))
        if need is None:
            return fault
        if isinstance(need, Unbounded):
            self.refuse_unbounded(step, need)
        if isinstance(need, TooDear):
            self.refuse(step, need.budget, need.shortfall)
        return self._take(step, need, self._guarded(step, need, is_spent=is_spent), fault)

    def record(self, step: OpenStep, row: StepRow) -> Record:
        """The row of a step that has ended, as it is booked: what was held for it is settled with it."""
        hold = step.hold
        if row.entry == "charge" and row.status == "ok":
            what = step.model if step.kind in TOKEN_KINDS else step.name
            self.authority.learn(step.place.context.feature, what, row.cost_nanousd, row.cost_basis)
        if row.cost_nanousd > self._dear.least_nanousd:
            self._dear.look(step, row)
        if hold is None:
            windows = self._uncounted(step, row) if step.unheld is None else step.unheld.windows
            return UnheldStep(tuple(row), windows) if windows else row
        if row.entry == "correction":  # what was held went with the charge
            return HeldStep(tuple(row), hold.windows, 0, 0, hold.draws, hold.envelopes)
        return HeldStep(tuple(row), *hold)

    def _uncounted(self, step: OpenStep, row: StepRow) -> tuple[WindowKey, ...]:
        """The windows of a step that asked for no room, because only its end says that it costs something."""
        if not row.cost_nanousd:
            return ()
        wants, budgets = self.authority.windows_of(call_of(step, is_spent=True))
        need = Need(wants, row.cost_nanousd, 0, row.cost_nanousd, budgets)
        guarded = self._guarded(step, need, is_spent=True)
        return unheld((*wants, *guarded.wants), need.nanousd, 0).windows

    def is_overrun(self, step: OpenStep, record: Record, row: StepRow) -> bool:
        """Whether what is booked takes more room than was held for it, so that it must count before the next call."""
        if not isinstance(record, HeldStep):
            return isinstance(record, UnheldStep) and step.unheld is None
        return row.cost_nanousd > record.held_nanousd or (
            self._counts_tokens and row.input_tokens + row.output_tokens > record.held_tokens
        )

    def release(self, step: OpenStep) -> None:
        """Give back what was held for a step that was not sent after all."""
        if step.hold is not None:
            self._ledger.book(HoldRelease(step.step_id, step.hold.draws, step.hold.envelopes))

    # Holds that are taken before the call is announced

    def adopt(self, step: OpenStep, held: Held) -> bool:
        """Let a step that starts take over what was reserved for it, if it needs no more; else give that back.

        Returns:
            Whether it did: the step then has the hold's id and start. If not, it reserves for itself.
        """
        if not held.claim():
            return False
        before = held.step
        watches, seen = self._watched(step, is_spent=False)
        is_loop = any(0 < watch.guard.most <= len(seen) for watch in watches)
        call = call_of(step)._replace(started_us=before.started_us)
        need = self.authority.need(call)
        if is_loop or not isinstance(need, Need) or not covers(held, call, need):
            self.release(before)
            return False
        step.step_id, step.started_us = before.step_id, before.started_us
        step.hold, step.need = before.hold, before.need
        step.estimate_nanousd, step.reserved_nanousd = before.estimate_nanousd, before.reserved_nanousd
        return True

    def ask_for(self, step: OpenStep, need: Need) -> Ask:
        """What the ledger is asked to hold for a step before its call is announced; loops are looked for then."""
        step.watched = ((), ()) if self._guarding is None else (self._guarding.watches(step), ())
        guarded = self._guarded(step, need, is_spent=False)
        return self._ask(step, need, guarded, (*need.wants, *guarded.wants))

    def choose(self, step: OpenStep, ladder: Ladder, budgets: Sequence[Budget]) -> Chosen | None:
        """Take room for the first form of a call that fits; `None` where the ladder has none.

        Args:
            step: The step, on which the hold is noted.
            ladder: The forms.
            budgets: The budget of each of its windows.

        Raises:
            BudgetExceeded: No form fits.
            BreakerOpen: A breaker is open, or trips.
            ApprovalPause: The graph pauses for a person who may give more.
        """
        windows = [want[:3] for want in ladder.wants]

        def reserve() -> Chosen | Shortfall | Blocked | None:
            return self._ledger.reserve_first(ladder, loop_wait_s=self._loop_wait_s)

        chosen = self._with_room(step, lambda want: budgets[windows.index(want[:3])], reserve)
        if chosen is not None:
            self._took(step, chosen.ask, chosen.hold)
        return chosen

    # Taking

    def _watched(self, step: OpenStep, *, is_spent: bool) -> tuple[tuple[Watch, ...], tuple[int, ...]]:
        """The breakers that guard a step, and when calls identical to it started: noted once, whoever asks first."""
        if self._guarding is None:
            return (), ()
        if step.watched is None:
            watches = self._guarding.watches(step)
            step.watched = watches, () if is_spent else self._guarding.note(step, watches)
        return step.watched

    def _guarded(self, step: OpenStep, need: Need, *, is_spent: bool) -> Guarded:
        if self._guarding is None or step.watched is None or not step.watched[0]:
            return _UNGUARDED
        guard = partial(
            self._guarding.guard, step, *step.watched, is_free=need.nanousd == 0, is_spent=is_spent
        )
        try:
            return guard()
        except (
            LedgerUnavailable
        ):  # no median is known then; whether the step goes out is said where it takes room
            if not self._outages.lets_out(step.place.context):
                raise
            return guard(compares=False)

    def _take(self, step: OpenStep, need: Need, guarded: Guarded, fault: str | None) -> str | None:
        wants = (*need.wants, *guarded.wants) if guarded.wants else need.wants
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
        ask = self._ask(step, need, guarded, wants)
        try:
            hold = self._with_room(
                step,
                lambda want: need.budgets[wants.index(want)],
                lambda: self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s),
            )
        except LedgerUnavailable as error:
            # Once a budget has said no, only the ledger can say yes.
            if error.had_no_room or not self._outages.lets_out(step.place.context):
                raise
            step.reserved_nanousd = None
            return self._take(step, need, guarded, str(error))
        self._took(step, ask, hold)
        return None

    def _ask(self, step: OpenStep, need: Need, guarded: Guarded, wants: tuple[Want, ...]) -> Ask:
        # With the hold goes what its row refers to, because another process may have to book it; what is only queued
        # here may never be written.
        place = step.place
        if place.task.caps and not self._counts_tokens:
            self._counts_tokens = any(want.unit == "tokens" for want in wants)
        step.need = need
        if guarded.wants:  # a stream is not cut off for a breaker's sake: the next call trips it
            unlimited = (want._replace(limit=None) for want in guarded.wants)
            step.need = need._replace(wants=(*need.wants, *unlimited))
        return Ask(
            wants,
            need.nanousd,
            need.tokens,
            self._rows.unheard(step, step.started_us, need.nanousd, need.tokens),
            () if _payer(place) in self._written else self._references(place),
            envelopes=place.task.envelopes,
            breakers=guarded.guards,
        )

    def _with_room(
        self,
        step: OpenStep,
        budget_of: Callable[[Want], Budget],
        reserve: Callable[[], T | Shortfall | Blocked],
    ) -> T:
        """What `reserve` returns once there is room; a person is asked for it where the budget says so."""
        taken = reserve()
        rounds: dict[str, int] = {}
        while isinstance(taken, Shortfall):
            budget = budget_of(taken.want)
            if not budget.asks and taken.threshold is None:
                self.refuse(step, budget, taken)
            refusal, tried = self._exceeded(step, budget, taken), rounds.get(budget.name, -1)
            try:
                asked = self._asking.ask(step.place, budget, taken, refusal, tried)
                if taken.threshold is None:
                    rounds[budget.name] = asked
                # Granted: whether there is room is asked anew, in the window and with what is spent by now.
                taken = reserve()
            except LedgerUnavailable as error:
                error.had_no_room = True
                raise
        if isinstance(taken, Blocked):
            assert self._guarding is not None
            self._guarding.refuse(step, taken)
        return taken

    def _took(self, step: OpenStep, ask: Ask, hold: Hold) -> None:
        if self._guarding is not None:
            self._guarding.passed(step)
        if not hold.windows and not hold.probes:
            return  # breakers are closed, and nothing was taken
        step.hold = hold
        if ask.first:
            if len(self._written) >= _MOST_KEPT:
                self._written.clear()
            self._written.add(_payer(step.place))

    # Refusing

    def refuse(self, step: OpenStep, budget: Budget, found: Shortfall) -> NoReturn:
        """Refuse a step for which there is no room, write that down and tell people."""
        refusal = self._exceeded(step, budget, found)
        self._note(step, budget, found, refusal, "refused")
        raise refusal

    def refuse_unbounded(self, step: OpenStep, found: Unbounded) -> NoReturn:
        """Refuse a step that has no proven ceiling, and write that down."""
        refusal = unbounded(step.kind, found)
        reason = str(refusal).removesuffix(refusal.hint).rstrip()
        self._decide(
            step.place,
            "budget",
            "refused",
            reason,
            step_id=step.step_id,
            budget=refusal.budget,
            lacks=found.missing,
        )
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


def _payer(place: Place) -> tuple[str, str]:
    return place.context.context_id, place.task.task_id
