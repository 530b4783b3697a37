"""What a call is likely to cost, from the request and from what such calls have cost before."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from spendgraph.pricing.estimate import estimate_usage
from spendgraph.pricing.usage import Usage

if TYPE_CHECKING:
    from spendgraph.pricing.price import Price

ENOUGH: Final = 20
"""Calls that must have been seen before their quantile is believed."""

_KEPT: Final = 256
_MOST_KEYS: Final = 4_096


class CostHistory:
    """Costs of the latest calls by feature and model (or tool): at most 256 of each, for quantiles."""

    def __init__(self) -> None:
        self._costs: dict[tuple[str, str], deque[int]] = {}
        self._quantiles: dict[tuple[str, str, float], int] = {}
        self._changing = threading.Lock()

    def add(self, feature: str, what: str, cost_nanousd: int) -> None:
        """Remember what a call cost."""
        key = (feature, what)
        with self._changing:
            costs = self._costs.get(key)
            if costs is None:
                if len(self._costs) >= _MOST_KEYS:  # names come from outside: bounded, not trusted
                    self._costs.clear()
                costs = self._costs[key] = deque(maxlen=_KEPT)
            costs.append(cost_nanousd)
            self._quantiles.clear()

    def quantile(self, feature: str, what: str, q: float) -> int | None:
        """The smallest cost seen that a share `q` of the calls did not exceed; `None` while too few were seen."""
        costs = self._costs.get((feature, what))
        if costs is None or len(costs) < ENOUGH:
            return None
        known = self._quantiles.get((feature, what, q))
        if known is None:
            with self._changing:
                ordered = sorted(costs)
                known = ordered[min(math.ceil(q * len(ordered)), len(ordered)) - 1]
                self._quantiles[feature, what, q] = known
        return known


def expected_cost(
    price: Price,
    inputs: object,
    parameters: object,
    max_output_tokens: int | None,
    default_output_tokens: int,
) -> int:
    """What a call is likely to cost in nano-USD: its input as estimated, and as long an answer as is usual.

    Args:
        price: The price.
        inputs: What is sent.
        parameters: What else is sent: tool schemas count as input.
        max_output_tokens: The request's limit.
        default_output_tokens: The output of a call without a limit, and the most that a limit counts for.
    """
    sent = estimate_usage(inputs, "").input_tokens
    if isinstance(parameters, Mapping):
        tools = cast("Mapping[str, Any]", parameters).get("tools")
        if tools:
            sent += estimate_usage({"tools": tools}, "").input_tokens
    answered = default_output_tokens
    if max_output_tokens is not None and max_output_tokens < answered:
        answered = max_output_tokens
    return price.cost(Usage(input_tokens=sent, output_tokens=answered))
