"""How long an answer may be so that even the longest fits what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from spendgraph.pricing import Usage, expected_input, input_ceiling, output_ceiling

if TYPE_CHECKING:
    from spendgraph.budgets.authority import Call
    from spendgraph.pricing import Price, PriceBook

_MARGIN: Final = 5, 4
"""An estimated input is taken for a quarter more: the estimate may be off, and what is left is to last."""


class Bounding:
    """What one call costs by the length of its answer.

    Args:
        call: The call.
        prices: The price book.
        is_strict: Count ceilings, at the dearest service tier; else the estimated input at the usual price.
    """

    def __init__(self, call: Call, prices: PriceBook, *, is_strict: bool) -> None:
        self._call = call
        self._prices = prices
        self._is_strict = is_strict
        self._price: Price | None = prices.price(call.provider, call.model, call.started_us)
        if is_strict:
            self.sent = input_ceiling(call.inputs, call.parameters)
        else:
            times, parts = _MARGIN
            self.sent = -(-expected_input(call.inputs, call.parameters) * times // parts)

    @property
    def is_known(self) -> bool:
        """Whether there are a price and a count of the input to reckon with."""
        return self._price is not None and self.sent is not None

    def cost(self, output_tokens: int) -> int | None:
        """Nano-USD of the call with an answer of so many tokens; `None` where that cannot be told."""
        if self._price is None or self.sent is None:
            return None
        answered = self._answered(output_tokens)
        if not self._is_strict:
            return self._price.cost(Usage(input_tokens=self.sent, output_tokens=answered))
        call = self._call
        return self._prices.ceiling(
            call.provider, call.model, call.started_us, self.sent, answered, call.parameters
        )

    def tokens(self, output_tokens: int) -> int:
        """Input and output tokens of the call with such an answer."""
        return (self.sent or 0) + self._answered(output_tokens)

    def longest(self, nanousd: int | None, tokens: int | None, at_most: int) -> int:
        """The most output tokens that so much money and so many tokens pay for; below 0 where not even the input fits.

        Args:
            nanousd: What is left, `None` without a limit.
            tokens: The tokens that are left, `None` without a limit.
            at_most: The most that is of interest.
        """
        if self._fits(at_most, nanousd, tokens):
            return at_most
        if not self._fits(0, nanousd, tokens):
            return -1
        fits, too_long = 0, at_most
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._fits(middle, nanousd, tokens):
                fits = middle
            else:
                too_long = middle
        return fits

    def _fits(self, output_tokens: int, nanousd: int | None, tokens: int | None) -> bool:
        if tokens is not None and self.tokens(output_tokens) > tokens:
            return False
        if nanousd is None or (self._price is not None and self._price.is_free):
            return True
        cost = self.cost(output_tokens)
        return cost is not None and cost <= nanousd

    def _answered(self, output_tokens: int) -> int:
        """Over all the answers that the request asks for."""
        return output_ceiling(self._call.parameters, output_tokens) or 0


def thinking_tokens(parameters: object) -> int:
    """Tokens that the request sets aside for thinking, which count as output and come before the answer."""
    if not isinstance(parameters, Mapping):
        return 0
    settings = cast("Mapping[str, Any]", parameters)
    budget: Any = settings.get("thinking_budget")
    thinking: Any = settings.get("thinking")
    if isinstance(thinking, Mapping):
        budget = cast("Mapping[str, Any]", thinking).get("budget_tokens", budget)
    return budget if isinstance(budget, int) and budget > 0 else 0
