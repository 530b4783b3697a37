"""Budgets in the policy file: what may be said, and what an error says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendgraph.errors import PolicyError
from spendgraph.policy import Budget, parse_policy


def one(body: str) -> Budget:
    """The only budget of a policy."""
    (budget,) = parse_policy(f"budgets:\n  - {{name: b, {body}}}").budgets
    return budget


@pytest.mark.parametrize(
    ("body", "unit", "limit"),
    [
        ('limit_usd: "500"', "nanousd", 500 * 10**9),
        ("limit_usd: 0.000000001", "nanousd", 1),
        ("limit_usd: 0", "nanousd", 0),
        ("limit_tokens: 1_000", "tokens", 1000),
        ("limit_calls: 0", "calls", 0),
    ],
)
def test_a_limit_counts_in_its_unit(body: str, unit: str, limit: int) -> None:
    """Zero is a limit."""
    budget = one(body)
    assert (budget.unit, budget.limit) == (unit, limit)


def test_everything_a_budget_may_say() -> None:
    """The longest entry there is."""
    budget = one(
        "owner: growth, signed_off: {by: cfo@example.com, on: 2026-10-01}, match: {environment: [production, eval]},"
        " per: [tenant, x_region], period: rolling 24h, timezone: Europe/Berlin, limit_usd: 5, reserve: strict,"
        " quantile: 0.9, exempt: {priority: critical, up_to: 110%}"
    )
    assert budget.per == ("tenant", "x_region")
    assert budget.match == {"environment": ("production", "eval")}
    assert budget.quantile == Decimal("0.9")
    assert budget.exempt is not None
    assert budget.exempt.up_to == Decimal("1.1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("period: day", "expected one of limit_usd, limit_tokens and limit_calls, found none"),
        ("limit_usd: 1, limit_calls: 2", "found limit_usd and limit_calls"),
        ("limit_usd: -1", "expected dollars from 0"),
        ("limit_usd: 1, period: monthly", "expected hour, day, week, month, quarter, total, or rolling"),
        ("limit_usd: 1, period: rolling 500d", "up to 400 days"),
        ("limit_usd: 1, period: rolling 0h", "expected hour, day"),
        ("limit_usd: 1, timezone: europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("limit_usd: 1, timezone: ../../etc/passwd", "expected a time zone"),
        ("limit_usd: 1, per: tenants", "unknown tag 'tenants'"),
        ("limit_usd: 1, per: [call, tenant]", "expected `call` alone in `per`"),
        ("limit_usd: 1, per: task, period: day", "expected no `period` for a budget per task"),
        ("limit_usd: 1, reserve: strickt", "did you mean 'strict'?"),
        ("limit_usd: 1, quantile: 1", "expected a number between 0 and 1"),
        ("limit_usd: 1, exempt: {priority: critical, up_to: 90%}", "expected `up_to` above 100%"),
        ("limit_usd: 1, exempt: {priority: critical, up_to: 2}", "expected a percentage"),
        ("limit_usd: 1, thresholds: [{at: 90%, do: approve}]", "expected `at: 100%` for approve, found 90%"),
        ("limit_usd: 1, thresholds: [{at: 90%, do: block}]", "expected `at: 100%` for block, found 90%"),
        ("limit_usd: 1, thresholds: [{at: 120%, do: notify}]", "expected `at` up to 100%, found 120%"),
        (
            "limit_usd: 1, thresholds: [{at: 100%, do: [approve, block]}]",
            "expected approve or block, found both",
        ),
        ("limit_usd: 1, thresholds: [{at: 50%, do: shout}]", "expected 'notify'"),
        (
            "limit_usd: 1, per: call, thresholds: [{at: 100%, do: approve}]",
            "expected no thresholds for a budget per call",
        ),
        ("limit_usd: 1, warn_usd: 1", "expected `warn_usd` with `per: call` only"),
    ],
)
def test_an_error_names_the_line_and_what_was_expected(body: str, message: str) -> None:
    """File, line, expectation."""
    with pytest.raises(PolicyError) as caught:
        one(body)
    assert str(caught.value).startswith("<policy>:2: budgets[0]")
    assert message in str(caught.value)


def test_two_budgets_of_one_name_are_an_error() -> None:
    """Their windows would be one."""
    with pytest.raises(PolicyError, match="a name of its own for every budget, found 'b' twice"):
        parse_policy("budgets:\n  - {name: b, limit_usd: 1}\n  - {name: b, limit_usd: 2}")
