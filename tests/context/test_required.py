"""What a policy asks of a context."""

from __future__ import annotations

import pytest

from spendgraph.context import CostContext, Violation, missing_tags
from spendgraph.policy import Attribution


def attribution(**keys: object) -> Attribution:
    """An attribution section as the file has it."""
    return Attribution.model_validate(keys)


def names(context: CostContext, section: Attribution) -> list[str]:
    """The tags of the violations."""
    return [violation.tag for violation in missing_tags(context, section)]


def test_a_required_tag_that_is_unset_or_blank_is_missing() -> None:
    """Standard and extra tags alike, in the policy's order."""
    section = attribution(required=["feature", "x_region", "tenant"])
    assert names(CostContext(feature="a", tenant="b", extra={"region": "eu"}), section) == []
    assert names(CostContext(feature=" ", user="u"), section) == ["feature", "x_region", "tenant"]
    assert missing_tags(CostContext(feature="a", tenant="b"), section) == (
        Violation("x_region", "tag 'x_region' is required and not set"),
    )


def test_without_requirements_only_an_empty_context_lacks_tags() -> None:
    """Spend without any tag is unattributed; with any tag it is somebody's."""
    five = ["feature", "team", "workload_class", "tenant", "environment"]
    assert names(CostContext(), Attribution()) == five
    assert names(CostContext(task_id="t1"), Attribution()) == five
    assert names(CostContext(user="u"), Attribution()) == []
    assert names(CostContext(), attribution(required=["team"])) == ["team"]


@pytest.mark.parametrize(
    ("context", "missing"),
    [
        (CostContext(environment="production", tenant="acme"), ["cost_center", "x_ticket"]),
        (CostContext(environment="production", tenant="acme", cost_center="7"), ["x_ticket"]),
        (CostContext(environment="production", tenant="globex"), ["cost_center", "x_ticket"]),
        (CostContext(environment="production", tenant="other"), []),
        (CostContext(environment="staging", tenant="acme"), []),
        (CostContext(tenant="acme"), []),
    ],
)
def test_a_rule_asks_only_where_all_its_tags_match(context: CostContext, missing: list[str]) -> None:
    """Several tags must all match, several values of one tag are alternatives."""
    section = attribution(
        rules=[
            {
                "when": {"environment": "production", "tenant": ["acme", "globex"]},
                "require": ["cost_center", "x_ticket"],
            }
        ]
    )
    assert names(context, section) == missing


def test_a_rule_speaks_with_its_own_words() -> None:
    """Its message, or else what it says."""
    rule = {"when": {"environment": ["production", "staging"]}, "require": "cost_center"}
    context = CostContext(environment="production")
    assert missing_tags(context, attribution(rules=[{**rule, "message": "Ask finance."}])) == (
        Violation("cost_center", "Ask finance."),
    )
    assert missing_tags(context, attribution(rules=[rule])) == (
        Violation("cost_center", "tag 'cost_center' is required when environment is production or staging"),
    )


def test_a_value_that_is_not_allowed_is_a_violation() -> None:
    """The nearest allowed value is offered; an unset tag is no wrong value."""
    section = attribution(allowed={"environment": ["production", "staging", "eval"]})
    assert missing_tags(CostContext(environment="prodution"), section) == (
        Violation(
            "environment",
            "tag 'environment': expected one of production, staging, eval, found 'prodution'; "
            "did you mean 'production'?",
        ),
    )
    assert names(CostContext(environment="eval"), section) == []
    assert names(CostContext(team="a"), section) == []


def test_a_tag_is_reported_once() -> None:
    """Required by the list and by a rule, it is missing once, for the first reason."""
    section = attribution(
        required=["team"], rules=[{"when": {"tenant": "acme"}, "require": "team", "message": "second"}]
    )
    assert missing_tags(CostContext(tenant="acme"), section) == (
        Violation("team", "tag 'team' is required and not set"),
    )
