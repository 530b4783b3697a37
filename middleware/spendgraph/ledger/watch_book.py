"""What the anomaly watch writes: states, incidents and what became of them, each method one transaction.

A series is brought further only from where the writer found it. Of two watches that score the same bin the second finds it
somewhere else and writes nothing, and one that is killed has either scored a bin and written what it found, or neither.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.errors import LedgerError
from spendgraph.ledger import breakers, incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spendgraph.clock import Clock
    from spendgraph.ledger.breakers import Trip
    from spendgraph.ledger.incidents import IncidentRow, Mute, Verdict
    from spendgraph.ledger.statements import Execute
    from spendgraph.ledger.watch_reader import WatchState


class Advance(NamedTuple):
    """A series with more bins in its state.

    Attributes:
        scope: Whose spending.
        from_us: Through which bin it was scored before; `None` for a new series.
        through_us: Through which it is now.
        through_seq: The last step there was.
        state: What the detector has learnt.
        open: The incident that goes on, as the watch keeps it; empty when none does.
        incidents: What was found, and how it goes on.
    """

    scope: str
    from_us: int | None
    through_us: int
    through_seq: int
    state: bytes
    open: Mapping[str, Any]
    incidents: Sequence[IncidentRow] = ()


class Changed(NamedTuple):
    """What came late for a bin that was scored before."""

    scope: str
    bin_us: int
    rows: int
    change_nanousd: int


class OvertakenError(LedgerError):
    """Another watch has scored the same bins meanwhile: nothing was written."""


_MOVE: Final = """\
UPDATE watched_series SET through_us = ?, through_seq = ?, state = ?, open = ?, scored_us = ?
WHERE watch = ? AND definition = ? AND scope = ? AND through_us = ?"""

_ADD: Final = """\
INSERT INTO watched_series (through_us, through_seq, state, open, scored_us, watch, definition, scope)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""

_MOVE_WATCH: Final = """\
UPDATE watches SET through_us = ?, seen_seq = ?, scored_us = ?
WHERE watch = ? AND definition = ? AND through_us = ? AND seen_seq = ?"""

_ADD_WATCH: Final = """\
INSERT INTO watches (through_us, seen_seq, scored_us, watch, definition) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""

_CHANGE: Final = """\
INSERT INTO watch_changes (watch, definition, scope, bin_us, rows, change_nanousd, noted_us) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (watch, definition, scope, bin_us) DO UPDATE SET
  rows = rows + excluded.rows, change_nanousd = change_nanousd + excluded.change_nanousd, noted_us = excluded.noted_us"""

_FORGET: Final = (
    "DELETE FROM watched_series WHERE watch = ?1 AND definition <> ?2 AND scored_us < ?3",
    "DELETE FROM watches WHERE watch = ?1 AND definition <> ?2 AND scored_us < ?3",
)

_SAY: Final = """\
INSERT INTO verdicts (incident_id, verdict, said_us, said_by, why, mute_below_nanousd, mute_hours, mute_zone, mute_until_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING verdict_id"""

_SUSPENDED: Final = """\
UPDATE incidents SET breaker = ?, suspended_us = ?, suspended_excess_nanousd = ? WHERE incident_id = ? AND suspended_us IS ?"""

FORGOTTEN_US: Final = 30 * 86_400_000_000
"""After so long without being scored, the states of a watch that is defined anew are deleted."""


class WatchBook:
    """Writes what the anomaly watch does.

    Args:
        transact: The ledger's `transact`.
        clock: Microseconds UTC.
    """

    def __init__(self, transact: Callable[..., Any], clock: Clock) -> None:
        self._transact = transact
        self._clock = clock

    def advance(self, watch: str, definition: str, series: Sequence[Advance]) -> None:
        """Bring series further and write what was found, all of it or nothing.

        Raises:
            OvertakenError: Another watch has brought one of them further: nothing was written.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        now_us = self._clock()

        def act(execute: Execute) -> None:
            for each in series:
                values = (each.through_us, each.through_seq, each.state, json.dumps(each.open), now_us)
                key = (watch, definition, each.scope)
                if each.from_us is None:
                    moved = execute(_ADD, (*values, *key))
                else:
                    moved = execute(_MOVE, (*values, *key, each.from_us))
                if moved.rowcount != 1:
                    raise _overtaken(watch)
                for row in each.incidents:
                    incidents.keep(execute, row)

        self._transact(act)

    def keep(self, rows: Sequence[IncidentRow]) -> None:
        """Write incidents, or how they go on, beside what was scored.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """

        def act(execute: Execute) -> None:
            for row in rows:
                incidents.keep(execute, row)

        if rows:
            self._transact(act)

    def end(self, ids: Iterable[str]) -> None:
        """Say that incidents are over since the end of their last unusual bin.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        text = json.dumps(list(ids))
        query = "UPDATE incidents SET end_us = until_us WHERE end_us IS NULL AND incident_id IN (SELECT value FROM json_each(?))"
        self._note(query, text)

    def move(
        self,
        watch: str,
        definition: str,
        before: WatchState | None,
        through_us: int,
        seen_seq: int,
        changed: Iterable[Changed] = (),
    ) -> None:
        """Say how far a watch is now, and note what came late for bins that were scored before.

        Args:
            watch: Its name.
            definition: Its definition.
            before: How far it was; `None` before its first time.
            through_us: Bins that start earlier are scored.
            seen_seq: Of the steps up to here it is known which came late.
            changed: The bins for which something came late.

        Raises:
            OvertakenError: Another watch has moved it meanwhile: nothing was written.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        now_us = self._clock()

        def act(execute: Execute) -> None:
            values = (through_us, seen_seq, now_us, watch, definition)
            if before is None:
                moved = execute(_ADD_WATCH, values)
            else:
                moved = execute(_MOVE_WATCH, (*values, before.through_us, before.seen_seq))
            if moved.rowcount != 1:
                raise _overtaken(watch)
            for each in changed:
                execute(_CHANGE, (watch, definition, *each, now_us))
            for forget in _FORGET:
                execute(forget, (watch, definition, now_us - FORGOTTEN_US))

        self._transact(act)

    def suspend(self, trip: Trip, incident_id: str, since_us: int | None, excess_nanousd: int) -> int | None:
        """Open a breaker for an incident, in one transaction with the note that it did.

        Args:
            trip: The breaker, its scope and why.
            incident_id: The incident.
            since_us: When it opened one last; `None` where it has not yet.
            excess_nanousd: What the incident has come to.

        Returns:
            Until when the breaker is open; `None` where another watch has opened it meanwhile.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        now_us = self._clock()

        def act(execute: Execute) -> int | None:
            noted = execute(_SUSPENDED, (trip.breaker, now_us, excess_nanousd, incident_id, since_us))
            if noted.rowcount != 1:
                return None
            return breakers.trip(execute, trip, now_us, incident=incident_id, excess_nanousd=excess_nanousd)

        found: int | None = self._transact(act)
        return found

    def explain(self, incident_id: str, explanation: Mapping[str, Any]) -> None:
        """Keep what explains an incident.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        text, now_us = json.dumps(explanation, sort_keys=True), self._clock()
        query = "UPDATE incidents SET explanation = ?, explained_us = ? WHERE incident_id = ?"
        self._note(query, text, now_us, incident_id)

    def mark_told(self, incident_id: str, severity: str) -> None:
        """Say that people were told of an incident; the alert, whose id is the same each time, is raised before.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        now_us = self._clock()
        query = "UPDATE incidents SET told_us = ?, told_severity = ?, muted_by = NULL WHERE incident_id = ?"
        self._note(query, now_us, severity, incident_id)

    def mark_muted(self, incident_id: str, verdict_id: int) -> None:
        """Say for which word nobody is told of an incident.

        Raises:
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        query = "UPDATE incidents SET muted_by = ? WHERE incident_id = ? AND muted_by IS NOT ?"
        self._note(query, verdict_id, incident_id, verdict_id)

    def say(self, incident_id: str, verdict: Verdict, *, by: str, why: str, mute: Mute | None = None) -> int:
        """Keep what a person says of an incident, and what it mutes.

        Args:
            incident_id: The incident.
            verdict: `real`, `expected` or `noise`.
            by: Who says it.
            why: Why.
            mute: What it mutes; of a real incident nothing.

        Returns:
            The number of the verdict.

        Raises:
            ValueError: Nobody says it, there is no reason, or a real incident mutes, or another one does not.
            LedgerError: There is no such incident.
            LedgerUnavailable: The ledger cannot be written: nothing was.
        """
        if not by.strip() or not why.strip():
            raise ValueError(f"expected a name and a reason, found by={by!r} and why={why!r}: both are kept")
        if (verdict == "real") != (mute is None):
            raise ValueError(f"expected a mute unless an incident is real, found {verdict!r} with {mute!r}")
        now_us = self._clock()
        learnt = (
            (None, "[]", "", None)
            if mute is None
            else (mute.below_nanousd, json.dumps(mute.hours), mute.zone, mute.until_us)
        )

        def act(execute: Execute) -> int:
            if execute("SELECT 1 FROM incidents WHERE incident_id = ?", (incident_id,)).fetchone() is None:
                raise LedgerError(
                    f"there is no incident {incident_id!r} in the ledger: `spendgraph incidents --all` lists them"
                )
            (number,) = execute(_SAY, (incident_id, verdict, now_us, by, why, *learnt)).fetchone()
            found: int = number
            return found

        number: int = self._transact(act)
        return number

    def _note(self, query: str, *parameters: object) -> None:
        def act(execute: Execute) -> None:
            execute(query, parameters)

        self._transact(act)


def _overtaken(watch: str) -> OvertakenError:
    return OvertakenError(
        f"another watch is at work on {watch!r} in this ledger: one is enough, the bins are left to it"
    )
