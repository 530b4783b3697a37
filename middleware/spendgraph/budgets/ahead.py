"""What the rest of a task is likely to cost: what finished tasks of its feature have cost, or a call of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from spendgraph.ledger.elsewhere import run_elsewhere
from spendgraph.pricing import quantile_of

if TYPE_CHECKING:
    from spendgraph.ledger import Ledger
    from spendgraph.pricing import CostHistory

QUANTILE: Final = 0.95
"""Of a hundred finished tasks about five have cost more than what is taken for granted."""

KEPT_S: Final = 300.0
"""How long what the ledger says is believed."""

_UNKNOWN_COST: Final = 1
"""Nano-USD asked where nothing is known: only a budget that is spent has no room for it."""

_MOST_KEPT: Final = 4_096


class LookAhead:
    """Looks up what tasks have cost, at most once in five minutes for a feature.

    Args:
        ledger: Where finished tasks are.
        history: What calls have cost, where too few tasks are finished.
    """

    def __init__(self, ledger: Ledger, history: CostHistory) -> None:
        self._ledger = ledger
        self._history = history
        self._known: dict[str, tuple[float, int | None]] = {}

    def cost(self, feature: str) -> int:
        """Nano-USD that a task of this feature is likely to cost at most.

        The 95th percentile of its latest finished tasks; with fewer than 20 of them, that of its dearest kind of call that this process
        has seen 20 times; else 1.

        Raises:
            LedgerUnavailable: The ledger cannot be read.
        """
        now = time.monotonic()
        known = self._known.get(feature)
        if known is None or now - known[0] > KEPT_S:
            costs = run_elsewhere(lambda: self._ledger.finished_task_costs(feature))
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            known = self._known[feature] = now, quantile_of(costs, QUANTILE)
        found = known[1]
        if found is None:
            found = self._history.dearest(feature, QUANTILE)
        return max(found or 0, _UNKNOWN_COST)
