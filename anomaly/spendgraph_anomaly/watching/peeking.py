"""The first minutes: whether what a bin that is not over has come to so far is unusual for a whole one already.

Spending only grows, so what stands out before its bin is over would stand out at its end. It is judged by a copy of the series'
detector: nothing is learnt from half a bin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger.watch_book import OvertakenError
from spendgraph_anomaly.watching.reading import read_bins
from spendgraph_anomaly.watching.scoring import follow, opened, resumed, tracked
from spendgraph_anomaly.watching.tracking import Open, Tracker

if TYPE_CHECKING:
    from spendgraph.ledger.incidents import IncidentRow
    from spendgraph_anomaly.watching.cuts import Cut
    from spendgraph_reports.books import Books


class Peeker:
    """Looks at the bins that are not scored yet, minute after minute.

    Args:
        cut: What is watched.
        books: The ledger.
    """

    def __init__(self, cut: Cut, books: Books) -> None:
        self._cut = cut
        self._books = books

    def look(self, now_us: int) -> list[IncidentRow]:
        """The incidents that go on now, as far as bins that are not over make them; none is written.

        Raises:
            OvertakenError: Another watch has scored meanwhile.
        """
        cut, watched = self._cut, self._books.reader.watched
        with self._books.one_moment():
            state = watched.state(cut.name, cut.definition)
            if state is None or state.through_us >= now_us:
                return []
            bins = [
                each
                for each in read_bins(cut, self._books, state.through_us, now_us)
                if max(each.values) >= cut.least_nanousd
            ]
            places = {place.scope: place for place in watched.places(cut.name, cut.definition)}
            known = [places[each.scope] for each in bins if each.scope in places]
            states = watched.states(known)
        if len(states) < len(known):
            raise OvertakenError(
                f"another watch has scored {cut.name!r} meanwhile: it is looked at again next time"
            )
        found: list[IncidentRow] = []
        for each in bins:
            place = places.get(each.scope)
            starts, values = resumed(cut, each, place)
            if not values:
                continue
            detector = opened(cut, each.scope, place, states, starts[0])
            tracker = Tracker(None if place is None else Open.read(place.open))
            follow(detector, tracker, starts, values)
            until_us = None if tracker.open is None else tracker.open.until_us
            if until_us is not None and until_us > state.through_us:
                found += [row for row in tracked(cut, each, tracker, now_us) if row.end_us is None]
        return found
