"""What becomes of an incident: it is muted, it stops somebody, it is explained, and people are told.

Nothing here is remembered but in the ledger. An alert's id is made of the incident and how bad it is, so telling it again after a
restart tells nobody twice; what was not told before a restart is told after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.ledger.breakers import Trip
from spendgraph.ledger.incidents import is_worse
from spendgraph_anomaly.watching.explaining import explained
from spendgraph_anomaly.watching.muting import mute_of
from spendgraph_anomaly.watching.suspending import grounds_for
from spendgraph_anomaly.watching.wording import notice_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph.ledger import Ledger
    from spendgraph.ledger.incidents import IncidentRow, MuteRow
    from spendgraph_anomaly.watching.cuts import Cut
    from spendgraph_reports.books import Books

BY: Final = "spendgraph watch"
"""Who opens a breaker."""

NEWS_US: Final = 86_400_000_000
"""What was over so long ago is no news: it is kept, and nobody is told."""


class News(NamedTuple):
    """What people are told of an incident.

    Attributes:
        incident_id: The incident.
        severity: How bad it is now.
        notice: The fields of an alert.
    """

    incident_id: str
    severity: str
    notice: Mapping[str, Any]


class Attendant:
    """Attends to the incidents of one cut.

    Args:
        cut: What is watched.
        ledger: Where it writes.
        books: The same ledger, to read.
    """

    def __init__(self, cut: Cut, ledger: Ledger, books: Books) -> None:
        self._cut = cut
        self._book = ledger.watch_book
        self._books = books

    def attend(self, going_on: Sequence[IncidentRow], now_us: int) -> tuple[list[News], list[str]]:
        """Attend to everything that goes on, or has just ended.

        Args:
            going_on: What bins that are not over make of incidents.
            now_us: The time.

        Returns:
            What people are told, and the scopes that were stopped.

        Raises:
            LedgerUnavailable: The ledger cannot be read or written; what was written until then is whole.
        """
        self._book.keep(going_on)
        self._end_what_was_none({row.incident_id for row in going_on})
        mutes = self._books.reader.watched.mutes(now_us, self._cut.name)
        incidents = [
            incident
            for incident in self._incidents(now_us)
            if incident["excess_nanousd"] >= self._cut.least_nanousd and not self._is_muted(incident, mutes)
        ]
        # All who are to be stopped are stopped before anything is explained, which takes a while.
        suspended = [incident["scope"] for incident in incidents if self._suspend(incident, now_us)]
        news: list[News] = []
        for incident in incidents:
            if is_worse(incident["severity"], incident["told_severity"]) or _is_untold(incident):
                self._explain(incident, now_us)
                notice = notice_of(self._cut, incident)
                news.append(News(incident["incident_id"], incident["severity"], notice))
        return news, suspended

    def _incidents(self, now_us: int) -> list[dict[str, Any]]:
        """Those that go on, or ended within a day, the dearest first: money that is still going out is stopped first."""
        found = self._books.reader.watched.incidents(watch=self._cut.name, since_us=now_us - NEWS_US)
        return sorted(found, key=lambda row: -int(row["excess_nanousd"]))

    def _end_what_was_none(self, going_on: set[str]) -> None:
        """End what half a bin has begun and the whole one did not bear out, and what a watch of another definition left open."""
        watched, cut = self._books.reader.watched, self._cut
        left = {
            (row["scope"], row["start_us"]): row["incident_id"]
            for row in watched.incidents(watch=cut.name, ended=False)
            if row["incident_id"] not in going_on
        }
        if not left:
            return
        for place in watched.places(cut.name, cut.definition):
            left.pop((place.scope, place.open.get("start_us")), None)
        if left:
            self._book.end(left.values())

    def _is_muted(self, incident: Mapping[str, Any], mutes: Sequence[MuteRow]) -> bool:
        if incident["verdict"] in {"expected", "noise"}:
            return True
        found = None if incident["verdict"] else mute_of(incident, mutes)
        if found is not None and incident["muted_by"] != found.verdict_id:
            self._book.mark_muted(incident["incident_id"], found.verdict_id)
        return found is not None

    def _suspend(self, incident: dict[str, Any], now_us: int) -> bool:
        """Open the breaker of an incident's scope if it is time to."""
        suspension, scope = self._cut.suspension, incident["scope"]
        if suspension is None or not self._may_open(suspension.breaker, scope, incident):
            return False
        watched = self._books.reader.watched
        grounds = grounds_for(self._cut, suspension, watched, incident, now_us)
        if grounds is None:
            return False
        why = f"{grounds.sentence()} ({incident['kind']}, incident {incident['incident_id']})"
        trip = Trip(
            suspension.breaker, scope, why, suspension.open_for_us, BY, suspension.owner, suspension.to
        )
        excess = incident["excess_nanousd"]
        until_us = self._book.suspend(trip, incident["incident_id"], incident["suspended_us"], excess)
        if until_us is None:
            return False
        (now,) = watched.incidents(named=incident["incident_id"])
        incident |= now
        return True

    def _may_open(self, breaker: str, scope: str, incident: Mapping[str, Any]) -> bool:
        """Whether a breaker is closed, and was not closed by a person since the incident has opened it."""
        rows = self._books.reader.breakers()
        row = next((row for row in rows if (row["breaker"], row["scope"]) == (breaker, scope)), None)
        if row is None:
            return True
        if row["state"] != "closed":
            return False
        return incident["suspended_us"] is None or not row["closed_by"]

    def _explain(self, incident: dict[str, Any], now_us: int) -> None:
        explanation = explained(self._books, self._cut, incident, now_us)
        self._book.explain(incident["incident_id"], explanation)
        incident["explanation"] = explanation


def _is_untold(incident: Mapping[str, Any]) -> bool:
    """Whether it has stopped somebody since people were told."""
    return incident["suspended_us"] is not None and incident["suspended_us"] > (incident["told_us"] or 0)
