"""Prices from genai-prices, matched strictly.

The list matches generously (`starts with`, `contains`), which is right for a lookup by hand and wrong for a
ledger: `deepseek-chat-mini` is not `deepseek-chat`. Here a model is known if the list names it exactly, or
names its beginning and the rest is a date, a version or a word like `latest`. Importing the list costs
over half a second of CPU, so only `PriceList` imports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from spendgraph.clock import from_us, to_us
from spendgraph.pricing.policy_prices import day_us
from spendgraph.pricing.price import Price, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Provider

PROVIDERS = {
    "amazon_bedrock": "aws",
    "anthropic-mantle": "aws",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "google_anthropic_vertex": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "openai-mantle": "aws",
    "together_ai": "together",
    "togetherai": "together",
    "vertexai": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
}
"""LangChain's provider words that differ from the list's; `-` and `_` are one."""

_UNLISTED = frozenset({"", "ollama", "llamacpp", "llama_cpp", "vllm", "huggingface", "openai-codex", "fake"})
_KEYS = {
    "input_mtok": "input_usd_per_mtok",
    "output_mtok": "output_usd_per_mtok",
    "cache_read_mtok": "cache_read_usd_per_mtok",
    "cache_write_mtok": "cache_write_5m_usd_per_mtok",
    "cache_write_5m_mtok": "cache_write_5m_usd_per_mtok",
    "cache_write_1h_mtok": "cache_write_1h_usd_per_mtok",
    "output_reasoning_mtok": "reasoning_usd_per_mtok",
    "input_audio_mtok": "audio_input_usd_per_mtok",
    "output_audio_mtok": "audio_output_usd_per_mtok",
    "cache_audio_read_mtok": "cache_read_audio_usd_per_mtok",
    "input_image_mtok": "image_input_usd_per_mtok",
    "output_image_mtok": "image_output_usd_per_mtok",
    "cache_image_read_mtok": "cache_read_image_usd_per_mtok",
    "web_searches_kcount": "web_search_usd_per_1k",
}
_REST = re.compile(
    r"(?:[-@.:]?(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{2}-\d{4}|\d{2}-\d{2}|\d{6}|\d{3,4}|v\d+(?:\.\d+)?(?::\d+)?"
    r"|latest|preview|exp|experimental|beta|stable))*"
)
_COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def is_edition(name: str, model: str) -> bool:
    """Whether a name is a model's own, or that with a date, a version or a word like `latest` behind it.

    >>> is_edition("gpt-5-2025-08-07", "gpt-5"), is_edition("gpt-5-mini", "gpt-5")
    (True, False)
    """
    name, model = name.lower(), model.lower()
    return name.startswith(model) and _REST.fullmatch(name[len(model) :]) is not None


class Listed(NamedTuple):
    """A price from the list, and the half-open interval in which the list gives it."""

    price: Price | None
    from_us: int
    until_us: int


ALWAYS: tuple[int, int] = (-(2**63), 2**63 - 1)
"""An interval without ends."""


def list_id(provider: str) -> str:
    """The list's id of a provider in LangChain's words; empty for self-hosted and unknown-by-design ones."""
    word = provider.strip().lower()
    if word in _UNLISTED:
        return ""
    return PROVIDERS.get(word) or PROVIDERS.get(word.replace("-", "_")) or word


class PriceList:
    """The bundled genai-prices data. Creating one imports it."""

    def __init__(self) -> None:
        from genai_prices.data_snapshot import get_snapshot

        self._providers = {provider.id: provider for provider in get_snapshot().providers}
        self.source = f"genai-prices {version('genai-prices')}"

    def price(self, provider: str, model: str, at_us: int, tier: str) -> Listed:
        """The list's price of a model, by the list's provider id, at a time and tier."""
        found = self._find(provider, model)
        if found is None:
            return Listed(None, *ALWAYS)
        listed, own = found
        at = from_us(at_us)
        interval = _interval(listed, at_us)
        variants = [variant for variant in listed.price_variants or () if own and _applies(variant, at, tier)]
        context = _context(tier) if variants else None
        resolved = listed.get_prices(at, context)
        base, bands = _rates(resolved)
        if "input_usd_per_mtok" not in base and "output_usd_per_mtok" not in base:
            return Listed(None, *interval)  # by the hour, the page or the character, or no price at all
        note = ""
        if tier and not variants:
            note = f"no price for service tier {tier!r}: charged at the standard price"
        price = Price.of(
            base,
            provider=provider,
            model=listed.id,
            source=self.source,
            effective_from=_effective_from(listed, variants, at),
            tier="" if note else tier,
            note=note,
            bands=bands,
        )
        return Listed(price, *interval)

    def _find(self, provider_id: str, model: str) -> tuple[ModelInfo, bool] | None:
        """The model, and whether it is the provider's own (else another provider's, resold)."""
        provider = self._providers.get(provider_id)
        if provider is None:
            return None
        names = list(_names(provider_id, model.strip().lower()))
        found = _named(provider, names)
        if found is not None:
            return found, True
        for reseller in provider.fallback_model_providers or ():
            origin = self._providers.get(reseller)
            found = _named(origin, names) if origin is not None else None
            if found is not None:
                return found, False
        return None


def _names(provider_id: str, model: str) -> Iterator[str]:
    if provider_id == "google":
        model = model.rsplit("/", 1)[-1]
    yield model
    dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", model)
    if dashed != model:
        yield dashed


def _named(provider: Provider, names: list[str]) -> ModelInfo | None:
    for name in names:
        for listed in provider.models:
            if _matches(listed.match, name):
                return listed
    return None


def _matches(clause: object, name: str) -> bool:
    """Whether a clause of the list's match logic names a model strictly."""
    options: list[object] | None = getattr(clause, "or_", None)
    if options is not None:
        return any(_matches(option, name) for option in options)
    conditions: list[object] | None = getattr(clause, "and_", None)
    if conditions is not None:
        loose = all(condition.is_match(name) for condition in conditions)  # type: ignore[attr-defined]
        return bool(loose) and any(_matches(condition, name) for condition in conditions)
    pattern = getattr(clause, "regex", None)
    if pattern is not None:
        return pattern.startswith("^") and pattern.endswith("$") and re.search(pattern, name) is not None
    for kind in ("equals", "starts_with", "ends_with", "contains"):
        literal = getattr(clause, kind, None)
        if literal is not None:
            return _strict(kind, literal.lower(), name)
    return False


def _strict(kind: str, literal: str, name: str) -> bool:
    if kind == "equals":
        return name == literal
    if kind == "ends_with":
        head, rest = name.removesuffix(literal), ""
        if not name.endswith(literal):
            return False
    else:
        head, found, rest = name.partition(literal)
        if not found or (kind == "starts_with" and head):
            return False
    if head and not head.endswith("/"):
        return False
    # A fine-tune is priced by what it was made from; its own name is free text after the base model's.
    return _REST.fullmatch(rest) is not None or literal.startswith("ft:") or ".ft-" in literal


def _context(tier: str) -> dict[str, str]:
    if tier == "batch":
        return {"processing": "batch"}
    return {"service_tier": tier, "speed": tier}


def _applies(variant: PriceVariant, at: datetime, tier: str) -> bool:
    if not tier or (variant.constraint is not None and not variant.constraint.active(at)):
        return False
    context = _context(tier)
    return all(context.get(key) == value for key, value in variant.when.items())


def _rates(resolved: ModelPrice) -> tuple[dict[str, Decimal], list[tuple[int, Rates]]]:
    """The list's prices as rates, and the full rates above each of their thresholds."""
    base: dict[str, Decimal] = {}
    steps: dict[int, dict[str, Decimal]] = {}
    for key, value in resolved.__dict__.items():
        name = _KEYS.get(key)
        if key == "requests_kcount" and isinstance(value, Decimal):
            base["usd_per_request"] = value / 1000
        elif name is None or value is None:
            continue
        elif isinstance(value, Decimal):
            base[name] = value
        else:
            base[name] = value.base
            for step in value.tiers:
                steps.setdefault(step.start, {})[name] = step.price
    bands: list[tuple[int, Rates]] = []
    running = base
    for start in sorted(steps):
        running = {**running, **steps[start]}
        bands.append((start, running))
    return base, bands


def _effective_from(listed: ModelInfo, variants: list[PriceVariant], at: datetime) -> str:
    constraints = [variant.constraint for variant in variants]
    if isinstance(listed.prices, list):
        active = [entry for entry in listed.prices if entry.constraint is None or entry.constraint.active(at)]
        constraints += [entry.constraint for entry in active[-1:]]
    days = [day for constraint in constraints if (day := getattr(constraint, "start_date", None)) is not None]
    return max(days).isoformat() if days else ""


def _interval(listed: ModelInfo, at_us: int) -> tuple[int, int]:
    """Around a time, the half-open interval in which no price of the model changes."""
    constraints = [variant.constraint for variant in listed.price_variants or ()]
    if isinstance(listed.prices, list):
        constraints += [entry.constraint for entry in listed.prices]
    changes = list(ALWAYS)
    for constraint in constraints:
        start_date = getattr(constraint, "start_date", None)
        if start_date is not None:
            changes.append(day_us(start_date))
        elif constraint is not None:
            changes += _daily_changes(at_us, constraint.start_time, constraint.end_time)  # type: ignore[union-attr]
    return max(change for change in changes if change <= at_us), min(c for c in changes if c > at_us)


def _daily_changes(at_us: int, *times: time) -> Iterator[int]:
    today = from_us(at_us).date()
    for offset in (-1, 0, 1, 2):
        for moment in times:
            change = datetime.combine(today + timedelta(days=offset), moment)
            yield to_us(change if change.tzinfo is not None else change.replace(tzinfo=UTC))
