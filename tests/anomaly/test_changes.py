"""What changed: five parts that add up to the excess, to the nano-dollar, each of what it says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgraph.pricing import Price
from spendgraph_anomaly.explain.changes import PARTS, SUMS, changes

LARGE = Price.of(
    {
        "input_usd_per_mtok": Decimal(2),
        "output_usd_per_mtok": Decimal(10),
        "cache_read_usd_per_mtok": Decimal("0.2"),
    },
    provider="openai",
    model="large",
    source="policy",
)


def price(provider: str, model: str, tier: str) -> Price | None:
    """The large model's price; nobody knows that of the others."""
    return LARGE if model == "large" else None


def row(
    cost: int, steps: int, given: int = 0, output: int = 0, read: int = 0, **named: str
) -> dict[str, Any]:
    """The calls of one model, at a cost in nano-USD."""
    names = {"kind": "model", "name": "", "provider": "openai", "model": "large", "service_tier": ""} | named
    counts = dict.fromkeys(SUMS, 0) | {
        "cost_nanousd": cost,
        "steps": steps,
        "input_tokens": given,
        "output_tokens": output,
        "cache_read_tokens": read,
    }
    return names | counts


def parts(now: list[dict[str, Any]], *weeks: list[dict[str, Any]]) -> dict[str, int]:
    """The parts by name."""
    return {change.part: change.nanousd for change in changes(now, weeks, price)}


USUAL = row(30_000_000, 10, 10_000, 1_000)
"""Ten calls of 1,000 tokens in and 100 out: $0.02 and $0.01."""

COUNTS = st.integers(0, 10**6)


@st.composite
def any_row(draw: st.DrawFn) -> dict[str, Any]:
    """Calls of some model or tool, whatever they cost."""
    read = draw(COUNTS)
    return row(
        draw(st.integers(-(10**6), 10**12)),
        draw(st.integers(0, 1000)),
        draw(COUNTS) + read,
        draw(COUNTS),
        read,
        model=draw(st.sampled_from(["large", "small", ""])),
        kind=draw(st.sampled_from(["model", "tool"])),
    )


ROWS = st.lists(any_row(), max_size=5)


@given(now=ROWS, weeks=st.lists(ROWS, max_size=4))
def test_parts_add_up_to_the_excess(now: list[dict[str, Any]], weeks: list[list[dict[str, Any]]]) -> None:
    """Any rows, also without calls, tokens or weeks, at negative costs: what it cost less the rounded mean."""
    found = changes(now, weeks, price)
    assert [change.part for change in found] == list(PARTS)
    total = sum(each["cost_nanousd"] for week in weeks for each in week)
    count = max(1, len(weeks))
    excess = sum(change.nanousd for change in found)
    mean_times_count = count * (sum(each["cost_nanousd"] for each in now) - excess)
    assert abs(mean_times_count - total) * 2 <= count


@pytest.mark.parametrize(
    ("now", "part", "nanousd"),
    [
        (row(90_000_000, 30, 30_000, 3_000), "calls", 60_000_000),
        (row(50_000_000, 10, 20_000, 1_000), "tokens per call", 20_000_000),
        (row(40_000_000, 10, 10_000, 2_000), "tokens per call", 10_000_000),
        (row(21_000_000, 10, 10_000, 1_000, 5_000), "cache", -9_000_000),
        (row(45_000_000, 10, 10_000, 1_000), "price", 15_000_000),
    ],
    ids=["three times the calls", "twice the prompt", "twice the answer", "half of it cached", "dearer"],
)
def test_one_change_is_one_part(now: dict[str, Any], part: str, nanousd: int) -> None:
    """At $2 in, $0.20 from the cache, $10 out; the other parts are nothing."""
    found = parts([now], [USUAL], [USUAL])
    assert found == dict.fromkeys(PARTS, 0) | {part: nanousd}


def test_calls_that_moved_to_a_dearer_model() -> None:
    """Ten calls on each of two models become twenty on the dearer one: what it costs more is the models' part."""
    small = row(5_000_000, 10, 10_000, 1_000, model="small")
    now = row(60_000_000, 20, 20_000, 2_000)
    found = changes([now], [[USUAL, small]], price)
    assert {change.part: change.nanousd for change in found} == dict.fromkeys(PARTS, 0) | {
        "models": 25_000_000
    }
    (moved,) = (change for change in found if change.part == "models")
    assert (moved.what, moved.before, moved.now) == ("large", 0.5, 1.0)


def test_prompts_and_cache_at_once() -> None:
    """Three times the prompt at the old cache share of 50 percent, then nothing from the cache any more."""
    before = row(21_000_000, 10, 10_000, 1_000, 5_000)  # $0.010 fresh, $0.001 cached, $0.010 out
    now = row(70_000_000, 10, 30_000, 1_000)  # $0.060 fresh, $0.010 out
    found = parts([now], [before])
    assert found == dict.fromkeys(PARTS, 0) | {"tokens per call": 22_000_000, "cache": 27_000_000}


def test_what_no_price_list_knows_counts_tokens_alike() -> None:
    """A model without a price: twice the tokens at twice the cost; of the cache nothing is said."""
    before = row(10_000_000, 10, 10_000, 1_000, 5_000, model="own")
    now = row(20_000_000, 10, 20_000, 2_000, 0, model="own")
    assert parts([now], [before]) == dict.fromkeys(PARTS, 0) | {"tokens per call": 10_000_000}


def test_what_was_not_there_before_came_by_its_calls() -> None:
    """Nothing in the weeks before, or no week at all."""
    assert parts([USUAL], [], []) == dict.fromkeys(PARTS, 0) | {"calls": 30_000_000}
    assert parts([USUAL]) == dict.fromkeys(PARTS, 0) | {"calls": 30_000_000}


def test_what_is_gone_went_by_its_calls() -> None:
    """No call any more, where $0.03 was usual."""
    assert parts([], [USUAL]) == dict.fromkeys(PARTS, 0) | {"calls": -30_000_000}


def test_tools_have_calls_and_a_price() -> None:
    """Ten searches at $0.005 became twenty at $0.006."""
    tool: dict[str, Any] = {"kind": "tool", "name": "search", "model": "", "provider": ""}
    found = changes([row(120_000_000, 20, **tool)], [[row(50_000_000, 10, **tool)]], price)
    assert {change.part: change.nanousd for change in found} == dict.fromkeys(PARTS, 0) | {
        "calls": 50_000_000,
        "price": 20_000_000,
    }
    assert [(change.before, change.now) for change in found if change.part == "price"] == [(0.005, 0.006)]
