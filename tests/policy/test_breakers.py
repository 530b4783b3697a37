"""Breakers in the policy file: what may be said, and what an error says."""

from __future__ import annotations

import pytest

from spendgraph.errors import PolicyError
from spendgraph.ledger.breakers import COUNTERS as IN_THE_LEDGER
from spendgraph.policy import Breaker, parse_policy
from spendgraph.policy.breakers import COUNTERS


def one(body: str) -> Breaker:
    """The only breaker of a policy."""
    (breaker,) = parse_policy(f"breakers:\n  - {{name: b, {body}}}").breakers
    return breaker


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("per: tenant, usd_per_minute: 5", ("tenant",)),
        ("per: [tenant, x_region], limit_usd: 5", ("tenant", "x_region")),
        ("owner: growth", ()),
        ("per: thread, usd_per_minute: 5", ("thread",)),
        ("per: feature, times_median: 10", ("task",)),
        ("identical_calls: 20", ("task",)),
        ("per: task, identical_calls: 20", ("task",)),
    ],
)
def test_what_a_scope_is_made_of(body: str, names: tuple[str, ...]) -> None:
    """A task that is compared, or stuck, is stopped itself."""
    assert one(body).scope_names == names


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "usd_per_minute: 5, limit_usd: 5",
            "expected one condition for a breaker, found usd_per_minute and limit_usd",
        ),
        ("per: call, usd_per_minute: 5", "found `call`"),
        ("per: tenant, identical_calls: 5", "expected `per: task` for identical_calls"),
        ("per: task, times_median: 5", "expected tags in `per` of times_median"),
        ("per: [tenant, thread], times_median: 5", "expected tags in `per` of times_median"),
        ("identical_calls: 65", "expected identical_calls from 2 to 64, found 65"),
        ("identical_calls: 1", "expected identical_calls from 2 to 64, found 1"),
        ("open_for: soon", "expected a time up to 400 days"),
        ("to: [lead]", "expected names under `notify` in `to`, found 'lead'"),
    ],
)
def test_an_error_says_what_was_expected(body: str, message: str) -> None:
    """With file and line."""
    with pytest.raises(PolicyError) as caught:
        one(body)
    assert message in str(caught.value)


def test_no_budget_is_called_like_a_breakers_counter() -> None:
    """Their windows would be one."""
    assert COUNTERS == IN_THE_LEDGER
    with pytest.raises(PolicyError, match="does not begin with 'breaker:'"):
        parse_policy("budgets: [{name: 'breaker:velocity', limit_usd: 5}]")
