"""The outlook: what a period will come to, for everything and for each cut, with sums that agree to the nano-dollar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph.clock import utc_us
from spendgraph_anomaly.forecasting.changes import Change, expect_ahead, weighed
from spendgraph_anomaly.forecasting.hierarchy import reconciled, whole
from spendgraph_anomaly.forecasting.intervals import LEVELS
from spendgraph_anomaly.forecasting.models import FAMILY, PLAIN, QUICK, history
from spendgraph_anomaly.forecasting.prediction import Prediction, predict
from spendgraph_anomaly.forecasting.reading import Past, Tags, days_of, read_past, recent_rows
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_reports.period import Period

    Values = NDArray[np.float64]

THOROUGH: Final = 3
"""So many cuts, the dearest, are tried with every model, the next with those that need no search."""

QUICKLY: Final = 50
"""From so many on, cuts have a profile of the weekdays and the linear burn rate: there may be thousands of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What one cut comes to; money in nano-USD.

    Attributes:
        tags: The values of the tags, in their order; none of everything.
        spent: In the period so far.
        rest: What is expected of each day that is left; the first is what is left of today, where today is in it.
        low: For each level, where the interval of the sum up to each day begins, without what is spent.
        high: Where it ends.
        linear: What the period comes to at the linear burn rate.
        prediction: How it was made.
        history: The days that are over.
    """

    tags: Tags
    spent: int
    rest: tuple[int, ...]
    low: Mapping[int, tuple[int, ...]]
    high: Mapping[int, tuple[int, ...]]
    linear: int
    prediction: Prediction
    history: NDArray[np.int64]

    @property
    def total(self) -> int:
        """What the period will have come to."""
        return self.spent + sum(self.rest)

    def bounds(self, level: int = 80) -> tuple[int, int]:
        """The interval of `total`."""
        low, high = self.low[level], self.high[level]
        return self.spent + (low[-1] if low else 0), self.spent + (high[-1] if high else 0)


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What a period will come to.

    Attributes:
        period: Whole days.
        by: What the cuts are of.
        days: Its days.
        ahead: The days that are left, today among them.
        all: Everything.
        cuts: What it is made of, the dearest first; their amounts add up to those of everything.
        changes: What was known to come.
        past: What was known.
    """

    period: Period
    by: tuple[str, ...]
    days: tuple[date, ...]
    ahead: tuple[date, ...]
    all: Cut
    cuts: tuple[Cut, ...]
    changes: tuple[Change, ...]
    past: Past


@of_one_moment
def outlook(
    books: Books,
    period: Period,
    *,
    by: Sequence[str] = (),
    changes: Sequence[Change] = (),
    now_us: int | None = None,
    **filters: object,
) -> Outlook:
    """What a period will come to, as far as one can say at a moment.

    Args:
        books: The ledger.
        period: Whole days of the books' zone: a month, the next 30 days.
        by: Tags and dimensions, as in `Books.rows`.
        changes: What is known to come.
        now_us: The moment; the clock's time, when not given.
        **filters: As in `Books.rows`.

    Raises:
        ValueError: The period is not of whole days, there is no such name, or a change has begun already.
    """
    days = days_of(period, books.zone)
    past = read_past(books, by, days[0], utc_us() if now_us is None else now_us, **filters)
    expect_ahead(changes, past.today)
    ahead = tuple(day for day in days if day >= past.today)
    # A month that is to begin is seen over the days before it.
    horizon = (days[-1] - past.today).days + 1 if ahead else 0
    window = max((past.today - days[0]).days, 0)
    every = _predicted(_everything(past), horizon, window, 0)
    order = sorted(past.days, key=lambda cut: (-int(past.days[cut][-28:].sum()), cut))
    parts = {
        cut: _predicted(past.days[cut], horizon, window, at) if by else every for at, cut in enumerate(order)
    }
    paths = _agreed(every, parts) if by else dict.fromkeys(parts, every.path)
    if changes and ahead:
        named = sorted({name for change in changes for name in change.tags} - set(by))
        rows = recent_rows(books, [*by, *named], past.now_us, **filters)
        until_then = [past.today + timedelta(days=number) for number in range(horizon)]
        paths = weighed(paths, by, rows, until_then, changes)
    shown = {cut: _left(path, past, ahead, horizon) for cut, path in paths.items()}
    return _made(period, by, days, ahead, changes, past, every, parts, shown)


def _made(
    period: Period,
    by: Sequence[str],
    days: tuple[date, ...],
    ahead: tuple[date, ...],
    changes: Sequence[Change],
    past: Past,
    every: Prediction,
    parts: Mapping[Tags, Prediction],
    paths: Mapping[Tags, Values],
) -> Outlook:
    """The same in whole nano-dollars."""
    stacked = np.array(list(paths.values())).reshape(len(paths), len(ahead))
    totals, cells = whole(stacked)
    elapsed, spent = _elapsed(period, past.now_us), past.spent(days)
    nothing = np.zeros(len(past.starts), dtype=np.int64)
    unseen = _predicted(nothing, len(every.path), 0, QUICKLY)
    cuts = [
        _cut(
            cut,
            spent.get(cut, 0),
            cells[at],
            path,
            parts.get(cut, unseen),
            past.days.get(cut, nothing),
            elapsed,
        )
        for at, (cut, path) in enumerate(paths.items())
    ]
    summed = _cut((), sum(spent.values()), totals, stacked.sum(axis=0), every, _everything(past), elapsed)
    cuts = sorted((one for one in cuts if one.total or one.spent), key=lambda one: (-one.total, one.tags))
    return Outlook(period, tuple(by), days, ahead, summed, tuple(cuts), tuple(changes), past)


def _everything(past: Past) -> NDArray[np.int64]:
    """What all cuts came to on each day."""
    found = np.zeros(len(past.starts), dtype=np.int64)
    for values in past.days.values():
        found += values
    return found


def _left(path: Values, past: Past, ahead: Sequence[date], horizon: int) -> Values:
    """The days of a path that are left of the period; of today what is left of it."""
    found = np.array(path[horizon - len(ahead) : horizon], dtype=np.float64)
    if ahead and ahead[0] == past.today:
        found[0] *= past.left_today
    return found


def _predicted(values: NDArray[np.int64], horizon: int, window: int, rank: int) -> Prediction:
    """What comes of a cut, from the day on which it began to spend; `rank` says how many are dearer."""
    begun = np.flatnonzero(values)
    own = values[begun[0] :] if len(begun) else values[:0]
    known = history(own / 1e9, window=window)
    family = FAMILY if rank < THOROUGH else QUICK if rank < QUICKLY else PLAIN
    return predict(known, max(horizon, 1), family=family)


def _agreed(every: Prediction, parts: Mapping[Tags, Prediction]) -> dict[Tags, Values]:
    """The paths of parts whose sum agrees with what is said of everything."""
    if not parts:
        return {}
    agreed = reconciled(
        every.path,
        np.array([one.path for one in parts.values()]),
        _off(every),
        np.array([_off(one) for one in parts.values()]),
    )
    return dict(zip(parts, agreed, strict=True))


def _off(one: Prediction) -> float:
    """How far a sum of the whole path may be off."""
    low, high = one.bounds(80)
    return float(high[-1] - low[-1]) / 2


def _cut(
    tags: Tags,
    spent: int,
    rest: Sequence[int],
    path: Values,
    prediction: Prediction,
    days: NDArray[np.int64],
    elapsed: tuple[int, int],
) -> Cut:
    after = len(prediction.path) - len(path)
    sums = np.cumsum(np.array(rest, dtype=np.int64))
    low: dict[int, tuple[int, ...]] = {}
    high: dict[int, tuple[int, ...]] = {}
    for level in LEVELS:
        below, above = prediction.spread.bounds(path, level, after=after)
        low[level] = tuple(
            min(round(bound * 1e9), int(total)) for bound, total in zip(below, sums, strict=True)
        )
        high[level] = tuple(
            max(round(bound * 1e9), int(total)) for bound, total in zip(above, sums, strict=True)
        )
    return Cut(tags, spent, tuple(rest), low, high, _linear(spent, elapsed, days), prediction, days)


def _elapsed(period: Period, now_us: int) -> tuple[int, int]:
    """How much of a period is over, and how long it is."""
    since, until = closed(period)
    return min(max(now_us - since, 0), until - since), until - since


def _linear(spent: int, elapsed: tuple[int, int], days: NDArray[np.int64]) -> int:
    """What the period comes to if it goes on evenly; before it has begun, as the last four weeks did."""
    gone_us, whole_us = elapsed
    if gone_us:
        return spent * whole_us // gone_us
    recent = days[-28:]
    return int(recent.sum()) * whole_us // (len(recent) * DAY_US) if len(recent) else 0
