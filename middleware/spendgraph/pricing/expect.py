"""What a call is likely to cost, from the request and from what such calls have cost before."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from spendgraph.pricing.estimate import BYTES_PER_TOKEN, MESSAGE_TOKENS, estimate_usage

ENOUGH: Final = 20
"""Calls that must have been seen before their quantile is believed."""

KEPT: Final = 256
"""The costs that are kept of each feature and model or tool."""

_EVERY: Final = 16
"""Calls after which a quantile is worked out again."""

_MOST_KEYS: Final = 4_096


_MOST_TOOLS: Final = 64
_TOOLS: dict[int, tuple[object, int]] = {}


class CostHistory:
    """Costs of the latest calls by feature and model (or tool): at most 256 of each, for quantiles.

    A quantile may be some calls old: it is worked out again after every sixteen.
    """

    def __init__(self) -> None:
        self._costs: dict[tuple[str, str], deque[int]] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._quantiles: dict[tuple[str, str, float], tuple[int, int]] = {}
        self._changing = threading.Lock()

    def add(self, feature: str, what: str, cost_nanousd: int) -> None:
        """Remember what a call cost."""
        key = feature, what
        with self._changing:
            costs = self._costs.get(key)
            if costs is None:
                costs = self._opened(key)
            costs.append(cost_nanousd)
            self._seen[key] = self._seen.get(key, 0) + 1

    def dearest(self, feature: str, q: float) -> int | None:
        """The dearest of a feature's quantiles, over all models and tools of which enough calls were seen."""
        with self._changing:
            keys = [key for key in self._costs if key[0] == feature]
        found = [self.quantile(*key, q) for key in keys]
        return max((cost for cost in found if cost is not None), default=None)

    def seed(self, costs: Iterable[tuple[str, str, int]]) -> None:
        """Remember what calls cost before those that are known already.

        Args:
            costs: Features, models or tools, and nano-USD, the oldest first.
        """
        earlier: dict[tuple[str, str], list[int]] = {}
        for feature, what, cost_nanousd in costs:
            earlier.setdefault((feature, what), []).append(cost_nanousd)
        for key, before in earlier.items():
            with self._changing:
                known = self._costs.get(key)
                if known is None:
                    known = self._opened(key)
                missing = KEPT - len(known)
                known.extendleft(reversed(before[-missing:] if missing else ()))
                self._seen[key] = self._seen.get(key, 0) + len(before)

    def quantile(self, feature: str, what: str, q: float) -> int | None:
        """The smallest cost seen that a share `q` of the calls did not exceed; `None` while too few were seen."""
        costs = self._costs.get((feature, what))
        if costs is None or len(costs) < ENOUGH:
            return None
        seen = self._seen.get((feature, what), 0)
        known = self._quantiles.get((feature, what, q))
        if known is None or seen - known[0] >= _EVERY:
            with self._changing:
                ordered = sorted(costs)
                known = seen, ordered[min(math.ceil(q * len(ordered)), len(ordered)) - 1]
                self._quantiles[feature, what, q] = known
        return known[1]

    def _opened(self, key: tuple[str, str]) -> deque[int]:
        if len(self._costs) >= _MOST_KEYS:  # names come from outside: bounded, not trusted
            self._costs.clear()
            self._seen.clear()
            self._quantiles.clear()
        costs = self._costs[key] = deque(maxlen=KEPT)
        return costs


def quantile_of(costs: list[int], q: float) -> int | None:
    """The smallest of some costs that a share `q` of them does not exceed; `None` while there are too few."""
    if len(costs) < ENOUGH:
        return None
    return sorted(costs)[min(math.ceil(q * len(costs)), len(costs)) - 1]


def expected_input(inputs: object, parameters: object) -> int:
    """The input tokens of a request, about: tool schemas count."""
    sent = _of_plain_messages(inputs)
    if sent is None:
        sent = estimate_usage(inputs, "").input_tokens
    if type(parameters) is dict or isinstance(parameters, Mapping):
        tools = cast("Mapping[str, Any]", parameters).get("tools")
        if tools:
            sent += _of_tools(tools)
    return sent


def _of_plain_messages(inputs: object) -> int | None:
    """The same as `estimate_usage` for LangChain messages of ASCII text, at a fifth of the time; else `None`."""
    if type(inputs) is not list:
        return None
    tokens = 0
    for messages in cast("list[object]", inputs):
        if type(messages) is not list:
            return None
        for message in cast("Any", messages):
            # Asking a pydantic model for what it has not takes longer than all else here.
            says: dict[str, Any] = getattr(message, "__dict__", {})
            content = says.get("content")
            if type(content) is not str or not content.isascii() or says.get("tool_calls"):
                return None
            tokens += MESSAGE_TOKENS - (-len(content) // BYTES_PER_TOKEN)
    return tokens


def _of_tools(tools: object) -> int:
    """The tokens of tool schemas; a model's bound tools are the same object at every call."""
    known = _TOOLS.get(id(tools))
    if known is None or known[0] is not tools:
        if len(_TOOLS) >= _MOST_TOOLS:
            _TOOLS.clear()
        known = _TOOLS[id(tools)] = tools, estimate_usage({"tools": tools}, "").input_tokens
    return known[1]


def expected_output(max_output_tokens: int | None, default_output_tokens: int) -> int:
    """The output tokens of a request, about: what is usual, at most its own limit."""
    if max_output_tokens is None or max_output_tokens > default_output_tokens:
        return default_output_tokens
    return max_output_tokens
