"""The price book: who and what answered, when and at which tier, to a price.

The policy's entries come first, then the price list; nothing is guessed. Resolved prices are kept with the
interval in which they hold, so that asking again costs less than a microsecond.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from spendgraph.pricing.counts import tier_name
from spendgraph.pricing.policy_prices import PolicyPrice
from spendgraph.pricing.price_list import ALWAYS, Listed, PriceList, list_id

if TYPE_CHECKING:
    from spendgraph.policy import PricesPolicy
    from spendgraph.pricing.price import Price

_MOST_KEPT = 4096
_ANY_TIER = frozenset({"auto", ""})
"""Words that leave the tier to the provider."""


class PriceBook:
    """Prices by provider, model, time and service tier.

    >>> from spendgraph.policy import ModelPrice, PricesPolicy
    >>> from spendgraph.pricing import Usage
    >>> entry = ModelPrice(model="my-llama-*", input_usd_per_mtok="0.20", output_usd_per_mtok="0.60")
    >>> price = PriceBook(PricesPolicy(models=(entry,))).price("openai", "my-llama-70b", at_us=0)
    >>> price.source, price.cost(Usage(input_tokens=1000, output_tokens=500))
    ('policy', 500000)

    It does not fetch prices: what the installed genai-prices and the policy know is what there is.
    """

    def __init__(self, policy: PricesPolicy | None = None) -> None:
        self._entries = tuple(PolicyPrice(entry) for entry in policy.models) if policy is not None else ()
        self._kept: dict[tuple[str, str, str], Listed] = {}
        self._list: PriceList | None = None
        self._importing = threading.Lock()

    def price(self, provider: str, model: str, at_us: int, tier: str = "") -> Price | None:
        """The price of a call, or `None` where nobody has said one.

        Args:
            provider: Who answers, in LangChain's `ls_provider` words.
            model: The model, as the response names it or the request asks for it.
            at_us: The call's start.
            tier: The response's service tier; empty is standard.
        """
        kept = self._kept.get((provider, model, tier))
        if kept is not None and kept.from_us <= at_us < kept.until_us:
            return kept.price
        return self._resolve(provider, model, at_us, tier)

    def ceiling(
        self,
        provider: str,
        model: str,
        at_us: int,
        input_tokens: int,
        output_tokens: int | None,
        parameters: object = None,
    ) -> int | None:
        """The dearest cost in nano-USD of a call, at the dearest service tier it can be answered at.

        Args:
            provider: Who answers.
            model: The model asked for.
            at_us: The call's start.
            input_tokens: The most input tokens.
            output_tokens: The most output tokens, if anything limits them.
            parameters: The request's other parameters: they may name a tier.

        Returns:
            `None` where there is no ceiling, or no price.
        """
        wanted: object = None
        if isinstance(parameters, Mapping):
            wanted = cast("Mapping[str, object]", parameters).get("service_tier")
        tiers = (wanted, "") if isinstance(wanted, str) and wanted not in _ANY_TIER else ("", "priority")
        dearest: int | None = None
        for tier in tiers:
            price = self.price(provider, model, at_us, tier)
            if price is None:
                return None
            cost = price.ceiling(input_tokens, output_tokens)
            if cost is None:
                return None
            dearest = cost if dearest is None else max(dearest, cost)
        return dearest

    def preload(self) -> None:
        """Import the price list now (over half a second of CPU), not under the first call that needs it."""
        with self._importing:
            if self._list is None:
                self._list = PriceList()

    def _resolve(self, provider: str, model: str, at_us: int, tier: str) -> Price | None:
        listed_as = list_id(provider)
        names = (provider.lower(), listed_as)
        from_us, until_us = ALWAYS
        listed: Listed | None = None
        for entry in self._entries:
            if not entry.names(names, model):
                continue
            for change in (entry.from_us, entry.to_us):
                if change is not None and change <= at_us:
                    from_us = max(from_us, change)
                elif change is not None:
                    until_us = min(until_us, change)
            if entry.holds(at_us):
                listed = Listed(entry.price(tier_name(tier)), from_us, until_us)
                break
        if listed is None and listed_as and model:
            self.preload()
            assert self._list is not None
            found = self._list.price(listed_as, model, at_us, tier_name(tier))
            listed = Listed(found.price, max(from_us, found.from_us), min(until_us, found.until_us))
        if listed is None:
            listed = Listed(None, from_us, until_us)
        if len(self._kept) >= _MOST_KEPT:  # model names come from outside: bounded, not trusted
            self._kept.clear()
        self._kept[provider, model, tier] = listed
        return listed.price
