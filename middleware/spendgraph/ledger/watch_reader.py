"""What a reader may ask of the anomaly watch: how far it is, what it has found, and what its judgement rests on."""

# ruff: noqa: S608 - names are from the whitelists of this package
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from spendgraph.ledger.columns import expression, where
from spendgraph.ledger.incidents import MuteRow, read_incidents, read_mutes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager


class WatchState(NamedTuple):
    """How far a watch is.

    Attributes:
        through_us: Bins that start earlier are scored.
        seen_seq: Of the steps up to here it is known which came late.
        scored_us: When it was last brought further.
    """

    through_us: int
    seen_seq: int
    scored_us: int


class SeriesPlace(NamedTuple):
    """Where a series of a watch stands, without its state.

    Attributes:
        series_id: Its number.
        scope: Whose spending.
        through_us: Bins that start earlier are in its state; those from here to the watch's are empty.
        through_seq: The last step there was when they were scored.
        open: The incident that goes on, as the watch keeps it; empty when none does.
    """

    series_id: int
    scope: str
    through_us: int
    through_seq: int
    open: Mapping[str, Any]


class PromptRow(NamedTuple):
    """Calls of one kind that were booked as soon as they were over, at one price.

    Attributes:
        kind: As in steps, like the next four.
        name: Of a tool; of others empty.
        provider: The provider.
        model: The model.
        service_tier: The tier.
        price_id: The price; empty where there is none.
        calls: How many.
        units: Tokens in and out; of what has none, the quantity, or else calls.
        cost_nanousd: What they cost.
    """

    kind: str
    name: str
    provider: str
    model: str
    service_tier: str
    price_id: str
    calls: int
    units: int
    cost_nanousd: int


class LateRow(NamedTuple):
    """A row that was written after its time.

    Attributes:
        scope: The values of what a scope is made of.
        started_us: When its step started.
        seq: Its place in the order of writing.
        cost_nanousd: What it costs, or changes.
    """

    scope: tuple[str, ...]
    started_us: int
    seq: int
    cost_nanousd: int


_PLACES: Final = """\
SELECT series_id, scope, through_us, through_seq, open FROM watched_series WHERE watch = ? AND definition = ?"""

_STATES: Final = """\
SELECT series_id, through_us, state FROM watched_series WHERE series_id IN (SELECT value FROM json_each(?))"""

_OF_CALL: Final = "s.kind, CASE WHEN s.kind = 'tool' THEN s.name ELSE '' END, s.provider, s.model, s.service_tier, coalesce(s.price_id, '')"

_UNITS: Final = """\
CASE WHEN s.input_tokens + s.output_tokens > 0 THEN s.input_tokens + s.output_tokens
  ELSE CAST(coalesce(s.quantity, 1) AS INTEGER) END"""


class WatchReader:
    """Asks a ledger about its watches and incidents.

    Args:
        reading: Opens a connection that only reads.
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._reading = reading

    def state(self, watch: str, definition: str) -> WatchState | None:
        """How far a watch is; `None` before its first time."""
        query = "SELECT through_us, seen_seq, scored_us FROM watches WHERE watch = ? AND definition = ?"
        with self._reading() as connection:
            found = connection.execute(query, (watch, definition)).fetchone()
        return None if found is None else WatchState(*found)

    def places(self, watch: str, definition: str) -> list[SeriesPlace]:
        """Where every series of a watch stands."""
        with self._reading() as connection:
            found = connection.execute(_PLACES, (watch, definition))
            return [
                SeriesPlace(number, scope, through_us, through_seq, json.loads(text))
                for number, scope, through_us, through_seq, text in found
            ]

    def states(self, places: Sequence[SeriesPlace]) -> dict[int, bytes]:
        """The states of series, by number, where they still stand there; others, which somebody has brought further, are left out."""
        known = {place.series_id: place.through_us for place in places}
        with self._reading() as connection:
            found = connection.execute(_STATES, (json.dumps(list(known)),))
            return {number: state for number, through_us, state in found if known[number] == through_us}

    def incidents(
        self,
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        watch: str | None = None,
        named: str | None = None,
        ended: bool = True,
    ) -> list[dict[str, Any]]:
        """Incidents, the latest first: their columns, with `tags` and `explanation` read, and the newest word on each.

        Args:
            since_us: Only those with an unusual bin that ended later.
            until_us: Only those that began earlier.
            watch: Only those of this watch.
            named: Only those whose id begins so.
            ended: Those that are over, too.

        Returns:
            Rows with the columns of `incidents`, and `verdict`, `said_by`, `why` and `said_us` of the newest word on it.
        """
        with self._reading() as connection:
            return read_incidents(
                connection, since_us=since_us, until_us=until_us, watch=watch, named=named, ended=ended
            )

    def verdicts(self, incident_id: str) -> list[dict[str, Any]]:
        """Everything people have said of an incident, the oldest first."""
        query = "SELECT * FROM verdicts WHERE incident_id = ? ORDER BY verdict_id"
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query, (incident_id,))]

    def mutes(self, now_us: int, watch: str | None = None) -> list[MuteRow]:
        """What is muted at a time, in the order in which it was said."""
        with self._reading() as connection:
            return read_mutes(connection, now_us, watch)

    def changes(self, watch: str) -> list[dict[str, Any]]:
        """The bins of a watch that changed after they were scored, the latest first."""
        query = "SELECT * FROM watch_changes WHERE watch = ? ORDER BY bin_us DESC, scope"
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query, (watch,))]

    def prompt(
        self, since_us: int, until_us: int, grace_us: int, filters: Mapping[str, object]
    ) -> list[PromptRow]:
        """What calls of a period cost that were booked as soon as they were over: no late row, no correction, no import of old ones.

        Args:
            since_us: Only calls that started then or later.
            until_us: Only calls that started earlier.
            grace_us: So long after its end a call may have been booked.
            filters: Tags, `extra.<key>` and the value that each must have, or one of several.

        Raises:
            ValueError: There is no such name.
        """
        condition, parameters = where(dict(filters))
        query = (
            f"SELECT {_OF_CALL}, count(*), sum({_UNITS}), sum(s.cost_nanousd) FROM steps AS s INDEXED BY steps_started"
            " CROSS JOIN contexts AS c ON c.context_id = s.context_id"
            " WHERE s.started_us >= ? AND s.started_us < ? AND s.entry = 'charge' AND s.recorded_us <= s.ended_us + ?"
            f" AND {condition} GROUP BY 1, 2, 3, 4, 5, 6"
        )
        with self._reading() as connection:
            found = connection.execute(query, [since_us, until_us, grace_us, *parameters])
            return [PromptRow(*row) for row in found]

    def late(
        self, by: Sequence[str], after_seq: int, until_us: int, filters: Mapping[str, object]
    ) -> list[LateRow]:
        """What was written after a step and started before a time, in the order of writing.

        Args:
            by: Tags, `extra.<key>`: what a scope is made of.
            after_seq: Only rows that were written later.
            until_us: Only rows that started earlier.
            filters: As in `prompt`.

        Raises:
            ValueError: There is no such name.
        """
        selected, own = list[str](), list[object]()
        for name in by:
            sql, parameters = expression(name)
            selected.append(sql)
            own += parameters
        condition, parameters = where(dict(filters))
        query = (
            f"SELECT {', '.join([*selected, 's.started_us', 's.seq', 's.cost_nanousd'])}"
            " FROM steps AS s CROSS JOIN contexts AS c ON c.context_id = s.context_id"
            f" WHERE s.seq > ? AND s.started_us < ? AND {condition} ORDER BY s.seq"
        )
        count = len(selected)
        with self._reading() as connection:
            found = connection.execute(query, [*own, after_seq, until_us, *parameters])
            return [LateRow(tuple(map(str, row[:count])), *row[count:]) for row in map(tuple, found)]
