"""One look at the spending of a cut: what is over is scored, what goes on is looked at, and what was found is attended to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spendgraph.ledger.watch_book import OvertakenError
from spendgraph_anomaly.watching.attending import Attendant, News
from spendgraph_anomaly.watching.peeking import Peeker
from spendgraph_anomaly.watching.reading import Moment, read_moment
from spendgraph_anomaly.watching.scoring import scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spendgraph.ledger import Ledger
    from spendgraph.ledger.watch_reader import SeriesPlace
    from spendgraph_anomaly.watching.cuts import Cut
    from spendgraph_reports.books import Books

Progress = Callable[[int, int], None]
"""Called with how many series are scored, and how many there are to score."""


@dataclass(slots=True)
class Look:
    """What one look has done.

    Attributes:
        watch: The cut's name.
        scored: How many series it has brought further, at most at once.
        through_us: Bins that start earlier are scored; `None` in a ledger without steps.
        changed: How many bins that were scored before something has come late for.
        late_nanousd: What that changed them by.
        news: What people are told.
        suspended: The scopes it has stopped.
        overtaken: Why it left the bins to another watch; empty where it did not.
    """

    watch: str
    scored: int = 0
    through_us: int | None = None
    changed: int = 0
    late_nanousd: int = 0
    news: list[News] = field(default_factory=list[News])
    suspended: list[str] = field(default_factory=list[str])
    overtaken: str = ""


class CutWatch:
    """Watches one cut of a ledger; whatever it knows is in the ledger, so it may be killed and begun anew at any moment.

    Args:
        cut: What is watched.
        ledger: Where it writes.
        books: The same ledger, to read; without an organisation, because breakers know none.

    Raises:
        ValueError: The books are of another time zone than the cut.
    """

    def __init__(self, cut: Cut, ledger: Ledger, books: Books) -> None:
        if books.zone != cut.zone:
            raise ValueError(f"expected books in the zone {cut.zone} of the cut, found {books.zone}")
        self.cut = cut
        self._ledger = ledger
        self._books = books
        self._peeker = Peeker(cut, books)
        self._attendant = Attendant(cut, ledger, books)

    def look(self, now_us: int, progress: Progress | None = None) -> Look:
        """Score what is over, look at what is not, and attend to what was found.

        Args:
            now_us: The time.
            progress: Called while series are scored.

        Raises:
            LedgerUnavailable: The ledger cannot be read or written; what was written until then is whole.
        """
        done = Look(self.cut.name)
        try:
            while (moment := read_moment(self.cut, self._books, now_us)) is not None:
                self._score(moment, now_us, done, progress)
                if moment.is_last:
                    break
            going_on = self._peeker.look(now_us)
        except OvertakenError as error:
            done.overtaken = str(error)
            return done
        done.news, done.suspended = self._attendant.attend(going_on, now_us)
        return done

    def _score(self, moment: Moment, now_us: int, done: Look, progress: Progress | None) -> None:
        cut, book, total = self.cut, self._ledger.watch_book, len(moment.bins)
        found = scored(cut, moment.bins, moment.places, self._states, last_seq=moment.last_seq, now_us=now_us)
        count = 0
        for part in found:
            if part:
                book.advance(cut.name, cut.definition, part)
            count += len(part)
            if progress is not None:
                progress(count, total)
        done.scored = max(done.scored, count)
        book.move(cut.name, cut.definition, moment.state, moment.through_us, moment.last_seq, moment.changed)
        done.through_us = moment.through_us
        done.changed += len(moment.changed)
        done.late_nanousd += sum(each.change_nanousd for each in moment.changed)

    def _states(self, places: Sequence[SeriesPlace]) -> Mapping[int, bytes]:
        states = self._books.reader.watched.states(places)
        if len(states) < len(places):
            raise OvertakenError(f"another watch is scoring {self.cut.name!r}: the bins are left to it")
        return states
