"""What explains an incident in a row of a review: what carries it, a name for its cause, a task to look at."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph_anomaly.explain import TAGS, explain
from spendgraph_anomaly.review.wording import change_text, cut_text

if TYPE_CHECKING:
    from spendgraph_anomaly.explain import Change, Explanation
    from spendgraph_anomaly.review.cuts import Tags
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

SEARCHED: Final = (*TAGS, "template_version")
"""The tags of which combinations are searched for what carries an excess, beside those of the cut."""

STUCK: Final = "stuck loop"
DEAR: Final = "one dear task"

_DEPLOYED: Final = frozenset({"version", "template", "template_version"})
_CAUSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "calls": "more calls",
        "tokens per call": "longer calls",
        "cache": "fewer cache hits",
        "models": "other models",
        "price": "other prices",
    }
)
SAMPLES: Final = 1

_MOST: Final = 0.5
_MANY_STEPS: Final = 50
"""A task of fewer steps is dear, not stuck."""


class Explained(NamedTuple):
    """What explains an incident.

    Attributes:
        columns: In columns of a review's row; what is not known is not there.
        text: In sentences.
    """

    columns: dict[str, Any]
    text: str


def explained(books: Books, tags: Tags, period: Period, filters: Mapping[str, object]) -> Explained:
    """What explains an incident.

    Args:
        books: The ledger.
        tags: The cut in which it was found.
        period: When it was.
        filters: Those of the review.
    """
    asked: dict[str, Any] = {**filters, **tags}
    found = explain(books, period, None, by=SEARCHED, samples=SAMPLES, **asked)
    carrier = {name: value for name, value in found.tags.items() if name not in asked}
    grew = _grew(found)
    columns = {
        "carrier": cut_text(carrier) or None,
        "carrier_share": found.share,
        "cause": cause(found) or None,
        "changed": None if grew is None else change_text(grew),
        "sample_task": found.sample_tasks[0].task_id if found.sample_tasks else None,
    }
    return Explained(columns, " ".join(found.sentences()))


def cause(found: Explanation) -> str:
    """What it was, in a few words; nothing where nothing grew."""
    task = found.sample_tasks[0] if found.sample_tasks else None
    if task and task.cost_nanousd >= _MOST * max(found.observed_nanousd, 1):
        return STUCK if task.steps >= _MANY_STEPS else DEAR
    grew = _grew(found)
    if grew is None:
        return ""
    name = _CAUSES[grew.part]
    return f"{name} after a deploy" if _DEPLOYED & found.tags.keys() and grew.part != "calls" else name


def _grew(found: Explanation) -> Change | None:
    """What grew most; nothing where nothing did."""
    most = max(found.changes, key=lambda change: change.nanousd, default=None)
    return most if most is not None and most.nanousd > 0 else None
