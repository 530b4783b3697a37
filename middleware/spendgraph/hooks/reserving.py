"""Room in budgets for the steps of one meter: taken before the call goes out, told apart when it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from spendgraph.budgets.authority import BudgetAuthority, Call, Need, TooDear, Unbounded
from spendgraph.clock import from_us
from spendgraph.hooks.asking import Asking
from spendgraph.hooks.rows import TOKEN_KINDS
from spendgraph.hooks.steps import OpenStep
from spendgraph.ledger.holds import Ask, Hold, Shortfall
from spendgraph.ledger.records import HeldStep, HoldRelease, StepRow
from spendgraph.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spendgraph.hooks.handing_over import Held
    from spendgraph.hooks.places import Place
    from spendgraph.hooks.refusals import BudgetExceeded
    from spendgraph.hooks.rows import StepRows
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.choosing import Chosen, Ladder
    from spendgraph.ledger.holds import Want
    from spendgraph.ledger.records import Record
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import PriceBook


T = TypeVar("T")

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
        self.authority = BudgetAuthority(ledger, policy, prices)
        self._loop_wait_s = policy.loop_wait_ms / 1000
        self._asking = Asking(ledger, policy.approvals, references, decide, self._loop_wait_s)

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
        need = self.authority.need(call_of(step, fixed_nanousd=fixed_nanousd, is_spent=is_spent))
        if need is None:
            return
        if isinstance(need, Unbounded):
            self.refuse_unbounded(step, need)
        elif isinstance(need, TooDear):
            self.refuse(step, need.budget, need.shortfall)
        else:
            self._take(step, need)

    def record(self, step: OpenStep, row: StepRow) -> Record:
        """The row of a step that has ended, as it is booked: what was held for it is settled with it."""
        hold = step.hold
        if row.entry == "charge" and row.status == "ok" and row.cost_basis != "upper_bound":
            what = step.model if step.kind in TOKEN_KINDS else step.name
            self.authority.learn(step.place.context.feature, what, row.cost_nanousd)
        if hold is None:
            return row
        return HeldStep(tuple(row), hold.windows, hold.nanousd, hold.tokens, hold.draws)

    def release(self, step: OpenStep) -> None:
        """Give back what was held for a step that was not sent after all."""
        if step.hold is not None:
            self._ledger.book(HoldRelease(step.step_id, step.hold.draws))

    def adopt(self, step: OpenStep, held: Held) -> bool:
        """Let a step that starts take over what was reserved for it, if it needs no more; else give that back.

        Returns:
            Whether it did: the step then has the hold's id and start. If not, it reserves for itself.
        """
        if not held.claim():
            return False
        before = held.step
        call = call_of(step)._replace(started_us=before.started_us)
        need = self.authority.need(call)
        if not isinstance(need, Need) or not _covers(held, call, need):
            self.release(before)
            return False
        step.step_id, step.started_us, step.hold = before.step_id, before.started_us, before.hold
        step.estimate_nanousd, step.reserved_nanousd = before.estimate_nanousd, before.reserved_nanousd
        return True

    def ask_for(self, step: OpenStep, need: Need) -> Ask:
        """What the ledger is asked to hold for a step."""
        # With the hold goes what its row refers to, because another process may have to book it; what is only queued
        # here may never be written.
        known = _payer(step.place) in self._written
        return Ask(
            need.wants,
            need.nanousd,
            need.tokens,
            self._rows.unheard(step, step.started_us, need.nanousd, need.tokens),
            () if known else self._references(step.place),
        )

    def choose(self, step: OpenStep, ladder: Ladder, budgets: Sequence[Budget]) -> Chosen | None:
        """Take room for the first form of a call that fits; `None` where the ladder has none.

        Args:
            step: The step, on which the hold is noted.
            ladder: The forms.
            budgets: The budget of each of its windows.

        Raises:
            BudgetExceeded: No form fits.
            ApprovalPause: The graph pauses for a person who may give more.
        """
        windows = [want[:3] for want in ladder.wants]

        def reserve() -> Chosen | Shortfall | None:
            return self._ledger.reserve_first(ladder, loop_wait_s=self._loop_wait_s)

        chosen = self._with_room(step, lambda want: budgets[windows.index(want[:3])], reserve)
        if chosen is not None:
            self._took(step, chosen.hold)
        return chosen

    def look(self, place: Place, nanousd: int) -> tuple[Budget, Shortfall] | None:
        """What would stand in the way of a call of so much here, those that only block first; nothing is held.

        Raises:
            LedgerUnavailable: The ledger cannot be written.
        """
        found = self.authority.windows(call_at(place, self._ledger.now()))
        windows = [(counter.budget, want) for counter, want in found if "call" not in counter.budget.per]
        if not any(budget.asks or want.notes for budget, want in windows):
            return None  # whoever reserves finds out; there is nobody to be asked before
        asked = {"nanousd": nanousd, "tokens": 1, "calls": 1}
        short = self._ledger.look(
            [want for _, want in windows], asked, place.task.task_id, loop_wait_s=self._loop_wait_s
        )
        budgets = {want[:3]: budget for budget, want in windows}
        ways = [(budgets[each.want[:3]], each) for each in short]
        ways.sort(key=lambda way: way[0].asks or way[1].threshold is not None)
        return ways[0] if ways else None

    def ask_ahead(self, place: Place, nanousd: int) -> None:
        """Pause here if a person has to be asked before a call of so much; what only blocks is left to the call.

        Raises:
            ApprovalPause: The graph pauses.
            ApprovalRequired: It cannot, or the answer was no.
        """
        while (found := self.look(place, nanousd)) is not None:
            budget, shortfall = found
            if not budget.asks and shortfall.threshold is None:
                return
            step = OpenStep(
                "", place, "model", "", provider="", model="", inputs=None, started_us=0, is_replay=False
            )
            self._asking.ask(place, budget, shortfall, self._exceeded(step, budget, shortfall))

    def _take(self, step: OpenStep, need: Need) -> None:
        wants = need.wants
        step.estimate_nanousd, step.reserved_nanousd = need.estimate_nanousd, need.nanousd
        if not wants:
            return
        ask = self.ask_for(step, need)
        hold = self._with_room(
            step,
            lambda want: need.budgets[wants.index(want)],
            lambda: self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s),
        )
        self._took(step, hold)

    def _with_room(
        self, step: OpenStep, budget_of: Callable[[Want], Budget], reserve: Callable[[], T | Shortfall]
    ) -> T:
        """What `reserve` returns once there is room; a person is asked for it where the budget says so."""
        while isinstance(taken := reserve(), Shortfall):
            budget = budget_of(taken.want)
            if not budget.asks and taken.threshold is None:
                self.refuse(step, budget, taken)
            # Granted: whether there is room is asked anew, in the window and with what is spent by now.
            self._asking.ask(step.place, budget, taken, self._exceeded(step, budget, taken))
        return taken

    def _took(self, step: OpenStep, hold: Hold) -> None:
        step.hold = hold
        if len(self._written) >= _MOST_KEPT:
            self._written.clear()
        self._written.add(_payer(step.place))

    def refuse(self, step: OpenStep, budget: Budget, found: Shortfall) -> NoReturn:
        """Refuse a step for which there is no room, and write that down."""
        want, refusal = found.want, self._exceeded(step, budget, found)
        self._decide(
            step.place,
            "budget",
            "refused",
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
        raise refusal

    def _exceeded(self, step: OpenStep, budget: Budget, found: Shortfall) -> BudgetExceeded:
        from spendgraph.hooks.refusals import BudgetExceeded

        want = found.want
        limit = want.limit or 0
        is_cap = want.scope.startswith("cap=")
        whose = f" for {want.scope}" if want.scope and not is_cap else ""
        allowed, spent, held, asked = (
            format_usd(count) if want.unit == "nanousd" else f"{count:,} {want.unit}"
            for count in (limit, found.spent, found.held, found.asked)
        )
        reason = (
            f"budget {budget.name!r}{whose} allows {allowed}; {spent} is spent, {held} is held by calls under way,"
            f" and this call asks for {asked}"
        )
        return BudgetExceeded(
            f"The {step.kind} call was not sent: {reason}.",
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

    def refuse_unbounded(self, step: OpenStep, found: Unbounded) -> NoReturn:
        """Refuse a step that has no proven ceiling, and write that down."""
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


def _payer(place: Place) -> tuple[str, str]:
    return place.context.context_id, place.task.task_id


def _covers(held: Held, call: Call, need: Need) -> bool:
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


def _hint(budget: Budget, found: Shortfall) -> str:
    """What can be done about a budget that has not enough room."""
    want = found.want
    hint = f"Raise limit_{'usd' if want.unit == 'nanousd' else want.unit} of the budget in the policy file"
    if budget.owner:
        hint += f" (its owner is {budget.owner})"
    if want.end_us is not None and found.asked <= (want.limit or 0):
        hint += f", or wait for its next window at {from_us(want.end_us).isoformat()}"
    return f"{hint}."
