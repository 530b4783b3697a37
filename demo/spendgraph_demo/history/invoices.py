"""What the providers send: a cost export as OpenAI's, a usage export as Anthropic's, nearly what the ledger says.

They differ from the ledger by what no meter saw (a key that people try prompts with), by estimates that nobody has
corrected, and by the day: a provider dates a call by its end and in UTC. Each part is known exactly, see `residuals`.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.clock import from_us
from spendgraph.money import usd
from spendgraph.pricing import Usage
from spendgraph_demo.history.chance import stream

if TYPE_CHECKING:
    from pathlib import Path

    from spendgraph.ledger import StepRow
    from spendgraph.pricing import Price, PriceBook

UNMETERED: Final = {"openai": ("gpt-5-2025-08-07", 0.012), "anthropic": ("claude-sonnet-4-5-20250929", 0.008)}
"""The model that people try prompts with, and what that costs beside the day's bill, by provider."""

PLAYGROUND: Final = "playground"

_OPENAI: Final[tuple[str, ...]] = (
    "start_time",
    "end_time",
    "start_time_iso",
    "end_time_iso",
    "amount_value",
    "amount_currency",
    "line_item",
    "project_id",
    "project_name",
    "organization_id",
    "organization_name",
)
_ANTHROPIC: Final = (
    "usage_date_utc",
    "model_version",
    "api_key",
    "workspace",
    "usage_type",
    "context_window",
    "usage_input_tokens_no_cache",
    "usage_input_tokens_cache_write_5m",
    "usage_input_tokens_cache_write_1h",
    "usage_input_tokens_cache_read",
    "usage_output_tokens",
    "web_search_count",
)


class _Key(NamedTuple):
    """What a provider adds up: a UTC day, a model, a tier and a project."""

    day: date
    model: str
    tier: str
    project: str


class _Used(NamedTuple):
    """What was used of it, and the cost in nano-USD."""

    plain: int = 0
    written: int = 0
    read: int = 0
    output: int = 0
    nanousd: int = 0

    def plus(self, other: _Used) -> _Used:
        return _Used(*map(sum, zip(self, other, strict=True)))


class Invoices:
    """Adds up what the providers bill.

    Args:
        prices: The price book.
        seed: The history's seed.
    """

    def __init__(self, prices: PriceBook, seed: int) -> None:
        self._prices = prices
        self._seed = seed
        self._used: dict[str, dict[_Key, _Used]] = {"openai": {}, "anthropic": {}}
        self.booked: dict[str, int] = dict.fromkeys(self._used, 0)
        """What the ledger has of each provider, corrections included."""
        self.unmetered: dict[str, int] = dict.fromkeys(self._used, 0)
        """What no meter saw."""

    def bill(self, row: StepRow, usage: Usage, price: Price | None, project: str) -> None:
        """Add what a provider bills for a call, whatever the meter heard of it."""
        used = self._used.get(row.provider)
        if used is None or price is None:
            return
        self.booked[row.provider] += row.cost_nanousd
        if row.status != "cache_hit":
            day = from_us(row.ended_us).date()
            self._add(row.provider, _Key(day, row.model, row.service_tier, project), usage, price)

    def corrected(self, row: StepRow) -> None:
        """Note a correction of the ledger, which the provider knows nothing of."""
        if row.provider in self.booked:
            self.booked[row.provider] += row.cost_nanousd

    def close(self) -> None:
        """Add what no meter saw; once, when everything is billed."""
        for provider, (model, share) in UNMETERED.items():
            used = self._used[provider]
            price = self._prices.price(provider, model, 0)
            assert price is not None
            days: dict[date, int] = {}
            for key, amount in used.items():
                days[key.day] = days.get(key.day, 0) + amount.nanousd
            for day, nanousd in sorted(days.items()):
                rng = stream(self._seed, "unmetered", provider, day)
                tokens = int(nanousd * share * rng.uniform(0.5, 1.5) * 1_000 / price.cost(Usage(1_000)))
                usage = Usage(tokens * 3 // 4, tokens // 32)
                self.unmetered[provider] += self._add(
                    provider, _Key(day, model, "", PLAYGROUND), usage, price
                )

    def residuals(self) -> dict[str, dict[str, int]]:
        """Of each provider what it bills, what the ledger says, and the two parts of the difference, in nano-USD."""
        found: dict[str, dict[str, int]] = {}
        for provider, used in self._used.items():
            billed = sum(amount.nanousd for amount in used.values())
            residual = billed - self.booked[provider]
            found[provider] = {
                "invoice_nanousd": billed,
                "ledger_nanousd": self.booked[provider],
                "residual_nanousd": residual,
                "unmetered_nanousd": self.unmetered[provider],
                "estimates_nanousd": residual - self.unmetered[provider],
            }
        return found

    def write_openai(self, path: Path) -> None:
        """Write the cost export: an amount for each day, project and line item; its sum is exact."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows: csv.DictWriter[str] = csv.DictWriter(file, _OPENAI)
            rows.writeheader()
            for key, used in sorted(self._used["openai"].items()):
                start = datetime(key.day.year, key.day.month, key.day.day, tzinfo=UTC)
                end = start + timedelta(days=1)
                common: dict[str, Any] = {
                    "start_time": int(start.timestamp()),
                    "end_time": int(end.timestamp()),
                    "start_time_iso": start.isoformat(),
                    "end_time_iso": end.isoformat(),
                    "amount_currency": "usd",
                    "project_id": f"proj_{key.project}",
                    "project_name": key.project,
                    "organization_id": "org-demo",
                    "organization_name": "Demo",
                }
                for name, nanousd in self._line_items(key, used):
                    if nanousd:
                        rows.writerow({**common, "line_item": name, "amount_value": f"{usd(nanousd):f}"})

    def write_anthropic(self, path: Path) -> None:
        """Write the usage export: tokens for each day, workspace and model."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(_ANTHROPIC)
            for key, used in sorted(self._used["anthropic"].items()):
                api_key = "console" if key.project == PLAYGROUND else f"{key.project}-production"
                where = (key.day.isoformat(), key.model, api_key, key.project, "standard", "≤ 200k")
                rows.writerow((*where, used.plain, used.written, 0, used.read, used.output, 0))

    def _line_items(self, key: _Key, used: _Used) -> list[tuple[str, int]]:
        """An amount for each class of tokens; together they are what was billed."""
        price = self._prices.price("openai", key.model, int(_noon(key.day) * 1e6), key.tier)
        assert price is not None
        name = f"{key.model}, batch" if key.tier == "batch" else key.model
        read = price.cost(Usage(used.read, 0, used.read))
        output = price.cost(Usage(0, used.output))
        rest = used.nanousd - read - output
        return [(f"{name}, input", rest), (f"{name}, cached input", read), (f"{name}, output", output)]

    def _add(self, provider: str, key: _Key, usage: Usage, price: Price) -> int:
        read, written = usage.cache_read_tokens, usage.cache_write_5m_tokens
        nanousd = price.cost(usage)
        more = _Used(usage.input_tokens - read - written, written, read, usage.output_tokens, nanousd)
        used = self._used[provider]
        used[key] = used.get(key, _Used()).plus(more)
        return nanousd


def _noon(day: date) -> float:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
