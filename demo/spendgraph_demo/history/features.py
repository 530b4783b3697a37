"""The product: its features, who pays for each, how often each is used, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from spendgraph_demo.history.rhythm import (
    AFTERNOON,
    AROUND_THE_CLOCK,
    MONDAY_MORNING,
    NIGHTLY,
    OFFICE,
    Rhythm,
)

if TYPE_CHECKING:
    from spendgraph_demo.history.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of the product.

    Attributes:
        name: The tag.
        team: The team that pays.
        workload_class: Whether somebody waits for it.
        cost_center: Where the team books it.
        project: The project at OpenAI, and the workspace at Anthropic, that its keys belong to.
        graph: Its graph.
        template: The prompt that its answers are made with.
        rhythm: When it is used.
        a_day: How often on a usual workday at the end of a history of scale 1.
        environment: Where it runs.
        is_internal: No customer pays for it.
        has_users: A person's id comes with it.
    """

    name: str
    team: str
    workload_class: Literal["interactive", "batch", "eval", "background"]
    cost_center: str
    project: str
    graph: str
    template: str
    rhythm: Rhythm
    a_day: float
    environment: str = "production"
    is_internal: bool = False
    has_users: bool = True

    def is_for(self, tenant: Tenant) -> bool:
        """Whether a tenant has it."""
        return tenant.uses(self.name)


FEATURES: Final = (
    Feature(
        "inbox-triage",
        "support",
        "interactive",
        "cc-410",
        "support",
        "triage",
        "draft-reply",
        OFFICE,
        180,
    ),
    Feature(
        "support-chat",
        "support",
        "interactive",
        "cc-410",
        "support",
        "chat",
        "chat-answer",
        AROUND_THE_CLOCK,
        90,
    ),
    Feature(
        "contract-review",
        "legal",
        "interactive",
        "cc-720",
        "legal",
        "review",
        "clause-check",
        OFFICE,
        26,
    ),
    Feature(
        "lead-research",
        "sales",
        "interactive",
        "cc-510",
        "growth",
        "research",
        "research-turn",
        OFFICE,
        38,
    ),
    Feature(
        "weekly-digest",
        "success",
        "batch",
        "cc-430",
        "growth",
        "digest",
        "digest",
        MONDAY_MORNING,
        110,
        has_users=False,
    ),
    Feature(
        "document-index",
        "data",
        "background",
        "cc-600",
        "data",
        "index",
        "page-text",
        NIGHTLY,
        44,
        has_users=False,
    ),
    Feature(
        "prompt-eval",
        "agent-platform",
        "eval",
        "cc-650",
        "platform",
        "eval",
        "judge",
        AFTERNOON,
        7,
        environment="staging",
        is_internal=True,
    ),
)
"""All features."""

BY_NAME: Final = {feature.name: feature for feature in FEATURES}
"""The same by name."""
