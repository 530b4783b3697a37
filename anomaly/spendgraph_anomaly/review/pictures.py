"""The plots of a review: what was spent beside what was to be expected, around each incident and over the whole period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.review.wording import cut_text
from spendgraph_anomaly.series import SECONDS, Every, bin_starts, whole_bins
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.plots import Expectation, Mark, unusual

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.review.anomalies import Review
    from spendgraph_anomaly.review.cuts import Cuts, Tags
    from spendgraph_reports.plots import Plot

BAND: Final = "Usual is from the least to the most that the same time of the five weeks before came to."
UNITS: Final[Mapping[Every, str]] = MappingProxyType(
    {"quarter": "quarter of an hour", "hour": "hour", "day": "day"}
)
_WEEKS: Final = 5
_LONG_US: Final = 4 * DAY_US
"""An incident that lasts longer is shown by day."""


def incident_plot(review: Review, at: int) -> Plot:
    """An incident with some days before and after it.

    Args:
        review: The review.
        at: Which row of its report.
    """
    alarm, cuts = review.told[at].alarm, review.cuts
    since, until = cuts.start(alarm.first), cuts.start(alarm.last)
    is_long = until - since > _LONG_US
    before, after = (21 * DAY_US, 7 * DAY_US) if is_long else (6 * DAY_US, 2 * DAY_US)
    window = Period(max(since - before, cuts.start(0)), min(until + after, cuts.start(len(cuts.starts_us))))
    mark = Mark(since, until, review.told[at].excess_nanousd)
    return _plot(review, alarm.tags, window, [mark], by_day=is_long or cuts.every == "day")


def whole_plot(review: Review) -> Plot | None:
    """All spending of the period by day, with every incident; nothing where no bin of it is over."""
    since, until = closed(review.report.period)
    until = min(until, review.cuts.start(len(review.cuts.starts_us)))
    if until <= since:
        return None
    marks = [
        Mark(review.cuts.start(part.alarm.first), review.cuts.start(part.alarm.last), part.excess_nanousd)
        for part in review.told
    ]
    return _plot(review, {}, Period(since, until), marks, by_day=True)


def _plot(review: Review, tags: Tags, window: Period, marks: Sequence[Mark], *, by_day: bool) -> Plot:
    cuts, judged = review.cuts, review.judge.judged(tags)
    every: Every = "day" if by_day else cuts.every
    edges = bin_starts(Period(cuts.start(0), cuts.start(len(cuts.starts_us))), every, cuts.zone)
    spent, expected = (_summed(cuts, values, edges) for values in (judged.observed, judged.expected))
    whole = [_whole_bins(mark, edges) for mark in marks]
    low, high = usual(spent, expected, edges[:-1], whole, round(7 * 86_400 / SECONDS[every]))
    first, last = np.searchsorted(edges, closed(whole_bins(window, every, cuts.zone)))
    shown = slice(int(first), int(last))
    return unusual(
        cut_text(tags) if tags else "Everybody together",
        Expectation(
            starts_us=tuple(edges[shown].tolist()),
            until_us=int(edges[last]),
            spent=tuple(spent[shown].tolist()),
            expected=tuple(expected[shown].tolist()),
            low=tuple(low[shown].tolist()),
            high=tuple(high[shown].tolist()),
        ),
        whole,
        UNITS[every],
        cuts.zone,
    )


def _summed(cuts: Cuts, values: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """What bins came to, in longer ones."""
    found = np.zeros(len(edges) - 1, dtype=np.int64)
    np.add.at(found, np.searchsorted(edges, cuts.starts_us, side="right") - 1, values)
    return found


def _whole_bins(mark: Mark, edges: NDArray[np.int64]) -> Mark:
    first = int(edges.searchsorted(mark.since_us, side="right")) - 1
    return Mark(int(edges[first]), int(edges[edges.searchsorted(mark.until_us)]), mark.excess_nanousd)


def usual(
    spent: NDArray[np.int64],
    expected: NDArray[np.int64],
    starts_us: NDArray[np.int64],
    marks: Sequence[Mark],
    week: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The least and the most that the same bin of the weeks before came to, but for what stood out; without one, what was expected."""
    plain = np.ones(len(spent), dtype=np.bool_)
    for mark in marks:
        plain &= (starts_us < mark.since_us) | (starts_us >= mark.until_us)
    low, high = expected.copy(), expected.copy()
    known = np.zeros(len(spent), dtype=np.bool_)
    for lag in range(week, (_WEEKS + 1) * week, week):
        if lag >= len(spent):
            break
        then, there = spent[:-lag], plain[:-lag]
        first = there & ~known[lag:]
        for edge, pick in ((low, np.minimum), (high, np.maximum)):
            edge[lag:] = np.where(first, then, np.where(there, pick(edge[lag:], then), edge[lag:]))
        known[lag:] |= there
    return low, high
