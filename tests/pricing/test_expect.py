"""What calls are expected to cost, from what such calls have cost before."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from spendgraph.pricing import KEPT, CostHistory
from spendgraph.pricing.expect import ENOUGH

COSTS = st.lists(st.integers(0, 10**12), max_size=600)


def exact(costs: list[int], q: float) -> int:
    """The smallest of the costs that a share `q` of them does not exceed, by trying every one."""
    return min(cost for cost in costs if sum(other <= cost for other in costs) >= q * len(costs))


@given(earlier=COSTS, later=COSTS, q=st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_the_quantile_is_one_of_the_latest_costs_and_no_others(
    earlier: list[int], later: list[int], q: float
) -> None:
    """Of the last 256, at most sixteen calls ago; never negative; nothing before there are enough."""
    history = CostHistory()
    asked: list[int | None] = []
    history.seed(("f", "m", cost) for cost in earlier)
    for cost in later:
        asked.append(history.quantile("f", "m", q))
        history.add("f", "m", cost)
    every = earlier + later
    found = history.quantile("f", "m", q)
    if len(every) < ENOUGH:
        assert found is None
        return
    ages = range(min(16, len(later) + 1))
    possible = {exact(every[: len(every) - age][-KEPT:], q) for age in ages if len(every) - age >= ENOUGH}
    assert found in possible
    assert found is not None
    assert found >= 0
    assert all(each is None or each >= 0 for each in asked)


@given(before=COSTS, known=COSTS)
def test_what_others_paid_comes_before_what_this_process_knows(before: list[int], known: list[int]) -> None:
    """Whenever the past arrives, the history is the same."""
    late, early = CostHistory(), CostHistory()
    for cost in known:
        late.add("f", "m", cost)
    late.seed(("f", "m", cost) for cost in before)
    early.seed(("f", "m", cost) for cost in before)
    for cost in known:
        early.add("f", "m", cost)
    assert late.quantile("f", "m", 0.95) == early.quantile("f", "m", 0.95)


def test_the_quantile_moves_when_the_past_arrives() -> None:
    """One that was worked out before is not kept."""
    history = CostHistory()
    for _ in range(ENOUGH):
        history.add("f", "m", 1)
    assert history.quantile("f", "m", 0.95) == 1
    history.seed(("f", "m", 100) for _ in range(KEPT))
    assert history.quantile("f", "m", 0.95) == 100


def test_memory_is_bounded_whatever_names_come() -> None:
    """A name for every call."""
    history = CostHistory()
    for n in range(20_000):
        history.add(f"feature {n}", "m", n)
        history.quantile(f"feature {n}", "m", 0.95)
    history.seed((f"other {n}", "m", n) for n in range(20_000))
    kept = history._costs  # pyright: ignore[reportPrivateUsage]
    assert len(kept) <= 4_096
    assert sum(sys.getsizeof(costs) for costs in kept.values()) < 10_000_000
