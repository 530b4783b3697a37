"""The demo's business: a support desk, a contract desk and a weekly digest, each for three customers.

A `Case` is one task: what it is about, what can be looked up, and what to find out. Everything is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

TENANTS = ("acme", "globex", "initech")
Tool = Literal["", "web_search", "plain_words"]


class Question(TypedDict):
    """One thing to find out, and the tool it takes: none, a paid search, or a tool that calls the model."""

    text: str
    tool: Tool


@dataclass(frozen=True, slots=True)
class Case:
    """One task of one feature for one tenant."""

    feature: str
    tenant: str
    brief: str
    documents: tuple[str, ...]
    questions: tuple[Question, ...]

    @property
    def shelf(self) -> str:
        """The name of the documents' shelf in the library."""
        return f"{self.feature}/{self.tenant}"


@dataclass(frozen=True, slots=True)
class Feature:
    """A product feature: who pays for it, and whether somebody is waiting for the answer."""

    name: str
    team: str
    workload_class: Literal["interactive", "batch"]
    cost_center: str


FEATURES = (
    Feature("inbox-triage", "support", "interactive", "cc-410"),
    Feature("contract-review", "legal", "batch", "cc-720"),
    Feature("weekly-digest", "success", "batch", "cc-430"),
)


def _ask(text: str, tool: Tool = "") -> Question:
    return Question(text=text, tool=tool)


_CARDS = "Refunds are paid within 14 days to the card that was charged."
_LATE = "A parcel that is more than 10 days late can be sent again free of charge."
_KEYS = "API keys are rotated on the security page. The old key works for one more hour."

CASES = (
    Case(
        "inbox-triage",
        "acme",
        "A customer was charged twice for order 4711 and wants the money back.",
        (_CARDS, _LATE, _KEYS),
        (_ask("When is the refund paid?"), _ask("What should the customer do next?", "plain_words")),
    ),
    Case(
        "inbox-triage",
        "globex",
        "The parcel with the spare parts has not arrived after two weeks.",
        (_CARDS, _LATE, _KEYS),
        (_ask("Can the parcel be sent again?", "web_search"),),
    ),
    Case(
        "inbox-triage",
        "initech",
        "An integration stopped working after somebody rotated the API key.",
        (_CARDS, _LATE, _KEYS),
        (_ask("How long does the old key work?"),),
    ),
    Case(
        "contract-review",
        "acme",
        "A hosting contract with a notice period of six months.",
        (
            "Either party may end this contract with six months' notice in writing.",
            "Liability is limited to the fees paid in the last twelve months.",
            "Prices may rise by at most 3 percent a year.",
        ),
        (
            _ask("Is six months' notice usual?", "web_search"),
            _ask("How is liability limited?", "plain_words"),
        ),
    ),
    Case(
        "contract-review",
        "globex",
        "A data processing agreement with a vendor abroad.",
        (
            "Personal data may be processed in Switzerland and Norway.",
            "A breach is reported to the customer within 72 hours.",
            "Sub-processors are announced 30 days ahead.",
        ),
        (
            _ask("Within how many hours is a breach reported?"),
            _ask("Are 72 hours the legal limit?", "web_search"),
        ),
    ),
    Case(
        "contract-review",
        "initech",
        "A reseller agreement that renews itself.",
        (
            "The agreement renews for one year unless it is ended 60 days before.",
            "The reseller keeps a margin of 18 percent.",
            "Training of the reseller's staff is free.",
        ),
        (_ask("When does the agreement renew?", "plain_words"),),
    ),
    Case(
        "weekly-digest",
        "acme",
        "The week of the acme account.",
        (
            "Logins rose by 12 percent after the new dashboard.",
            "Two tickets about slow exports are still open.",
            "The renewal meeting is on Thursday.",
        ),
        (_ask("What went well?"),),
    ),
    Case(
        "weekly-digest",
        "globex",
        "The week of the globex account.",
        (
            "The pilot grew from 20 to 55 seats.",
            "The security questionnaire was returned.",
            "Their champion moves to another team next month.",
        ),
        (_ask("What is the greatest risk?"), _ask("How many seats does the pilot have?")),
    ),
    Case(
        "weekly-digest",
        "initech",
        "The week of the initech account.",
        (
            "No logins since Monday.",
            "An invoice is 20 days overdue.",
            "A competitor's name came up in a call.",
        ),
        (_ask("Is the account at risk?", "web_search"),),
    ),
)

FEWER = tuple(
    case
    for case in CASES
    if case.shelf in ("inbox-triage/globex", "contract-review/acme", "weekly-digest/initech")
)
"""One case of each feature, each for another tenant: what a slow machine does in reasonable time."""

SLOW_PROBE_SECONDS = 2.5
"""From here on all cases would take more than about two minutes: they take some 50 times the probe."""


def choose_cases(probe_seconds: float) -> tuple[Case, ...]:
    """All cases, or fewer where a short answer takes long."""
    return FEWER if probe_seconds > SLOW_PROBE_SECONDS else CASES


UNTAGGED_PROMPT = "Suggest a friendlier name for the weekly digest."
"""What somebody tries out without a context, so that the unattributed share is there to see."""
