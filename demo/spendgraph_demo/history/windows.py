"""The budgets' windows while a history is written: their ids, what is spent in each, and who is refused.

What counts where is the budget authority's answer; ids come from the ledger. The sums are kept here as well, because
steps are posted in batches: a refusal depends on what the step before it cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph.budgets.authority import BudgetAuthority, Call, TooDear, Unbounded
from spendgraph.ledger import Ask, Hold
from spendgraph.ledger.asks import Shortfall
from spendgraph.ledger.records import StepRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.context import CostContext
    from spendgraph.ledger import Ledger, Want
    from spendgraph.policy import Budget, Policy
    from spendgraph.pricing import PriceBook
    from spendgraph_demo.history.acts import Act, PlannedTask
    from spendgraph_demo.history.rows import Expected

_AT: Final = {"nanousd": 0, "tokens": 1, "calls": 2}


class Refused(NamedTuple):
    """A call for which a budget has no room."""

    budget: Budget
    shortfall: Shortfall


class Windows:
    """Counts a history's steps in the windows of a policy's budgets.

    Args:
        ledger: Where the windows are.
        policy: The budgets; the ledger gets a version of each.
        prices: The price book.
    """

    def __init__(self, ledger: Ledger, policy: Policy, prices: PriceBook) -> None:
        self._ledger = ledger
        self._prices = prices
        self._authority = BudgetAuthority(ledger, policy, prices)
        self._ids: dict[tuple[str, str, int], int] = {}
        self._spent: dict[int, list[int]] = {}

    def change(self, policy: Policy) -> None:
        """Go on with another version of the budgets."""
        self._authority = BudgetAuthority(self._ledger, policy, self._prices)

    def admit(
        self, task: PlannedTask, context: CostContext, act: Act, expected: Expected
    ) -> tuple[int, ...] | Refused:
        """The windows in which an act counts, or the first of them that has no room for it."""
        call = Call(
            context=context,
            task_id=task.task_id,
            thread_id=task.thread_id,
            kind=act.kind,
            name=act.name,
            provider=act.provider,
            model="",
            inputs=None,
            parameters=None,
            max_output_tokens=None,
            fixed_nanousd=expected.nanousd,
            started_us=act.started_us,
            is_spent=act.late_us
            > 0,  # its row comes late, when its task is over: nobody can refuse it any more
        )
        need = self._authority.need(call)
        if need is None:
            return ()
        if isinstance(need, Unbounded | TooDear):
            raise TypeError(f"expected budgets of whole windows, found {need}")
        ids = self._windows(need.wants, task.task_id)
        for want, window_id, budget in zip(need.wants, ids, need.budgets, strict=True):
            if want.limit is None:
                continue
            spent = self._spent[window_id][_AT[want.unit]]
            asked = {"nanousd": expected.nanousd, "tokens": expected.tokens, "calls": 1}[want.unit]
            over = spent + asked - want.limit
            if over > 0:
                return Refused(budget, Shortfall(want, spent, 0, asked, None, over))
        return ids

    def count(self, row: StepRow, windows: tuple[int, ...]) -> None:
        """Add a booked row to its windows."""
        is_used = row.status != "cache_hit"
        tokens = row.input_tokens + row.output_tokens if is_used else 0
        calls = int(row.entry == "charge" and is_used)
        for window_id in windows:
            spent = self._spent[window_id]
            spent[0] += row.cost_nanousd
            spent[1] += tokens
            spent[2] += calls

    def _windows(self, wants: Sequence[Want], task_id: str) -> tuple[int, ...]:
        ids = self._ids
        if any(want[:3] not in ids for want in wants):
            # A question without a limit: it opens the windows that are missing and takes nothing.
            asked = tuple(want._replace(limit=None, notes=()) for want in wants)
            nobody = StepRow("", task_id, "model", "", 0, 0, 0)
            found = self._ledger.reserve(Ask(asked, 0, 0, nobody, is_question=True))
            assert isinstance(found, Hold)
            for want, window_id in zip(wants, found.windows, strict=True):
                ids[want[:3]] = window_id
                self._spent.setdefault(window_id, [0, 0, 0])
        return tuple(ids[want[:3]] for want in wants)
