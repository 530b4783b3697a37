"""What carries an incident and what changed, for whoever is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spendgraph.errors import SpendgraphError
from spendgraph_anomaly.explain import TAGS, explain
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spendgraph_anomaly.watching.cuts import Cut
    from spendgraph_reports.books import Books

_SAMPLES: Final = 3

_SENTENCES: Final = 5
"""More than these are not told; the ledger has them all."""


def explained(books: Books, cut: Cut, incident: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """What carries an incident, beside the same hours of the weeks before; for people who are told while it goes on.

    That it cannot be explained keeps nobody from being told: then the reason is kept instead.

    Args:
        books: The ledger.
        cut: What is watched.
        incident: The incident as it is.
        now_us: The time: what is still to come is not looked at.
    """
    period = Period(incident["start_us"], min(incident["until_us"], max(now_us, incident["start_us"] + 1)))
    filters = cut.selecting(incident["tags"])
    try:
        found = explain(books, period, None, by=TAGS, samples=_SAMPLES, **filters)
    except SpendgraphError as error:
        return {"sentences": [], "not_explained": f"{type(error).__name__}: {error}"}
    plain = found.as_plain()
    # Beside the weeks before it may be no more at all, such as a burst in a week that is else a quiet one.
    told: list[str] = plain["sentences"][:_SENTENCES] if found.total_excess_nanousd > 0 else []
    return {**plain, "sentences": told}
