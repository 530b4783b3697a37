"""The customers: a few large ones, many small ones, each with a plan and a day on which it came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from spendgraph_demo.history.chance import stream

if TYPE_CHECKING:
    from spendgraph_demo.history.parameters import Parameters

_NAMES: Final = (
    "globex",
    "initech",
    "umbra",
    "northwind",
    "contoso",
    "aperture",
    "vandelay",
    "wayfarer",
    "tyrell",
    "cyberdyne",
    "soylent",
    "stark",
    "wonka",
    "oscorp",
    "massive",
    "hooli",
    "piedpiper",
    "dunder",
    "prestige",
    "sirius",
    "gringott",
    "monarch",
    "virtucon",
    "zorin",
    "octan",
    "bluth",
    "kramerica",
    "duff",
    "krusty",
    "planetx",
    "weyland",
    "lexcorp",
    "acme",
    "gekko",
    "nakatomi",
    "oceanic",
    "ollivander",
    "paper-street",
    "rekall",
    "spacely",
)

PLANS: Final[dict[str, int]] = {"starter": 49, "team": 299, "business": 1_190, "enterprise": 3_400}
"""The plans, and the dollars a month that they are listed at."""

SOLD_CHEAP: Final = 2
"""The rank of the tenant on the smallest plan that uses as much as an enterprise: it costs more than it pays."""

_OF_PLAN: Final[dict[str, frozenset[str]]] = {
    "starter": frozenset({"inbox-triage", "support-chat"}),
    "team": frozenset({"inbox-triage", "support-chat", "weekly-digest", "document-index"}),
}


class Tenant(NamedTuple):
    """One customer.

    Attributes:
        name: The tag.
        rank: 0 for the largest.
        size: Its traffic beside the others'.
        plan: The plan it pays for.
        revenue_usd: What it pays a month, in whole dollars.
        joined: The number of the day on which it came; 0 for those that were there.
        left: The number of the day on which it left, or `None`.
        users: How many people use the product there.
    """

    name: str
    rank: int
    size: float
    plan: str
    revenue_usd: int
    joined: int
    left: int | None
    users: int

    def uses(self, feature: str) -> bool:
        """Whether it has a feature: the one that was sold cheaply has them all."""
        features = _OF_PLAN.get(self.plan)
        return features is None or self.rank == SOLD_CHEAP or feature in features

    def is_here(self, day: int) -> bool:
        """Whether it is a customer on a day."""
        return self.joined <= day and (self.left is None or day < self.left)


def make_tenants(parameters: Parameters) -> tuple[Tenant, ...]:
    """The customers, the largest first: sizes fall like a power of the rank, so the first tenth makes half of all traffic."""
    rng = stream(parameters.seed, "tenants")
    tenants: list[Tenant] = []
    for rank in range(parameters.tenants):
        size = (rank + 1) ** -1.15 * math.exp(rng.gauss(0, 0.12))
        plan = _plan(rank, parameters.tenants)
        discount = 1 - rng.choice((0, 0, 0, 0.05, 0.1, 0.2))
        comes_late = rank >= 6 and rng.random() < 0.3
        leaves = rank == parameters.tenants // 4
        tenants.append(
            Tenant(
                name=_NAMES[rank] if rank < len(_NAMES) else f"tenant-{rank + 1:03d}",
                rank=rank,
                size=size,
                plan=plan,
                revenue_usd=round(PLANS[plan] * discount),
                joined=rng.randrange(1, parameters.days) if comes_late and not leaves else 0,
                left=int(parameters.days * 0.8) if leaves else None,
                users=max(2, round(90 * size)),
            )
        )
    return tuple(tenants)


def _plan(rank: int, tenants: int) -> str:
    if rank == SOLD_CHEAP:
        return "starter"
    if rank < tenants // 10 + 1:
        return "enterprise"
    if rank < tenants // 3:
        return "business"
    return "team" if rank < tenants * 2 // 3 else "starter"
