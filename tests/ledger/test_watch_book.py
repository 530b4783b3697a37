"""What the anomaly watch writes: a series moves only from where it was, incidents are one however often they are found."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ledger.rows import ACME, change, rows, step, task
from spendgraph.ledger import Ledger
from spendgraph.ledger.breakers import Trip
from spendgraph.ledger.incidents import IncidentRow, Mute, incident_id
from spendgraph.ledger.watch_book import Advance, Changed, OvertakenError
from spendgraph.ledger.watch_reader import WatchState

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOW = 500_000 * HOUR
SCOPE = "tenant=acme"
REAL = """\
INSERT INTO verdicts (incident_id, verdict, said_us, said_by, why, mute_hours, mute_zone)
SELECT incident_id, 'real', 1, 'ann', 'so', '[]', '' FROM incidents"""


def found(start_us: int = NOW, **columns: Any) -> IncidentRow:
    """An incident of acme's that goes on."""
    values: dict[str, Any] = {
        "incident_id": incident_id("tenants", SCOPE, start_us),
        "watch": "tenants",
        "scope": SCOPE,
        "tags": '{"tenant": "acme"}',
        "every": "hour",
        "kind": "spike",
        "severity": "medium",
        "score": 0.98,
        "start_us": start_us,
        "until_us": start_us + HOUR,
        "end_us": None,
        "expected_nanousd": 1,
        "observed_nanousd": 10,
        "excess_nanousd": 9,
        "may_suspend": 1,
        "found_us": NOW,
        **columns,
    }
    return IncidentRow(**values)


def moved(from_us: int | None, through_us: int, *incidents: IncidentRow, scope: str = SCOPE) -> Advance:
    """A series that is brought further."""
    return Advance(scope, from_us, through_us, 0, b"state", {}, incidents)


@pytest.fixture
def book(path: Path) -> Any:
    """A ledger whose clock stands."""
    with Ledger.open(path, clock=lambda: NOW) as ledger:
        yield ledger


def test_a_series_moves_only_from_where_the_writer_found_it(book: Ledger) -> None:
    """Whoever comes second writes nothing, neither the series nor what it has found."""
    writes = book.watch_book
    writes.advance("tenants", "d", [moved(None, NOW)])
    writes.advance("tenants", "d", [moved(NOW, NOW + HOUR, found())])
    with pytest.raises(OvertakenError, match="another watch is at work on 'tenants'"):
        writes.advance(
            "tenants", "d", [moved(None, NOW, scope="tenant=new"), moved(NOW, NOW + HOUR, found(NOW + HOUR))]
        )
    with pytest.raises(OvertakenError):
        writes.advance("tenants", "d", [moved(None, NOW + HOUR)])
    assert [(place.scope, place.through_us) for place in book.watched.places("tenants", "d")] == [
        (SCOPE, NOW + HOUR)
    ]
    assert [row["start_us"] for row in book.watched.incidents()] == [NOW]
    (place,) = book.watched.places("tenants", "d")
    assert book.watched.states([place]) == {place.series_id: b"state"}
    assert book.watched.states([place._replace(through_us=NOW)]) == {}


def test_a_watch_moves_only_from_where_it_was(book: Ledger) -> None:
    """Late rows are noted once, and added up by bin."""
    writes = book.watch_book
    writes.move("tenants", "d", None, NOW, 7)
    late = [Changed(SCOPE, NOW - HOUR, 2, 50)]
    writes.move("tenants", "d", WatchState(NOW, 7, 0), NOW + HOUR, 9, late)
    with pytest.raises(OvertakenError):
        writes.move("tenants", "d", WatchState(NOW, 7, 0), NOW + HOUR, 9, late)
    with pytest.raises(OvertakenError):
        writes.move("tenants", "d", None, NOW, 7)
    writes.move(
        "tenants", "d", WatchState(NOW + HOUR, 9, 0), NOW + HOUR, 12, [Changed(SCOPE, NOW - HOUR, 1, -20)]
    )
    assert book.watched.state("tenants", "d") == WatchState(NOW + HOUR, 12, NOW)
    (noted,) = book.watched.changes("tenants")
    assert (noted["rows"], noted["change_nanousd"]) == (3, 30)


def test_a_watch_defined_anew_leaves_nothing_behind_for_ever(path: Path) -> None:
    """States of the old definition go after a month, incidents stay."""
    now = NOW
    with Ledger.open(path, clock=lambda: now) as ledger:
        ledger.watch_book.advance("tenants", "old", [moved(None, NOW, found())])
        ledger.watch_book.move("tenants", "old", None, NOW, 0)
        now += 29 * DAY
        ledger.watch_book.move("tenants", "new", None, NOW, 0)
        assert ledger.watched.state("tenants", "old") is not None
        now += 2 * DAY
        ledger.watch_book.move("tenants", "new", WatchState(NOW, 0, 0), NOW, 1)
        assert (ledger.watched.state("tenants", "old"), ledger.watched.places("tenants", "old")) == (None, [])
        assert len(ledger.watched.incidents()) == 1


def test_an_incident_found_twice_is_one_and_keeps_what_it_was_told(book: Ledger) -> None:
    """How it goes on is updated; that people were told, and when it was found, stays."""
    writes = book.watch_book
    writes.keep([found()])
    writes.mark_told(found().incident_id, "medium")
    writes.explain(found().incident_id, {"sentences": ["Calls."]})
    writes.keep([found(excess_nanousd=99, severity="high", until_us=NOW + 2 * HOUR, found_us=NOW + DAY)])
    (row,) = book.watched.incidents()
    assert (
        row["excess_nanousd"],
        row["severity"],
        row["told_severity"],
        row["found_us"],
        row["told_us"],
    ) == (
        99,
        "high",
        "medium",
        NOW,
        NOW,
    )
    assert (row["explanation"], row["tags"]) == ({"sentences": ["Calls."]}, {"tenant": "acme"})
    writes.end([row["incident_id"]])
    assert book.watched.incidents(ended=False) == []
    assert book.watched.incidents(since_us=NOW + 2 * HOUR) == []
    assert len(book.watched.incidents(named=row["incident_id"][:5], until_us=NOW + 1, watch="tenants")) == 1
    assert book.verify() == []


def test_an_incident_opens_its_breaker_once(book: Ledger) -> None:
    """The breaker, its decision and the note on the incident are one transaction; a second watch opens nothing."""
    writes = book.watch_book
    writes.keep([found()])
    trip = Trip("suspended", SCOPE, "a loop", HOUR, "spendgraph watch", "growth")
    assert writes.suspend(trip, found().incident_id, None, 9) == NOW + HOUR
    assert writes.suspend(trip, found().incident_id, None, 9) is None
    ((breaker, trips),) = [(row["breaker"], row["trips"]) for row in book.breakers()]
    assert (breaker, trips) == ("suspended", 1)
    (row,) = book.watched.incidents()
    assert (row["breaker"], row["suspended_us"], row["suspended_excess_nanousd"]) == ("suspended", NOW, 9)
    assert book.verify() == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM incidents", "incidents are kept: delete refused"),
        ("UPDATE incidents SET start_us = 0", "of an incident only how it goes on is updated"),
        ("UPDATE verdicts SET why = ''", "verdicts is append-only: update refused"),
        ("DELETE FROM verdicts", "verdicts is append-only: delete refused"),
    ],
    ids=["forgotten", "moved", "changed", "taken back"],
)
def test_what_was_found_and_said_stays(path: Path, statement: str, message: str) -> None:
    """By trigger, whoever writes."""
    with Ledger.open(path) as ledger:
        ledger.watch_book.keep([found()])
        ledger.watch_book.say(found().incident_id, "noise", by="ann", why="a test", mute=Mute(9, NOW + DAY))
    with pytest.raises(sqlite3.IntegrityError, match=message):
        change(path, statement)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (("UPDATE incidents SET breaker = 'b', suspended_us = 5",), "says that it opened b"),
        (("UPDATE watched_series SET state = x''",), "has no state"),
        (("UPDATE watched_series SET through_seq = 99",), "is scored up to row 99, there are 0"),
        (
            (
                "DROP TRIGGER incidents_refuse_update",
                "UPDATE incidents SET scope = 'tenant=globex'",
            ),
            "it was changed",
        ),
        (
            (
                REAL,
                "UPDATE incidents SET muted_by = 1",
            ),
            "is muted by a word on another scope, or on one that was real",
        ),
    ],
    ids=["no decision", "no state", "ahead", "changed", "muted by a real one"],
)
def test_verify_finds_what_does_not_hold(path: Path, statements: tuple[str, ...], problem: str) -> None:
    """One problem for each damage."""
    with Ledger.open(path) as ledger:
        ledger.watch_book.advance("tenants", "d", [moved(None, NOW, found())])
        assert ledger.verify() == []
    change(path, *statements)
    with Ledger.open_readonly(path) as reader:
        problems = [each.message for each in reader.verify() if each.check == "watch"]
    assert [problem in each for each in problems] == [True]


def test_pruning_leaves_what_the_watch_knows(path: Path) -> None:
    """Steps go; states, incidents and verdicts stay, and the books are sound."""
    now = NOW
    with Ledger.open(path, clock=lambda: now) as ledger:
        ledger.post(ACME, task(started_us=NOW), step("s1", started_us=NOW, ended_us=NOW, recorded_us=NOW))
        ledger.post(
            step("s2", started_us=NOW + 20 * DAY, ended_us=NOW + 20 * DAY, recorded_us=NOW + 20 * DAY)
        )
        ledger.watch_book.advance("tenants", "d", [moved(None, NOW + HOUR, found())])
        ledger.watch_book.move("tenants", "d", None, NOW + HOUR, 1)
        now += 30 * DAY
        ledger.upkeep.roll()
        assert ledger.upkeep.prune(NOW + DAY).steps == 1
        assert ledger.watched.state("tenants", "d") is not None
        assert len(ledger.watched.places("tenants", "d")) == len(ledger.watched.incidents()) == 1
        assert ledger.verify() == []
    assert rows(path, "SELECT excess_usd, verdict FROM incident_log") == [(9e-9, "")]


def test_prompt_calls_are_those_that_were_booked_at_once(path: Path) -> None:
    """Neither late ones nor corrections; by price, with tokens or calls as units."""
    with Ledger.open(path, clock=lambda: NOW) as ledger:
        at: dict[str, Any] = {"started_us": NOW, "ended_us": NOW + 10, "recorded_us": NOW + 20, "model": "m"}
        ledger.post(ACME, task(started_us=NOW))
        ledger.post(
            step("a", **at),
            step("b", **at),
            step("late", **{**at, "recorded_us": NOW + 111}),
            step("before", **{**at, "started_us": NOW - 1}),
            step("tool", **{**at, "kind": "tool", "name": "search", "input_tokens": 0, "output_tokens": 0}),
        )
        ledger.correct("a", reason="restated", cost_nanousd=1_000_000)
        found_rows = ledger.watched.prompt(NOW, NOW + 1, 100, {"tenant": "acme"})
        assert [(row.kind, row.name, row.calls, row.units, row.cost_nanousd) for row in found_rows] == [
            ("model", "", 2, 28, 10_000),
            ("tool", "search", 1, 1, 5_000),
        ]
        assert ledger.watched.prompt(NOW, NOW + 1, 100, {"tenant": ("globex",)}) == []
