"""Which version and prompt of a feature a tenant gets on a day: releases, and the two that go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph_demo.history.planted import BROKEN_SHARE, BROKEN_TEMPLATE, GROWTH, REGRESSED_VERSION

if TYPE_CHECKING:
    from spendgraph_demo.history.planted import Plan
    from spendgraph_demo.history.tenants import Tenant

ROLLOUT: Final = (0.1, 0.5, 1.0)
"""The share of the tenants that a new version reaches on its first days."""

_RELEASES: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "inbox-triage": ((0.0, "3.0.0"), (0.25, "3.1.0")),
    "support-chat": ((0.0, "5.4.0"), (0.55, "5.5.0")),
    "contract-review": ((0.0, "1.8.0"), (0.35, "1.9.0"), (0.8, "2.0.0")),
    "lead-research": ((0.0, "0.9.0"), (0.5, "1.0.0")),
}
"""Releases that change nothing about what a task costs, by the share of the history at which they come."""


class Edition(NamedTuple):
    """What runs of a feature.

    Attributes:
        version: The feature's version.
        template_version: Its prompt's version.
        growth: How many times longer its prompt is than it should be.
        cached_share: The part of its prompt that is found in the cache, if that is not as usual.
    """

    version: str
    template_version: str
    growth: float = 1.0
    cached_share: float | None = None


def edition(feature: str, tenant: Tenant, day: int, days: int, plan: Plan) -> Edition:
    """What a tenant gets of a feature on a day."""
    version = "1.0.0"
    for share, name in _RELEASES.get(feature, ()):
        if _has(tenant, day - int(share * days)):
            version = name
    if feature == "inbox-triage" and _has(tenant, day - plan.regressed_from):
        return Edition(REGRESSED_VERSION, "t12", growth=GROWTH)
    if feature == "support-chat":
        if plan.broken_from <= day < plan.broken_until:
            return Edition(version, BROKEN_TEMPLATE, cached_share=BROKEN_SHARE)
        return Edition(version, "t7" if day < plan.broken_from else "t9")
    return Edition(version, "t11" if feature == "inbox-triage" else "t3")


def _has(tenant: Tenant, since: int) -> bool:
    """Whether a release that came so many days ago has reached a tenant; the large ones get it last."""
    if since < 0:
        return False
    return since >= len(ROLLOUT) or (tenant.rank * 7 + 9) % 10 < ROLLOUT[since] * 10
