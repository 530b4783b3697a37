"""Scoring the bins that are over: each series from where it stands, its state and what was found written together.

A bin costs the same however long the series is. A series in which nothing was spent is left where it stands, and is brought
through the empty bins when something is: its judgements are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spendgraph.errors import LedgerError
from spendgraph.ledger.watch_book import Advance
from spendgraph_anomaly.detectors import Detector
from spendgraph_anomaly.series import bin_starts
from spendgraph_anomaly.watching.cuts import HISTORY_US, Cut, every_s
from spendgraph_anomaly.watching.tracking import Open, Tracker, row_of
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from spendgraph.ledger.incidents import IncidentRow
    from spendgraph.ledger.watch_reader import SeriesPlace

_PART: Final = 32
"""So many states are read, and brought further, in one transaction: a few milliseconds of writing."""


@dataclass(frozen=True, slots=True)
class Bins:
    """What one scope came to in the bins that are scored now.

    Attributes:
        scope: Whose spending.
        tags: Its tags, named as in the policy.
        starts_us: When each bin begins, and when the last one ends.
        values: What each came to, nano-USD.
    """

    scope: str
    tags: Mapping[str, str]
    starts_us: Sequence[int]
    values: Sequence[int]


States = Callable[[Sequence["SeriesPlace"]], Mapping[int, bytes]]
"""Reads the states of series where they stand."""


def scored(
    cut: Cut,
    bins: Sequence[Bins],
    places: Mapping[str, SeriesPlace],
    states: States,
    *,
    last_seq: int,
    now_us: int,
) -> Iterator[list[Advance]]:
    """Every series with the new bins in its state, some at a time.

    Args:
        cut: What is watched.
        bins: What each scope came to; those without anything may be left out, unless an incident of theirs goes on.
        places: Where the known series stand, by scope.
        states: Reads their states.
        last_seq: The last step there is.
        now_us: The time.
    """
    for begin in range(0, len(bins), _PART):
        part = bins[begin : begin + _PART]
        read = states([places[each.scope] for each in part if each.scope in places])
        found: list[Advance] = []
        for each in part:
            place = places.get(each.scope)
            starts, values = resumed(cut, each, place)
            if not values:
                continue
            detector = opened(cut, each.scope, place, read, starts[0])
            tracker = Tracker(None if place is None else Open.read(place.open))
            follow(detector, tracker, starts, values)
            found.append(
                Advance(
                    scope=each.scope,
                    from_us=None if place is None else place.through_us,
                    through_us=starts[-1],
                    through_seq=last_seq,
                    state=detector.state(),
                    open={} if tracker.open is None else tracker.open.document(),
                    incidents=tracked(cut, each, tracker, now_us),
                )
            )
        yield found


def tracked(cut: Cut, bins: Bins, tracker: Tracker, now_us: int) -> list[IncidentRow]:
    """The rows of the ledger that the incidents of a series become."""
    ended = [
        row_of(each, cut.name, bins.tags, bins.scope, cut.every, now_us, is_over=True)
        for each in tracker.ended
    ]
    if tracker.open is None:
        return ended
    return [*ended, row_of(tracker.open, cut.name, bins.tags, bins.scope, cut.every, now_us, is_over=False)]


def opened(
    cut: Cut, scope: str, place: SeriesPlace | None, states: Mapping[int, bytes], first_us: int
) -> Detector:
    """The detector of a series as it stands; a new one for a new series, and for one that was silent for longer than it could learn from.

    Raises:
        LedgerError: Its state is damaged.
    """
    if place is None or first_us > place.through_us:
        return Detector(every_s(cut.every), cut.zone, cut.settings, name=scope)
    try:
        return Detector.restore(states[place.series_id])
    except ValueError as error:
        raise LedgerError(
            f"the watch {cut.name!r} cannot go on with {place.scope or 'everything'}: {error}. `spendgraph verify` checks the"
            " ledger; under another name the cut is learnt anew"
        ) from error


def resumed(cut: Cut, bins: Bins, place: SeriesPlace | None) -> tuple[Sequence[int], Sequence[int]]:
    """The bins that a series has not scored yet, without gaps: when each begins and the last one ends, and what each came to.

    A new series begins with the first bin in which something was spent.
    """
    starts, values = bins.starts_us, bins.values
    if place is None:
        first = next((number for number, value in enumerate(values) if value), len(values))
        return starts[first:], values[first:]
    if place.through_us >= starts[0]:
        first = next(
            (number for number, start in enumerate(starts) if start >= place.through_us), len(values)
        )
        return starts[first:], values[first:]
    since_us = max(place.through_us, starts[0] - HISTORY_US[cut.every])
    empty = bin_starts(Period(since_us, starts[0]), cut.every, cut.zone)[:-1].tolist()
    return [*empty, *starts], [0] * len(empty) + [*values]


def follow(detector: Detector, tracker: Tracker, starts: Sequence[int], values: Sequence[int]) -> None:
    """Judge bins one after the other."""
    for number, value in enumerate(values):
        judgement = detector.observe(starts[number], value / 1e9)
        tracker.add(judgement, starts[number + 1], value)
