"""Ledgers of calls that were priced as a meter prices them, by token and class."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, write
from spendgraph.clock import utc_us
from spendgraph.ledger import Ledger, PriceRow, StepRow
from spendgraph.policy import parse_policy
from spendgraph.pricing import Price, PriceBook, Usage
from spendgraph_reports.period import DAY_US

POLICY = parse_policy("""
prices:
  models:
    - provider: anthropic
      model: "claude*"
      input_usd_per_mtok: "3"
      output_usd_per_mtok: "15"
      cache_read_usd_per_mtok: "0.3"
      cache_write_5m_usd_per_mtok: "3.75"
      cache_write_1h_usd_per_mtok: "6"
      long_context:
        {above_tokens: 200000, input_usd_per_mtok: "6", output_usd_per_mtok: "22.5", cache_read_usd_per_mtok: "0.6", cache_write_5m_usd_per_mtok: "7.5", cache_write_1h_usd_per_mtok: "12"}
    - provider: openai
      model: "gpt-5*"
      input_usd_per_mtok: "1.25"
      output_usd_per_mtok: "10"
      cache_read_usd_per_mtok: "0.125"
      tiers: {flex: {input_usd_per_mtok: "0.625", output_usd_per_mtok: "5"}}
    - {provider: openai, model: plain, input_usd_per_mtok: "1", output_usd_per_mtok: "2"}
    - {provider: openai, model: tiny, input_usd_per_mtok: "0.00035", output_usd_per_mtok: "0.0007"}
""")
"""A model with a long context and cache writes, one with a tier, one without a price for its cache, one whose calls cost parts of a
nano-dollar."""

BOOK = PriceBook(POLICY.prices)

ANSWERED = (
    ("anthropic", "claude", "claude-20260101", ""),
    ("anthropic", "claude", "claude", ""),
    ("openai", "gpt-5", "gpt-5-2025-08-07", ""),
    ("openai", "gpt-5", "gpt-5", "flex"),
    ("openai", "plain", "plain", ""),
    ("openai", "tiny", "tiny", ""),
)
"""Providers, the models that were asked for and that answered, and tiers."""


def price_of(row: StepRow) -> Price:
    """The price of a call's provider, model and tier."""
    found = BOOK.price(row.provider, row.model, row.started_us, row.service_tier)
    assert found is not None
    return found


def usage_of(row: StepRow) -> Usage:
    """The tokens of a row."""
    return Usage(
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_5m_tokens=row.cache_write_5m_tokens,
        cache_write_1h_tokens=row.cache_write_1h_tokens,
        reasoning_tokens=row.reasoning_tokens,
    )


def call(step_id: str, usage: Usage, answered: int = 2, **columns: Any) -> StepRow:
    """A call of one of `ANSWERED`, at its price."""
    provider, requested, model, tier = ANSWERED[answered]
    values: dict[str, Any] = {
        "context_id": CONTEXTS[0].context_id,
        "started_us": DAY,
        "ended_us": DAY + 1,
        "provider": provider,
        "model_requested": requested,
        "model": model,
        "service_tier": tier,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }
    row = step(step_id, **{**values, **columns})
    price = price_of(row)
    charged: dict[str, Any] = {
        "cost_nanousd": price.cost(usage),
        "saved_nanousd": price.saved(usage),
        "price_id": price.price_id,
    }
    return row._replace(**{name: value for name, value in charged.items() if name not in columns})


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Tokens of every class that the ledger has a rate of here, long contexts among them."""
    parts = [draw(st.integers(0, 150_000)) for _ in range(4)]
    reasoning = draw(st.integers(0, 5_000))
    return Usage(
        input_tokens=sum(parts),
        cache_read_tokens=parts[1],
        cache_write_5m_tokens=parts[2],
        cache_write_1h_tokens=parts[3],
        output_tokens=reasoning + draw(st.integers(0, 5_000)),
        reasoning_tokens=reasoning,
    )


@st.composite
def calls(draw: st.DrawFn, most: int = 20) -> list[StepRow]:
    """Calls within some weeks, in any order; of a third, a late end said what they used: the correction has the difference."""
    drawn: list[StepRow] = []
    for number in range(draw(st.integers(0, most))):
        started = DAY + draw(st.integers(-20 * DAY_US, 20 * DAY_US))
        made = call(
            f"call-{number}",
            draw(usages()),
            draw(st.integers(0, len(ANSWERED) - 1)),
            started_us=started,
            ended_us=started + 1,
            task_id=f"task-{number % 5}",
            context_id=draw(st.sampled_from(CONTEXTS)).context_id,
        )
        if draw(st.integers(0, 2)):
            drawn.append(made)
            continue
        held = made._replace(
            input_tokens=9, output_tokens=9, cache_read_tokens=0, cache_write_5m_tokens=0, cache_write_1h_tokens=0,
            reasoning_tokens=0, cost_nanousd=10**9, saved_nanousd=0, price_id=None, cost_basis="upper_bound", status="cancelled",
        )  # fmt: skip
        counted = [name for name in StepRow._fields if name.endswith("_tokens")]
        differences = {
            name: getattr(made, name) - getattr(held, name)
            for name in (*counted, "cost_nanousd", "saved_nanousd")
        }
        late = made._replace(
            step_id=f"{made.step_id}/late", entry="correction", corrects_step_id=made.step_id
        )
        drawn += [held, late._replace(**differences)]
    return draw(st.permutations(drawn))


def keep(path: Path, rows: Iterable[StepRow], *, roll: bool = False) -> Path:
    """A ledger with these calls and the prices they were charged at."""
    steps = list(rows)
    prices = {price.price_id: price for row in steps if row.price_id for price in [price_of(row)]}
    with Ledger.open(path) as ledger:
        ledger.post(
            *(PriceRow(*(getattr(price, name) for name in PriceRow._fields)) for price in prices.values())
        )
    return write(path, steps, roll=roll)


def prune(path: Path, before_us: int) -> None:
    """Delete the steps of a ledger that started earlier, some months later."""
    with Ledger.open(path, clock=lambda: max(utc_us(), DAY + 90 * DAY_US)) as ledger:
        ledger.upkeep.roll()
        ledger.upkeep.prune(before_us)


def ended(rows: Iterable[StepRow]) -> list[StepRow]:
    """The calls as their corrections left them: what a late end says is what they used."""
    found: dict[str, StepRow] = {}
    late = [row for row in rows if row.entry == "correction"]
    for row in rows:
        if row.entry == "charge":
            found[row.step_id] = row
    for row in late:
        charge = found[str(row.corrects_step_id)]
        names = [name for name in StepRow._fields if name.endswith("_tokens")] + [
            "cost_nanousd",
            "saved_nanousd",
        ]
        found[charge.step_id] = row._replace(
            step_id=charge.step_id,
            entry="charge",
            **{name: getattr(charge, name) + getattr(row, name) for name in names},
        )
    return list(found.values())
