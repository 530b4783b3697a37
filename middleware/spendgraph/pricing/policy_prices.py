"""Prices from the policy file: private deployments, negotiated rates, self-hosted and free models.

The first entry that matches provider, model and day counts, before any price list. Days are UTC and
half-open: an entry holds from the start of `from` until the start of `to`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from spendgraph.clock import to_us
from spendgraph.pricing.price import Price, Rates

if TYPE_CHECKING:
    from spendgraph.policy import ModelPrice

TOKEN_RATES = (
    "input_usd_per_mtok",
    "output_usd_per_mtok",
    "cache_read_usd_per_mtok",
    "cache_write_5m_usd_per_mtok",
    "cache_write_1h_usd_per_mtok",
    "reasoning_usd_per_mtok",
    "audio_input_usd_per_mtok",
    "audio_output_usd_per_mtok",
    "image_output_usd_per_mtok",
)
_FEES = ("web_search_usd_per_1k", "usd_per_request")


class PolicyPrice:
    """One entry of the policy's `prices.models`, ready to be matched and priced."""

    def __init__(self, entry: ModelPrice) -> None:
        self._entry = entry
        self._provider = _glob(entry.provider)
        self._model = _glob(entry.model)
        self.from_us = day_us(entry.from_) if entry.from_ is not None else None
        self.to_us = day_us(entry.to) if entry.to is not None else None

    def names(self, providers: tuple[str, ...], model: str) -> bool:
        """Whether the entry is about this model, under any of the provider's names, at some time."""
        return any(map(self._provider.fullmatch, providers)) and self._model.fullmatch(model) is not None

    def holds(self, at_us: int) -> bool:
        """Whether the entry is in force at a time."""
        return (self.from_us is None or self.from_us <= at_us) and (self.to_us is None or at_us < self.to_us)

    def price(self, tier: str) -> Price:
        """The price at a tier.

        A tier's and the long context's rates replace the entry's; where both name a rate, a long request at
        that tier pays the higher of the two. A tier the entry does not price is marked.
        """
        entry = self._entry
        rates = _rates(entry, (*TOKEN_RATES, *_FEES))
        overrides: Rates = {}
        note = ""
        if tier:
            known = {name.lower(): tier_rates for name, tier_rates in entry.tiers.items()}
            if tier in known:
                overrides = _rates(known[tier], TOKEN_RATES)
            else:
                note = f"no price for service tier {tier!r}: charged at the standard price"
        base = {**rates, **overrides}
        bands: list[tuple[int, Rates]] = []
        if entry.long_context is not None:
            longer = _rates(entry.long_context, TOKEN_RATES)
            both = {name: max(longer[name], overrides[name]) for name in longer.keys() & overrides.keys()}
            bands.append((entry.long_context.above_tokens, {**base, **longer, **both}))
        return Price.of(
            base,
            provider=entry.provider,
            model=entry.model,
            source="policy",
            effective_from=entry.from_.isoformat() if entry.from_ is not None else "",
            tier="" if note else tier,
            note=note,
            bands=bands,
        )


def day_us(day: date) -> int:
    """The start of a UTC day in microseconds."""
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _rates(section: object, names: tuple[str, ...]) -> dict[str, Decimal]:
    given = ((name, getattr(section, name)) for name in names)
    return {name: rate for name, rate in given if rate is not None}


def _glob(pattern: str) -> re.Pattern[str]:
    """A pattern of `*` and `?`, case-insensitive: model names hold brackets and dots that mean themselves."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
