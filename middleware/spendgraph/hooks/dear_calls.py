"""Single calls that cost more than a budget per call warns of (`warn_usd`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spendgraph.budgets.matching import counters_of
from spendgraph.ledger.records import TOKEN_KINDS
from spendgraph.money import MAX_NANOUSD, nanousd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.hooks.places import OpenStep
    from spendgraph.ledger.records import StepRow
    from spendgraph.notify import Notifier
    from spendgraph.policy import Budget

_NEVER: Final = MAX_NANOUSD


class DearCalls:
    """Looks at what calls cost once they have ended.

    Attributes:
        least_nanousd: A call that costs no more is of no interest to any budget.
    """

    def __init__(self, budgets: Iterable[Budget], notifier: Notifier | None) -> None:
        self._notifier = notifier
        self._warnings = {
            budget.name: nanousd(budget.warn_usd)
            for budget in budgets
            if budget.warn_usd is not None and "call" in budget.per
        }
        self._budgets = [budget for budget in budgets if budget.name in self._warnings]
        is_told = notifier is not None and notifier.is_telling
        self.least_nanousd = min(self._warnings.values(), default=_NEVER) if is_told else _NEVER

    def look(self, step: OpenStep, row: StepRow) -> None:
        """Have the owners told of a call that was dear; what it is corrected to later is not looked at."""
        if self._notifier is None or row.entry != "charge":
            return
        place = step.place
        for budget, _ in counters_of(self._budgets, place.context, row.task_id, row.thread_id):
            warn_nanousd = self._warnings[budget.name]
            if row.cost_nanousd > warn_nanousd:
                what = row.model or row.model_requested if step.kind in TOKEN_KINDS else row.name
                self._notifier.dear_call(
                    budget, warn_nanousd, row.cost_nanousd, what or step.kind, row.task_id, row.step_id
                )
