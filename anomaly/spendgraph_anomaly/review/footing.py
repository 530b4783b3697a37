"""What was spent within some incidents, asked of the ledger anew: the total that a review's rows must add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from spendgraph_anomaly.review.merging import joined
from spendgraph_anomaly.series import series_of
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from spendgraph_anomaly.review.cuts import Tags
    from spendgraph_anomaly.series import Every
    from spendgraph_reports.books import Books


class Stretch(NamedTuple):
    """A cut from a time to before another."""

    tags: Tags
    since_us: int
    until_us: int


def spent_within(
    books: Books, stretches: Sequence[Stretch], by: Sequence[str], every: Every, filters: Mapping[str, object]
) -> int:
    """What was spent within any of some stretches, each step once: of two what is in either less what is in both.

    Args:
        books: The ledger.
        stretches: From the start of a bin to the start of another.
        by: The tags of the finest cuts: the parts of a policy's split are rounded by cut and bin.
        every: How long a bin is.
        filters: As in `Books.rows`.
    """
    total = 0
    for at, stretch in enumerate(stretches):
        period = Period(stretch.since_us, stretch.until_us)
        found = series_of(books, by, period, every, metric="cost", now_us=None, **{**filters, **stretch.tags})
        total += sum(int(one.values.sum()) for one in found)
        shared = [common for other in stretches[:at] if (common := _common(stretch, other)) is not None]
        total -= spent_within(books, shared, by, every, filters) if shared else 0
    return total


def _common(one: Stretch, other: Stretch) -> Stretch | None:
    tags = joined(one.tags, other.tags)
    since, until = max(one.since_us, other.since_us), min(one.until_us, other.until_us)
    return None if tags is None or since >= until else Stretch(tags, since, until)
