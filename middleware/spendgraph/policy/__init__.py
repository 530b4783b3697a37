"""The policy file: its models, its loader and its JSON Schema; no behaviour.

The names load lazily, because `spendgraph.policy.vocabulary` is needed where pydantic is not wanted yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendgraph.policy.approvals import Approvals
    from spendgraph.policy.breakers import Breaker
    from spendgraph.policy.budgets import Budget, Exempt, SignOff
    from spendgraph.policy.loader import load_policy, parse_policy
    from spendgraph.policy.models import (
        Attribution,
        Estimates,
        LongContext,
        ModelPrice,
        OwnerRule,
        Policy,
        PricesPolicy,
        Rates,
        Rule,
        ToolPolicy,
        policy_json_schema,
    )
    from spendgraph.policy.organisation import DatedRule, Split, SplitPart, TagMapping
    from spendgraph.policy.starter import STARTER_POLICY
    from spendgraph.policy.thresholds import Action, Threshold
    from spendgraph.policy.watch import Watch, WatchCut

__all__ = [
    "STARTER_POLICY",
    "Action",
    "Approvals",
    "Attribution",
    "Breaker",
    "Budget",
    "DatedRule",
    "Estimates",
    "Exempt",
    "LongContext",
    "ModelPrice",
    "OwnerRule",
    "Policy",
    "PricesPolicy",
    "Rates",
    "Rule",
    "SignOff",
    "Split",
    "SplitPart",
    "TagMapping",
    "Threshold",
    "ToolPolicy",
    "Watch",
    "WatchCut",
    "load_policy",
    "parse_policy",
    "policy_json_schema",
]

_HOME = {
    "STARTER_POLICY": "starter",
    "Approvals": "approvals",
    "Action": "thresholds",
    "Breaker": "breakers",
    "Budget": "budgets",
    "DatedRule": "organisation",
    "Exempt": "budgets",
    "SignOff": "budgets",
    "Split": "organisation",
    "SplitPart": "organisation",
    "TagMapping": "organisation",
    "Threshold": "thresholds",
    "Watch": "watch",
    "WatchCut": "watch",
    "load_policy": "loader",
    "parse_policy": "loader",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME.get(name, 'models')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
