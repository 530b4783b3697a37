"""What a gate asks the ledger, and a person: is there room for what follows, and may it be set aside?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.budgets.ahead import LookAhead
from spendgraph.budgets.authority import Call
from spendgraph.errors import LedgerUnavailable
from spendgraph.hooks.exceeding import exceeded
from spendgraph.ids import new_id
from spendgraph.ledger.asks import Ask, Envelope, Hold, Opening, Shortfall
from spendgraph.ledger.breakers import Blocked
from spendgraph.ledger.records import StepRow

if TYPE_CHECKING:
    from spendgraph.budgets.authority import BudgetAuthority
    from spendgraph.hooks.asking import Asking
    from spendgraph.hooks.envelopes import Envelopes, Taker, Turn
    from spendgraph.hooks.outage import Outages
    from spendgraph.hooks.places import Place
    from spendgraph.hooks.refusals import Refusal
    from spendgraph.ledger import Ledger
    from spendgraph.ledger.asks import Want
    from spendgraph.notify import Notifier
    from spendgraph.policy import Budget

_WHAT: Final = "The budget gate stayed closed"

_MOST_ROUNDS: Final = 8
"""How often room that was granted is asked for again before the gate stays closed: others may take it each time."""


class Gating:
    """Asks for the gates of one meter.

    Args:
        ledger: Where the room is.
        authority: Which budgets count.
        asking: Asks people.
        loop_wait_s: How long an event loop waits for the ledger.
        outages: Says which calls go out without a ledger.
        notifier: Tells people that a budget is full.
    """

    def __init__(
        self,
        ledger: Ledger,
        authority: BudgetAuthority,
        asking: Asking,
        loop_wait_s: float,
        outages: Outages,
        notifier: Notifier | None = None,
    ) -> None:
        self._outages = outages
        self._notifier = notifier
        self._ledger = ledger
        self._authority = authority
        self._asking = asking
        self._loop_wait_s = loop_wait_s
        self._ahead = LookAhead(ledger, authority.history)

    def look(self, place: Place, nanousd: int | None = None) -> None:
        """Return if every budget has room for what follows; nothing is taken.

        Args:
            place: Where the gate is.
            nanousd: What follows may cost; by default what such tasks usually do.

        Raises:
            BudgetExceeded: A budget has not.
            ApprovalPause: The graph pauses for a person.
            ApprovalRequired: It cannot, or the answer was no.
            LedgerUnavailable: The ledger cannot be written.
        """
        if nanousd is None:
            nanousd = self._ahead.cost(place.context.feature)
        wants, budgets = self._ready_windows(place, nanousd)
        self._look(place, wants, budgets, nanousd)

    def ask_ahead(self, place: Place, nanousd: int) -> None:
        """Pause here if a person has to be asked before a call of so much; what only blocks is left to the call.

        Args:
            place: Where the call will be.
            nanousd: What it may cost.

        Raises:
            ApprovalPause: The graph pauses.
            ApprovalRequired: It cannot, or the answer was no.
            LedgerUnavailable: The ledger cannot be written, and the policy does not say `allow` for this environment.
        """
        # Of the ledger nothing is asked before it is known that somebody may have to be.
        wants, budgets = self._windows(place, nanousd, self._ledger.unpaid_time())
        asks = [budget.asks or bool(want.notes) for want, budget in zip(wants, budgets, strict=True)]
        if not any(asks):
            return  # whoever reserves finds out; there is nobody to be asked before
        _, fault = self._outages.start(place.context)
        if fault is not None:
            return  # the call goes out in spite of the ledger, unless a budget says no without it
        blocking_first = sorted(range(len(wants)), key=asks.__getitem__)
        ask = Ask(
            tuple(wants[n] for n in blocking_first),
            nanousd,
            1,
            self._row(place, ""),
            envelopes=place.task.envelopes,
            is_question=True,
        )
        rounds: dict[str, int] = {}
        try:
            found = self._found(ask)
        except LedgerUnavailable as error:
            if not self._outages.excuses(error, place.context):
                raise
            return
        while isinstance(found, Shortfall):
            budget = budgets[wants.index(found.want)]
            if not budget.asks and found.threshold is None:
                return
            refusal = exceeded("The model call was not sent", "the next call may need", budget, found)
            self._ask(place, budget, found, refusal, rounds)
            found = self._found(ask)

    def take(self, place: Place, taker: Taker, nanousd: int, envelopes: Envelopes, turn: Turn) -> None:
        """Set an amount aside for the place's task in every budget that limits money.

        Budgets of tokens and calls are looked at only.

        Args:
            place: Where the gate is.
            taker: Which run of which gate this is.
            nanousd: How much.
            envelopes: Keeps it.
            turn: Says whether it was given up meanwhile.

        Raises:
            BudgetExceeded: A budget has not enough room.
            ApprovalPause: The graph pauses for a person.
            ApprovalRequired: It cannot, or the answer was no.
            LedgerUnavailable: The ledger cannot be written.
        """
        wants, budgets = self._ready_windows(place, nanousd)
        money = [n for n, want in enumerate(wants) if want.unit == "nanousd"]
        others = [n for n, want in enumerate(wants) if want.unit != "nanousd"]
        if others:
            self._look(place, tuple(wants[n] for n in others), tuple(budgets[n] for n in others), nanousd)
        if not money:
            return
        task, envelope_id = place.task, new_id()
        replaced = envelopes.replaced_by(task, taker)
        asked = tuple(wants[n] for n in money)
        opening = Opening(envelope_id, task.task_id, taker.key, replaced)
        ask = Ask(asked, nanousd, 0, self._row(place, envelope_id), opens=opening)
        hold = self._reserve(place, ask, tuple(budgets[n] for n in money), "the task wants to set aside")
        envelope = Envelope(envelope_id, hold.windows, tuple(want[:3] for want in asked))
        envelopes.keep(task, envelope, taker, replaced, turn)

    def _look(self, place: Place, wants: tuple[Want, ...], budgets: tuple[Budget, ...], nanousd: int) -> None:
        if wants:
            ask = Ask(wants, nanousd, 1, self._row(place, ""), is_question=True)
            self._reserve(place, ask, budgets, "what follows may need")

    def _reserve(self, place: Place, ask: Ask, budgets: tuple[Budget, ...], asks: str) -> Hold:
        rounds: dict[str, int] = {}
        for n in range(_MOST_ROUNDS):
            found = self._found(ask)
            if isinstance(found, Hold):
                return found
            budget = budgets[ask.wants.index(found.want)]
            refusal = exceeded(_WHAT, asks, budget, found)
            is_asked = budget.asks or found.threshold is not None
            if not is_asked or n == _MOST_ROUNDS - 1:
                if self._notifier is not None:
                    self._notifier.blocked(budget, found)
                raise refusal
            # A person is asked for what is missing, not for all that is wanted.
            lacking = found if found.threshold is not None else found._replace(asked=found.missing)
            self._ask(place, budget, lacking, refusal, rounds)
        raise AssertionError("not reached")

    def _found(self, ask: Ask) -> Hold | Shortfall:
        found = self._ledger.reserve(ask, loop_wait_s=self._loop_wait_s)
        assert not isinstance(found, Blocked)  # an ask without breakers meets none
        return found

    def _ask(
        self, place: Place, budget: Budget, found: Shortfall, refusal: Refusal, rounds: dict[str, int]
    ) -> None:
        asked = self._asking.ask(place, budget, found, refusal, rounds.get(budget.name, -1))
        if found.threshold is None:
            rounds[budget.name] = asked

    def _ready_windows(self, place: Place, nanousd: int) -> tuple[tuple[Want, ...], tuple[Budget, ...]]:
        self._ledger.ready()
        return self._windows(place, nanousd, self._ledger.now())

    def _windows(
        self, place: Place, nanousd: int, now_us: int
    ) -> tuple[tuple[Want, ...], tuple[Budget, ...]]:
        task = place.task
        context, thread_id = place.context, place.thread_id
        call = Call(
            context,
            task.task_id,
            thread_id,
            "other",
            "",
            "",
            "",
            None,
            None,
            None,
            nanousd,
            now_us,
            task.caps,
        )
        return self._authority.windows_of(call)

    def _row(self, place: Place, step_id: str) -> StepRow:
        """Whose room it is; no step is ever booked for a gate."""
        return StepRow(step_id, place.task.task_id, "other", place.context.context_id, 0, 0, 0)
