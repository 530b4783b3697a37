"""The provider's price list, and the same list as a spendgraph policy.

Amounts are exact fractions of a nano-dollar until one rounding, half even, per response. The rates are odd on
purpose: a price that is a round number of nano-dollars a token would hide a second rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one response is billed for; `input` holds the cached and written tokens, `output` the reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    web_searches: int = 0


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars per million tokens of each class, as the price list prints them."""

    input: str
    output: str
    cache_read: str
    cache_write_5m: str
    cache_write_1h: str

    def policy(self, indent: str) -> str:
        """The rates as lines of a policy file."""
        return "".join(
            f'{indent}{field.name}_usd_per_mtok: "{getattr(self, field.name)}"\n' for field in fields(self)
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of the list: its standard rates and everything that changes them."""

    provider: str
    answers_as: str
    standard: Rates
    flex: Rates | None = None
    priority: Rates | None = None
    long_context: Rates | None = None
    long_context_above: int = 0
    reasoning: str = ""
    web_search_per_1k: str = ""
    per_request: str = ""


PRICE_LIST = {
    "gpt-4o": Listed(
        provider="openai",
        answers_as="gpt-4o-2024-11-20",
        standard=Rates("2.5137", "10.0071", "1.2569", "2.5137", "2.5137"),
    ),
    "gpt-5": Listed(
        provider="openai",
        answers_as="gpt-5-2025-08-07",
        standard=Rates("1.2503", "10.0103", "0.1251", "1.2503", "1.2503"),
        flex=Rates("0.6253", "5.0053", "0.0627", "0.6253", "0.6253"),
        priority=Rates("2.5007", "20.0207", "0.2503", "2.5007", "2.5007"),
    ),
    "o4-mini": Listed(
        provider="openai",
        answers_as="o4-mini-2025-04-16",
        standard=Rates("1.1003", "4.4009", "0.2753", "1.1003", "1.1003"),
        reasoning="4.9007",
    ),
    "claude-sonnet-4-6": Listed(
        provider="anthropic",
        answers_as="claude-sonnet-4-6",
        standard=Rates("3.0007", "15.0013", "0.3001", "3.7503", "6.0011"),
        long_context=Rates("6.0019", "22.5023", "0.6007", "7.5011", "12.0029"),
        long_context_above=200_000,
        web_search_per_1k="10.07",
    ),
    "text-embedding-3-small": Listed(
        provider="openai",
        answers_as="text-embedding-3-small",
        standard=Rates("0.0203", "0", "0.0203", "0.0203", "0.0203"),
    ),
    "rerank-1": Listed(
        provider="*",
        answers_as="rerank-1",
        standard=Rates("0", "0", "0", "0", "0"),
        per_request="0.0020003",
    ),
}
"""Everything this provider sells, by the name a request asks for."""


def amount(model: str, tier: str, tokens: Tokens) -> int:
    """What one response costs in nano-USD."""
    listed = PRICE_LIST[model]
    rates = {"": listed.standard, "flex": listed.flex, "priority": listed.priority}[tier]
    if listed.long_context is not None and tokens.input > listed.long_context_above:
        rates = listed.long_context
    if rates is None:
        raise ValueError(f"{model} is not sold at tier {tier!r}")
    written = tokens.cache_write_5m + tokens.cache_write_1h
    reasoning_rate = listed.reasoning or rates.output
    micro_usd = (
        (tokens.input - tokens.cache_read - written) * Fraction(rates.input)
        + tokens.cache_read * Fraction(rates.cache_read)
        + tokens.cache_write_5m * Fraction(rates.cache_write_5m)
        + tokens.cache_write_1h * Fraction(rates.cache_write_1h)
        + (tokens.output - tokens.reasoning) * Fraction(rates.output)
        + tokens.reasoning * Fraction(reasoning_rate)
        + tokens.web_searches * Fraction(listed.web_search_per_1k or "0") * 1000
        + Fraction(listed.per_request or "0") * 1_000_000
    )
    return round(micro_usd * 1000)


def _policy() -> str:
    lines = ["version: 1\n", "prices:\n", "  unpriced: block\n", "  models:\n"]
    for name, listed in PRICE_LIST.items():
        lines.append(f'    - provider: "{listed.provider}"\n      model: "{name}*"\n')
        lines.append(listed.standard.policy("      "))
        if listed.reasoning:
            lines.append(f'      reasoning_usd_per_mtok: "{listed.reasoning}"\n')
        if listed.web_search_per_1k:
            lines.append(f'      web_search_usd_per_1k: "{listed.web_search_per_1k}"\n')
        if listed.per_request:
            lines.append(f'      usd_per_request: "{listed.per_request}"\n')
        tiers = [
            (tier, rates) for tier, rates in (("flex", listed.flex), ("priority", listed.priority)) if rates
        ]
        if tiers:
            lines.append("      tiers:\n")
        for tier, rates in tiers:
            lines.append(f"        {tier}:\n{rates.policy('          ')}")
        if listed.long_context is not None:
            lines.append(f"      long_context:\n        above_tokens: {listed.long_context_above}\n")
            lines.append(listed.long_context.policy("        "))
    return "".join(lines)


POLICY = _policy()
"""The price list as the text of a policy file, for spendgraph to price from the same rates."""
