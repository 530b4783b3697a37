"""The costs of a period in FOCUS, the FinOps Foundation's format for billing data: version 1.2, as CSV.

1.2 is the newest version that the Foundation's own validator has rules for; docs/focus.md maps every column, and the
columns that later versions add. A row is a day's charges of one payer at one price; all rows add up to the ledger's
total to the nano-dollar. `CommitmentDiscountStatus` is there, and empty, because a rule of the validator reads it.
"""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from spendgraph.clock import from_us, iso
from spendgraph_reports.engine import ask
from spendgraph_reports.exports.cells import dollars, number, safe
from spendgraph_reports.exports.focus_sql import TAGS, charges
from spendgraph_reports.exports.replacing import replacing
from spendgraph_reports.exports.steps import EVERYTHING, Exported
from spendgraph_reports.period import DAY_US, Period

FOCUS_VERSION: Final = "1.2"

_AI: Final = "AI and Machine Learning"
_SERVICES: Final = {  # the kind of a step: service, category, subcategory
    "model": ("Model inference", _AI, "Generative AI"),
    "embedding": ("Embeddings", _AI, "Machine Learning"),
    "rerank": ("Reranking", _AI, "Machine Learning"),
    "retriever": ("Retrieval", "Other", "Other (Other)"),
    "tool": ("Tool calls", "Other", "Other (Other)"),
    "other": ("Other costs", "Other", "Other (Other)"),
}
_STANDARD_TIERS: Final = frozenset({"", "default", "standard", "auto"})


def export_focus(
    ledger: str | Path, target: Path, period: Period = EVERYTHING, *, account: str = "spendgraph"
) -> Exported:
    """Write the charges of whole UTC days as FOCUS 1.2 in CSV.

    Args:
        ledger: The ledger.
        target: The file.
        period: Whole days UTC: a charge period is one day.
        account: The billing account's id and name, and the provider of what has none.

    Raises:
        ValueError: The period begins or ends within a day, or the account is empty.
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
        QueryError: DuckDB failed.
        ExportError: The file cannot be written.
        LedgerError: It is not a ledger in a file, or not of this version.
    """
    if not period.whole_days:
        raise ValueError(f"expected a period of whole days UTC for FOCUS, found {period.text}")
    if not account.strip():
        raise ValueError("expected the name of the billing account, found an empty one")
    rows = total = 0
    with (
        replacing(target, ledger) as path,
        path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for charge in ask(ledger, charges(period)):
            row = focus_row(charge, account)
            writer.writerow([row[name] for name in COLUMNS])
            rows += 1
            total += charge["cost_nanousd"]
    return Exported(target, rows, total)


def focus_row(charge: dict[str, Any], account: str) -> dict[str, str]:
    """A day's charges as the cells of a FOCUS row; an empty cell is null."""
    service, category, subcategory = _SERVICES[charge["kind"]]
    provider = charge["provider"] or charge["owner_team"] or account
    sku = f"{provider}/{charge['item'] or charge['kind']}"
    price = f"{sku}@{charge['price_id'] or charge['cost_basis']}"
    cost = dollars(charge["cost_nanousd"])
    quantity = _quantity(charge)
    unit = charge["unit"]
    is_correction = charge["entry"] == "correction"
    words = {
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if is_correction else "",
        "ChargeDescription": f"{'Correction: ' if is_correction else ''}{service} of {sku}",
        "ChargeFrequency": "Usage-Based",
        "ConsumedUnit": unit,
        "CommitmentDiscountStatus": "",
        "InvoiceId": "",
        "InvoiceIssuerName": provider,
        "PricingCategory": "Standard" if charge["service_tier"] in _STANDARD_TIERS else "Other",
        "PricingUnit": unit,
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceCategory": category,
        "ServiceName": service,
        "ServiceSubcategory": subcategory,
        "SkuId": sku,
        "SkuMeter": unit,
        "SkuPriceId": price,
        "SubAccountId": charge["workspace"],
        "SubAccountName": charge["workspace"],
        "Tags": _tags(*(charge[tag] for tag in TAGS)),
        "x_CostBasis": charge["cost_basis"],
        "x_CostCenter": charge["cost_center"],
        "x_Environment": charge["environment"],
        "x_Feature": charge["feature"],
        "x_FocusVersion": FOCUS_VERSION,
        "x_OwnerTeam": charge["owner_team"],
        "x_Project": charge["project"],
        "x_ServiceTier": charge["service_tier"],
        "x_Team": charge["team"],
        "x_Tenant": charge["tenant"],
        "x_Unattributed": "true" if charge["unattributed"] else "false",
        "x_WorkloadClass": charge["workload_class"],
    }
    return {name: safe(text) for name, text in words.items()} | {
        "BilledCost": cost,
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "ListCost": cost,
        **_periods(charge["day"]),
        "ConsumedQuantity": quantity,
        "PricingQuantity": quantity,
        "x_CacheReadTokens": str(charge["cache_read_tokens"]),
        "x_CacheWriteTokens": str(charge["cache_write_tokens"]),
        "x_Calls": str(charge["calls"]),
        "x_CostNanousd": str(charge["cost_nanousd"]),
        "x_InputTokens": str(charge["input_tokens"]),
        "x_OutputTokens": str(charge["output_tokens"]),
        "x_ReasoningTokens": str(charge["reasoning_tokens"]),
    }


@lru_cache(maxsize=10_000)
def _tags(*values: str) -> str:
    """FOCUS's key-value format: one flat JSON object."""
    return json.dumps(
        {tag: value for tag, value in zip(TAGS, values, strict=True) if value}, ensure_ascii=False
    )


def _quantity(charge: dict[str, Any]) -> str:
    """How much of the unit, with a decimal point: the validator takes a column without one for whole numbers."""
    if charge["unit"] == "Tokens":
        return f"{charge['input_tokens'] + charge['output_tokens']}.0"
    if charge["unit"] == "Requests":
        return f"{charge['calls']}.0"
    text = number(charge["quantity"])
    return text if "." in text else f"{text}.0"


@lru_cache(maxsize=400)
def _periods(day: int) -> dict[str, str]:
    """The day as the charge period, its month as the billing period; what ends them is not in them."""
    start_us = day * DAY_US
    month = from_us(start_us).replace(day=1)
    following = (month + timedelta(days=31)).replace(day=1)
    return {
        "BillingPeriodStart": f"{month:%Y-%m-%d}T00:00:00Z",
        "BillingPeriodEnd": f"{following:%Y-%m-%d}T00:00:00Z",
        "ChargePeriodStart": iso(start_us),
        "ChargePeriodEnd": iso(start_us + DAY_US),
    }


_COUNTS: Final = (
    "day",
    "calls",
    "cost_nanousd",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_WORDS: Final = ("provider", "owner_team", "service_tier", "cost_basis", "entry", "item", "price_id", "unit")
_EXAMPLE: Final[dict[str, Any]] = {
    **dict.fromkeys(_COUNTS, 0),
    **dict.fromkeys((*_WORDS, *TAGS), ""),
    "kind": "other",
    "quantity": 0.0,
    "unattributed": False,
}

COLUMNS: Final = tuple(sorted(focus_row(_EXAMPLE, "-"), key=lambda name: (name.startswith("x_"), name)))
"""FOCUS's columns by name, then our own."""
