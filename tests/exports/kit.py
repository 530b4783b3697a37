"""A ledger of a few steps that are hard to export, and what files say of them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ledger.rows import ACME, GLOBEX, START_US, context_row, step, task
from spendgraph.ledger import Ledger
from spendgraph_reports.period import DAY_US

HOSTILE = context_row(
    feature="=cmd|' /C calc'!A0", team="support", tenant="+evil;=1+1", environment="production"
)
TOTAL = 26_740_000_000 + 2 + 4_999_999 + 5_000 - 1_000
"""What the steps of `write_books` cost in all, in nano-USD."""


def write_books(path: Path) -> Path:
    """Two days of steps: a dear one, one below a micro-dollar, a hostile tag, a correction, a tool, a cache hit."""
    with Ledger.open(path) as ledger:
        ledger.post(
            ACME,
            GLOBEX,
            HOSTILE,
            task(),
            step("dear", provider="openai", model="gpt-5", cost_nanousd=26_740_000_000),
            step("tiny", provider="openai", model="gpt-5-nano", cost_nanousd=2, context_id=GLOBEX.context_id),
            step("hostile", provider="anthropic", model="claude", context_id=HOSTILE.context_id),
            step(
                "hostile/late",
                entry="correction",
                corrects_step_id="hostile",
                provider="anthropic",
                model="claude",
                context_id=HOSTILE.context_id,
                input_tokens=-4,
                output_tokens=0,
                cost_nanousd=-1_000,
            ),
            step(
                "tool",
                kind="tool",
                name="web_search",
                started_us=START_US + DAY_US,
                cost_nanousd=4_999_999,
                cost_basis="configured",
                input_tokens=0,
                output_tokens=0,
                quantity=2.5,
                unit="pages",
                missing_tags="cost_center",
            ),
            step("hit", provider="openai", model="gpt-5", status="cache_hit", cost_nanousd=0),
        )
    return path


def cells(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_step(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows by the step's id."""
    return {row["step_id"]: row for row in rows}
