"""Which budgets a call counts against, and for whom."""

from __future__ import annotations

import pytest

from spendgraph import CostContext
from spendgraph.budgets.matching import counters_of
from spendgraph.policy import parse_policy


def scopes(budget: str, context: CostContext) -> list[str]:
    """The scopes that a call of task t and thread 42 counts under."""
    policy = parse_policy(f"budgets: [{{name: b, limit_usd: 1, {budget}}}]")
    return [counter.scope for counter in counters_of(policy.budgets, context, "t", "42")]


ACME = CostContext(tenant="acme", user="u1", environment="production", extra={"region": "eu"})


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("period: day", [""]),
        ("per: tenant", ["tenant=acme"]),
        ("per: [tenant, user]", ["tenant=acme,user=u1"]),
        ("per: x_region", ["x_region=eu"]),
        ("per: team", ["team="]),
        ("per: task", ["task=t"]),
        ("per: thread", ["thread=42"]),
        ("per: call", [""]),
        ("match: {environment: production}", [""]),
        ("match: {environment: [staging, production], tenant: acme}", [""]),
        ("match: {environment: staging}", []),
        ("match: {team: support}", []),
        ("match: {x_region: eu}, per: tenant", ["tenant=acme"]),
    ],
)
def test_a_call_counts_where_its_tags_say(budget: str, expected: list[str]) -> None:
    """An unset tag counts under the empty value, so that nobody escapes by being nobody."""
    assert scopes(budget, ACME) == expected


def test_a_value_cannot_pretend_to_be_another_scope() -> None:
    """Separators in values are escaped."""
    forged = CostContext(tenant="a,user=u2", user="x")
    assert scopes("per: [tenant, user]", forged) == ["tenant=a%2Cuser%3Du2,user=x"]
