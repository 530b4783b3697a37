"""Questions to a ledger that nobody waits for, and what the latest calls cost."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ledger.rows import ACME, GLOBEX, START_US, step
from ledger.test_processes import run
from spendgraph.ledger import Ledger
from spendgraph.ledger.connection import open_reader
from spendgraph.ledger.recent import recent_costs

if TYPE_CHECKING:
    from pathlib import Path

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def costs(
    ledger: Ledger, *, before_us: int = 2**62, each: int = 256, **options: int
) -> list[tuple[str, str, int]]:
    """The recent costs."""
    ledger.flush()
    connection = open_reader(ledger.place)
    try:
        return recent_costs(connection, before_us, each, **options)
    finally:
        connection.close()


def test_the_latest_costs_of_each_feature_and_model_oldest_first(ledger: Ledger) -> None:
    """So many of each; a tool goes by its name, a model by the name that was asked for."""
    for n in range(5):
        ledger.post(step(cost_nanousd=n, model_requested="gpt", model="gpt-2026"))
    ledger.post(step(cost_nanousd=7, kind="tool", name="search", cost_basis="configured"))
    ledger.post(step(cost_nanousd=9, model_requested="gpt", context_id=GLOBEX.context_id))
    assert costs(ledger, each=2) == [
        ("triage", "gpt", 3),
        ("triage", "gpt", 4),
        ("triage", "search", 7),
        ("search", "gpt", 9),
    ]


IGNORED: dict[str, dict[str, Any]] = {
    "an upper bound": {"cost_basis": "upper_bound"},
    "an unknown price": {"cost_basis": "unpriced", "cost_nanousd": 0},
    "an answer from the cache": {"status": "cache_hit", "cost_nanousd": 0},
    "half an answer": {"status": "cut"},
    "a failure": {"status": "error"},
    "what was recorded later": {"recorded_us": START_US + 10**9},
    "a correction": {"entry": "correction", "corrects_step_id": "s1", "cost_nanousd": -1},
}


@pytest.mark.parametrize("what", IGNORED)
def test_what_does_not_say_what_such_a_call_costs_is_left_out(ledger: Ledger, what: str) -> None:
    """Only charges that went well and whose cost is known."""
    ledger.post(step("s1", model_requested="gpt"))
    ledger.post(step(**{"model_requested": "gpt", **IGNORED[what]}))
    assert costs(ledger, before_us=START_US + 10**9) == [("triage", "gpt", 5_000)]


def test_only_the_latest_steps_are_looked_at(ledger: Ledger) -> None:
    """However many there are."""
    for n in range(10):
        ledger.post(step(cost_nanousd=n, model_requested="gpt"))
    assert [cost for *_, cost in costs(ledger, looks_at=3)] == [7, 8, 9]


def test_a_ledger_without_steps_has_no_costs(ledger: Ledger) -> None:
    """It is no error."""
    assert costs(ledger) == []


def test_a_question_is_answered_in_another_thread(ledger: Ledger) -> None:
    """Nobody waits for it."""
    told: list[tuple[int, int]] = []
    question = ledger.behind.ask(
        lambda connection: connection.execute("SELECT count(*) FROM contexts").fetchone()[0],
        lambda count: told.append((count, threading.get_ident())),
    )
    assert question is not None
    assert question.wait(10)
    assert told[0][0] == 2
    assert told[0][1] != threading.get_ident()


def test_closing_a_ledger_ends_its_questions(path: Path) -> None:
    """At once, and nothing is told."""
    told: list[object] = []
    asked = threading.Event()

    def ask(connection: sqlite3.Connection) -> object:
        asked.set()
        return connection.execute(FOREVER).fetchone()

    ledger = Ledger.open(path)
    question = ledger.behind.ask(ask, told.append)
    assert question is not None
    assert asked.wait(10)
    time.sleep(0.05)
    began = time.monotonic()
    ledger.close()
    assert question.wait(0)
    assert time.monotonic() - began < 4
    assert told == []


def test_a_question_that_cannot_be_asked_is_said_and_forgotten(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was for does without."""
    with Ledger.open(path) as ledger:
        question = ledger.behind.ask(lambda connection: connection.execute("SELECT nonsense"), lambda _: None)
        assert question is not None
        assert question.wait(10)
    assert "was not answered" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to fork")
def test_a_fork_asks_again_in_both_processes(path: Path) -> None:
    """A connection does not live through it: a server that forks its workers at once teaches them all the same."""
    Ledger.open(path).close()
    code = f"""
import os, threading
ledger = Ledger.open({str(path)!r})
ledger.post(ACME, task())
gate, began, found = threading.Event(), threading.Event(), []
def ask(connection):
    began.set()
    if not gate.is_set():
        connection.execute({FOREVER!r}).fetchone()
    return connection.execute('SELECT count(*) FROM contexts').fetchone()[0]
question = ledger.behind.ask(ask, found.append)
began.wait(10)
import time; time.sleep(0.05)
gate.set()
child = os.fork()
question.wait(10)
print(found, flush=True)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
ledger.close()
"""
    out, _ = run(code)
    assert out == "[1]\n[1]\n"


def test_a_ledger_in_memory_has_no_past() -> None:
    """There is nobody to ask."""
    with Ledger.open(":memory:") as ledger:
        ledger.post(ACME)
        assert ledger.behind.ask(lambda _: None, lambda _: None) is None
