"""Cuts of the ledger as series: one read for thousands of them, exact, late rows and corrections where they belong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spendgraph.clock import to_us, utc_us
from spendgraph_anomaly.series.bins import bin_starts
from spendgraph_anomaly.series.series import Every, Metric, Series
from spendgraph_reports.books import Books
from spendgraph_reports.period import DAY_US, Period

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUMS: Final[Mapping[Metric, tuple[str, ...]]] = MappingProxyType(
    {"cost": ("cost_nanousd",), "steps": ("steps",), "tokens": ("input_tokens", "output_tokens")}
)
_HOUR_US: Final = 3_600_000_000


def series_of(
    books: Books,
    by: Sequence[str],
    period: Period,
    every: Every,
    *,
    metric: Metric = "cost",
    now_us: int | None = None,
    **filters: object,
) -> list[Series]:
    """What every cut of the ledger came to in each bin of a period, the largest in all first.

    A step is in the bin in which it started, whenever it was booked, and a correction in that of the step it corrects. All series
    of one answer have the same bins, and together they add up to the ledger's total of these.

    Args:
        books: The ledger, which says the zone and, by its organisation, who pays.
        by: Tags and dimensions, as in `Books.rows`; each set of their values is a cut. None is one series of everything.
        period: Made longer where it begins or ends within a bin; see `whole_bins`.
        every: How long a bin is.
        metric: What is counted.
        now_us: Bins that end later are there, and not complete. The clock's time, when not given.
        **filters: As in `Books.rows`.

    Returns:
        Those in which there was something; one of zeros for `by=()` where there was nothing.

    Raises:
        ValueError: The period is open, or there is no such name, metric or bin.
    """
    if metric not in _SUMS:
        raise ValueError(f"expected a metric of {', '.join(_SUMS)}, found {metric!r}")
    edges = bin_starts(period, every, books.zone)
    bucket = _bucket(edges)
    sums = _SUMS[metric]
    whole = Period(int(edges[0]), int(edges[-1]))
    rows = books.rows([*by, bucket], whole, sums=sums, **filters)
    cuts: dict[tuple[str, ...], int] = {} if by else {(): 0}
    at = np.fromiter(
        (cuts.setdefault(tuple([str(row[name]) for name in by]), len(cuts)) for row in rows),
        dtype=np.int64,
        count=len(rows),
    )
    times = _times(rows, bucket)
    counted = np.fromiter((sum([row[name] for name in sums]) for row in rows), np.int64, count=len(rows))
    values = np.zeros((len(cuts), len(edges) - 1), dtype=np.int64)
    np.add.at(values, (at, np.searchsorted(edges, times, side="right") - 1), counted)
    now = utc_us() if now_us is None else now_us
    complete = int(edges[np.searchsorted(edges, max(now, whole.since_us or 0), side="right") - 1])
    found = [
        Series(
            metric=metric,
            every=every,
            zone=books.zone,
            starts_us=edges[:-1],
            values=values[number],
            tags=dict(zip(by, cut, strict=True)),
            complete_until_us=complete,
        )
        for cut, number in cuts.items()
    ]
    return sorted(found, key=lambda one: (-int(one.values.sum()), *one.tags.values()))


def _bucket(edges: NDArray[np.int64]) -> str:
    """The longest time that the rollups sum by and of which every bin is a sum."""
    for name, long_us in (("day", DAY_US), ("hour", _HOUR_US)):
        if not np.any(edges % long_us):
            return name
    return "quarter_us"


def _times(rows: Sequence[Mapping[str, Any]], bucket: str) -> NDArray[np.int64]:
    """When the bucket of each row begins; a text is read once, however many series have it."""
    if bucket == "quarter_us":
        return np.fromiter((row[bucket] for row in rows), np.int64, count=len(rows))
    known = {
        text: to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))
        for text in {row[bucket] for row in rows}
    }
    return np.fromiter((known[row[bucket]] for row in rows), np.int64, count=len(rows))
