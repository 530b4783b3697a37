"""Breakers, notifications and decisions in the policy file: what they may say, and what is said about the rest."""

from __future__ import annotations

import pytest

from spendgraph.errors import PolicyError
from spendgraph.policy import parse_policy


def test_what_a_breaker_says() -> None:
    """Amounts are exact, a single tag is a list of one."""
    text = "breakers: [{name: velocity, per: tenant, usd_per_minute: '5', open_for: 30m}, {name: suspended, per: workspace}]"
    velocity, suspended = parse_policy(text).breakers
    assert (velocity.per, str(velocity.usd_per_minute), velocity.open_for) == (("tenant",), "5", "30m")
    assert (suspended.usd_per_minute, suspended.open_for) == (None, "15m")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "breakers: [{name: a, usd_per_minute: 1, identical_calls: 3}]",
            "found usd_per_minute and identical_calls",
        ),
        ("breakers: [{name: a, per: call, usd_per_minute: 1}]", "found `call`"),
        ("breakers: [{name: a, per: tenant, identical_calls: 3}]", "a loop is one task's"),
        ("breakers: [{name: a, open_for: 5}]", "expected a time up to 400 days"),
        ("breakers: [{name: a}, {name: a}]", "found 'a' twice"),
        ("breakers: [{name: a, usd_per_minute: fast}]", "expected dollars"),
        ("breakers: [{name: a, to: lead}]", "expected names under `notify` in `to`, found 'lead'"),
        (
            "budgets: [{name: a, limit_usd: 1, thresholds: [{at: 50%, do: notify, to: lead}]}]",
            "expected names under `notify` in `to`, found 'lead'",
        ),
        ("on_ledger_error: {production: maybe}", "expected 'block' or 'allow'"),
        ("approvals: {within: soon}", "expected a time up to 400 days"),
        ("approvals: {decisions: spoken}", "expected 'inline' or 'recorded'"),
    ],
)
def test_an_error_says_what_was_expected(text: str, message: str) -> None:
    """And where."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("<policy>:1: ")
