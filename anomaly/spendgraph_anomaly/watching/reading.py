"""What a watch reads at one moment: how far it is, what came late, and what every scope came to in the bins that follow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spendgraph.ledger.watch_book import Changed
from spendgraph.policy.vocabulary import read_scope
from spendgraph_anomaly.series import bin_starts, series_of
from spendgraph_anomaly.watching.cuts import HISTORY_US, Cut
from spendgraph_anomaly.watching.scoring import Bins
from spendgraph_reports.period import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spendgraph.ledger.watch_reader import LateRow, SeriesPlace, WatchState
    from spendgraph_reports.books import Books

GRACE_US: Final = 300_000_000
"""So long after its end a bin is scored, and so long after its end a call counts as booked at once."""

_STRETCH_US: Final = 7 * 86_400_000_000
"""So much is scored in one go when there is much to make up for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is to score, as of one moment.

    Attributes:
        state: How far the watch is; `None` before its first time.
        last_seq: The last step there was.
        from_us: The first bin that is not scored.
        through_us: The end of the last one that is scored now.
        is_last: Nothing that is over is left after it.
        bins: What each scope came to, the largest first.
        places: Where each series stands, by scope.
        changed: Bins that were scored before, for which something has come late.
    """

    state: WatchState | None
    last_seq: int
    from_us: int
    through_us: int
    is_last: bool
    bins: list[Bins]
    places: Mapping[str, SeriesPlace]
    changed: list[Changed]


def read_moment(cut: Cut, books: Books, now_us: int) -> Moment | None:
    """What there is to score; nothing in a ledger without steps."""
    with books.one_moment(), books.reader.one_moment() as last_seq:
        span = books.span()
        if span is None or span.since_us is None:
            return None
        over_us = last_edge(cut, now_us - GRACE_US)
        state = books.reader.watched.state(cut.name, cut.definition)
        if state is None:
            from_us = last_edge(cut, max(span.since_us, over_us - HISTORY_US[cut.every]))
        else:
            from_us = state.through_us
        through_us = max(from_us, min(over_us, last_edge(cut, from_us + _STRETCH_US)))
        places = {place.scope: place for place in books.reader.watched.places(cut.name, cut.definition)}
        changed: list[Changed] = []
        if state is not None:
            ahead_us = max((place.through_us for place in places.values()), default=0)
            late = books.reader.watched.late(cut.by, state.seen_seq, max(from_us, ahead_us), cut.filters)
            changed = _changed(cut, late, places, from_us)
        bins = read_bins(cut, books, from_us, through_us) if through_us > from_us else []
        return Moment(
            state=state,
            last_seq=last_seq,
            from_us=from_us,
            through_us=through_us,
            is_last=through_us >= over_us,
            bins=_with_open_ones(cut, bins, places, from_us, through_us),
            places=places,
            changed=changed,
        )


def read_bins(cut: Cut, books: Books, from_us: int, until_us: int) -> list[Bins]:
    """What every scope came to in the bins of a stretch of time, the largest first; those without spending are left out."""
    found = series_of(
        books, cut.by, Period(from_us, until_us), cut.every, metric="cost", now_us=until_us, **cut.filters
    )
    edges = bin_starts(Period(from_us, until_us), cut.every, cut.zone).tolist()
    return [
        Bins(cut.scope(each.tags), cut.shown(each.tags), edges, each.values.tolist())
        for each in found
        if each.values.any()
    ]


def last_edge(cut: Cut, at_us: int) -> int:
    """When the bin begins in which a time is."""
    return int(bin_starts(Period(at_us, at_us + 1), cut.every, cut.zone)[0])


def _with_open_ones(
    cut: Cut, bins: list[Bins], places: Mapping[str, SeriesPlace], from_us: int, through_us: int
) -> list[Bins]:
    """The same, and the empty bins of series of which an incident goes on: silence ends it."""
    if through_us <= from_us:
        return []
    there = {each.scope for each in bins}
    silent = [place for place in places.values() if place.open and place.scope not in there]
    if not silent:
        return bins
    edges = bin_starts(Period(from_us, through_us), cut.every, cut.zone).tolist()
    return bins + [
        Bins(place.scope, read_scope(place.scope), edges, [0] * (len(edges) - 1)) for place in silent
    ]


def _changed(
    cut: Cut, late: Iterable[LateRow], places: Mapping[str, SeriesPlace], from_us: int
) -> list[Changed]:
    """What came late, by bin. A row that its bin's score has seen is not late."""
    rows: dict[tuple[str, int], int] = defaultdict(int)
    sums: dict[tuple[str, int], int] = defaultdict(int)
    edges: dict[int, int] = {}
    for row in late:
        scope = cut.scope(dict(zip(cut.by, row.scope, strict=True)))
        place = places.get(scope)
        was_scored = row.started_us < from_us or (
            place is not None and row.started_us < place.through_us and row.seq > place.through_seq
        )
        if was_scored:
            quarter_us = row.started_us - row.started_us % 900_000_000
            if quarter_us not in edges:
                edges[quarter_us] = last_edge(cut, quarter_us)
            key = (scope, edges[quarter_us])
            rows[key] += 1
            sums[key] += row.cost_nanousd
    return [Changed(scope, at, rows[scope, at], sums[scope, at]) for scope, at in sorted(rows)]
