"""What happens to a call when the ledger cannot be written: it is refused, or let out where the policy says so.

`on_ledger_error` speaks of the ledger alone. Missing tags, an unknown price and a budget without room are no faults of
the ledger, and refuse in an outage too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.errors import LedgerUnavailable
from spendgraph.hooks.places import Unheld

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spendgraph.context import CostContext
    from spendgraph.hooks.places import OpenStep
    from spendgraph.ledger import Ledger, PausedTask, Want
    from spendgraph.policy import Policy

WAIT_S: Final = 0.05
"""How long a call waits for a ledger that is known to fail, where the policy lets it out anyway."""


def unheld(wants: Sequence[Want], nanousd: int, tokens: int) -> Unheld:
    """What would have been held in these windows."""
    return Unheld(tuple(want[:4] for want in wants), nanousd, tokens)


class Outages:
    """Says for one meter which calls go out although their step cannot be written now.

    Args:
        ledger: The ledger.
        policy: Its `on_ledger_error`.
        decide: Writes a decision: `decide(place, kind, outcome, reason, **detail)`.
    """

    def __init__(self, ledger: Ledger, policy: Policy, decide: Callable[..., None]) -> None:
        self._ledger = ledger
        self._decide = decide
        self._loop_wait_s = policy.loop_wait_ms / 1000
        self._lenient = frozenset(
            environment for environment, what in policy.on_ledger_error.items() if what == "allow"
        )

    def lets_out(self, context: CostContext) -> bool:
        """Whether calls of this context go out without a ledger."""
        return context.environment in self._lenient

    def excuses(self, error: LedgerUnavailable, context: CostContext) -> bool:
        """Whether a call of this context goes out although the ledger failed; not once a budget has said no."""
        return not error.had_no_room and self.lets_out(context)

    def start(self, context: CostContext) -> tuple[int, str | None]:
        """When a step starts, and what is wrong with the ledger if the policy does not mind.

        In words: the error itself would keep the frames of the call alive, and with them what says that it is over.

        Raises:
            LedgerUnavailable: The ledger cannot be written, or the clock has gone back, and the policy blocks.
        """
        ledger = self._ledger
        if context.environment not in self._lenient:
            ledger.ready(loop_wait_s=self._loop_wait_s)
            return ledger.now(), None
        try:
            ledger.ready(wait_s=WAIT_S)
            return ledger.now(), None
        except LedgerUnavailable as error:
            return ledger.unpaid_time(), str(error)

    def unfinished_task(self, context: CostContext | None, graph: str, thread_id: str) -> PausedTask | None:
        """The one unfinished task of a thread; none where nobody can say, and the caller's own tags are let out.

        Raises:
            LedgerUnavailable: The ledger cannot be read, and the policy blocks.
        """
        try:
            return self._ledger.unfinished_task(graph, thread_id, loop_wait_s=self._loop_wait_s)
        except LedgerUnavailable:
            if context is None or not self.lets_out(context):
                raise
            return None

    def let_out(self, step: OpenStep, fault: str) -> None:
        """Write down that a call went out without the ledger, with what it was expected to cost."""
        self._decide(
            step.place,
            "ledger",
            "allowed",
            f"the {step.kind} call went out although {fault}",
            step_id=step.step_id,
            step_kind=step.kind,
            name=step.name,
            estimate_nanousd=step.estimate_nanousd,
        )
