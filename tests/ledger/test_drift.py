"""How far estimates are from what calls then cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.rows import GLOBEX, START_US, step

if TYPE_CHECKING:
    from spendgraph.ledger import Ledger


def paid(
    ledger: Ledger, cost: int, estimate: int | None, reserved: int | None = None, **columns: Any
) -> None:
    """A call that was expected to cost something else."""
    values: dict[str, Any] = {"model_requested": "gpt", "provider": "openai", **columns}
    held = estimate if reserved is None else reserved
    ledger.post(step(cost_nanousd=cost, estimate_nanousd=estimate, reserved_nanousd=held, **values))


def test_each_feature_and_model_has_its_drift(ledger: Ledger) -> None:
    """Sums, their ratio, how far a call is off, and how many cost more than was held."""
    for cost in (50, 100, 150, 400):
        paid(ledger, cost, 100, 200)
    paid(ledger, 10, 10, context_id=GLOBEX.context_id)
    paid(ledger, 30, 10, kind="tool", name="search", cost_basis="configured")
    assert ledger.drift() == [
        {
            "feature": "triage", "provider": "openai", "kind": "model", "model": "gpt", "calls": 4,
            "estimate_nanousd": 400, "cost_nanousd": 700, "ratio": 1.75, "p50_error": 0.5, "p95_error": 3.0,
            "over_reservation": 0.25, "unestimated": 0,
        },
        {
            "feature": "triage", "provider": "openai", "kind": "tool", "model": "search", "calls": 1,
            "estimate_nanousd": 10, "cost_nanousd": 30, "ratio": 3.0, "p50_error": 2.0, "p95_error": 2.0,
            "over_reservation": 1.0, "unestimated": 0,
        },
        {
            "feature": "search", "provider": "openai", "kind": "model", "model": "gpt", "calls": 1,
            "estimate_nanousd": 10, "cost_nanousd": 10, "ratio": 1.0, "p50_error": 0.0, "p95_error": 0.0,
            "over_reservation": 0.0, "unestimated": 0,
        },
    ]  # fmt: skip


def test_a_correction_belongs_to_what_a_call_cost(ledger: Ledger) -> None:
    """The sum of both is compared."""
    paid(ledger, 100, 100, step_id="s1")
    ledger.correct("s1", reason="invoice", cost_nanousd=100)
    (row,) = ledger.drift()
    assert (row["cost_nanousd"], row["p50_error"], row["over_reservation"]) == (200, 1.0, 1.0)


def test_calls_that_tell_nothing_are_left_out(ledger: Ledger) -> None:
    """Without an estimate, cut, failed, unpriced, unheard, from the cache, free, or of another time."""
    paid(ledger, 5, None)
    paid(ledger, 5, 5, status="cut")
    paid(ledger, 5, 5, status="error")
    paid(ledger, 0, 5, status="cache_hit")
    paid(ledger, 0, 5, cost_basis="unpriced")
    paid(ledger, 5, 5, cost_basis="upper_bound")
    paid(ledger, 0, 0)
    assert ledger.drift() == []
    paid(ledger, 5, 5)
    assert ledger.drift(since=START_US + 1) == []
    assert ledger.drift(until=START_US) == []
    assert len(ledger.drift(since=START_US, until=START_US + 1)) == 1


def test_what_nobody_could_foresee_is_counted_apart(ledger: Ledger) -> None:
    """A nano-dollar is held for a call whose cost nobody knows: as an estimate it would be off by millions."""
    paid(ledger, 5_000, 1)
    (row,) = ledger.drift()
    assert (row["calls"], row["unestimated"], row["ratio"], row["p95_error"]) == (0, 1, None, None)
    paid(ledger, 100, 100)
    (row,) = ledger.drift()
    assert (row["calls"], row["unestimated"], row["ratio"]) == (1, 1, 1.0)
