"""The simulated company's policy: its limits follow the scale, and one of them is raised on the way."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from spendgraph.policy import Policy, parse_policy

if TYPE_CHECKING:
    from spendgraph_demo.history.parameters import Parameters

_FILE: Final = Path(__file__).with_name("policy.yaml")

_DOLLARS: Final = {"organisation": 1_600, "tenant": 200, "research": 150, "support": 140}
_TOKENS: Final = 900_000

RAISED: Final = 1.25
"""How many times higher the tenants' budget is after it was raised."""


def policy_text(parameters: Parameters, *, is_raised: bool) -> str:
    """The policy file before or after the tenants' budget is raised."""
    limits = {name: amount * parameters.scale for name, amount in _DOLLARS.items()}
    if is_raised:
        limits["tenant"] *= RAISED
    return Template(_FILE.read_text(encoding="utf-8")).substitute(
        {name: f"{max(1, round(amount))}" for name, amount in limits.items()},
        timezone=parameters.timezone,
        evaluation=max(1, round(_TOKENS * parameters.scale)),
    )


def policy_of(parameters: Parameters, *, is_raised: bool) -> Policy:
    """The same, read."""
    return parse_policy(policy_text(parameters, is_raised=is_raised), path=str(_FILE))
