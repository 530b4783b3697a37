"""Rows reach the file once, together, in order, or not at all; nothing is lost on the way."""

# A few tests look inside on purpose.
# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, GLOBEX, START_US, change, rows, step, step_ids, task
from spendgraph.errors import LedgerBusy, LedgerError, LedgerUnavailable
from spendgraph.ledger import DecisionRow, Ledger, PriceRow, StepRow, TaskEnd, TaskOutcome

if TYPE_CHECKING:
    from pathlib import Path


def test_posted_rows_are_in_the_file_on_return(ledger: Ledger, path: Path) -> None:
    """Another connection sees a step as soon as `post` has returned."""
    ledger.post(step("s1"))

    assert step_ids(path) == {"s1"}


def test_every_kind_of_record_keeps_every_column(ledger: Ledger, path: Path) -> None:
    """What is read back is what was posted, column by column."""
    price = PriceRow("p1", "openai", "gpt-5", "policy", "2026-01-01", '{"input":"1.25"}', "nearest date")
    full = step(
        "s1",
        price_id="p1",
        quantity=2.5,
        unit="page",
        estimate_nanousd=7,
        reserved_nanousd=8,
        saved_nanousd=-3,
    )
    decision = DecisionRow("d1", "price", "recorded", "no price", "task-1", "s1", ACME.context_id, "{}", 5)
    ledger.post(price, full, decision, TaskOutcome("task-1", "success", 4_000_000_000))
    ledger.post(TaskEnd("task-1", "finished", START_US + 9))

    assert rows(path, "SELECT * FROM prices") == [tuple(price)]
    assert rows(path, "SELECT * FROM steps") == [(1, *full)]
    assert rows(path, "SELECT * FROM decisions") == [tuple(decision)]
    assert rows(path, "SELECT * FROM contexts WHERE tenant = 'acme'") == [tuple(ACME)]
    assert rows(path, "SELECT status, outcome, value_nanousd, ended_us FROM tasks") == [
        ("finished", "success", 4_000_000_000, START_US + 9)
    ]


def test_step_delivered_twice_counts_once(ledger: Ledger) -> None:
    """The first delivery of a step id stays; a later one changes nothing."""
    ledger.post(step("s1", cost_nanousd=5))
    ledger.post(step("s1", cost_nanousd=7), step("s1", cost_nanousd=9))

    assert ledger.spend()[0]["cost_nanousd"] == 5


def test_records_of_one_post_are_one_transaction(ledger: Ledger, path: Path) -> None:
    """A bad row takes the rows posted with it along, and the error says which ledger refused it."""
    with pytest.raises(LedgerError, match=r"refused a row: .*FOREIGN KEY"):
        ledger.post(step("good"), step("bad", context_id="nobody"))

    assert step_ids(path) == set()


def test_refused_row_is_kept_in_a_private_file(ledger: Ledger, path: Path) -> None:
    """What the ledger refuses is still somewhere, with the reason, and verify points to it."""
    with pytest.raises(LedgerError):
        ledger.post(step("bad", kind="magic"))
    (kept,) = path.parent.glob("ledger.db.rejected-*.jsonl")
    head, line = kept.read_text().splitlines()

    assert "CHECK constraint failed" in json.loads(head)["reason"]
    assert json.loads(line)[0]["row"]["step_id"] == "bad"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [problem.check for problem in ledger.verify()] == ["spools"]


def test_refused_row_does_not_block_the_rows_behind_it(ledger: Ledger, path: Path) -> None:
    """The ledger stays ready, and goes on."""
    with pytest.raises(LedgerError):
        ledger.post(step("bad", cost_nanousd=2**70))
    ledger.ready()
    ledger.post(step("good"))

    assert step_ids(path) == {"good"}


def test_unknown_record_is_refused(ledger: Ledger) -> None:
    """Only the records of this package are rows."""
    with pytest.raises(LedgerError, match="refused a row"):
        ledger.post(("DROP TABLE steps",))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_many_steps_at_once_are_all_written_in_order(ledger: Ledger, path: Path) -> None:
    """More steps than one statement takes, with other rows between them, keep their order."""
    first = [step(f"a{number:03}") for number in range(40)]
    second = [step(f"b{number:03}", context_id=GLOBEX.context_id) for number in range(25)]
    ledger.post(*first, GLOBEX, *second, first[0])

    found = [step_id for (step_id,) in rows(path, "SELECT step_id FROM steps ORDER BY seq")]
    assert found == [f"a{number:03}" for number in range(40)] + [f"b{number:03}" for number in range(25)]


def test_threads_write_every_step_once(ledger: Ledger) -> None:
    """Eight threads posting fifty steps each make four hundred rows."""

    def work(name: int) -> None:
        for number in range(50):
            ledger.post(step(f"{name}-{number}", cost_nanousd=1))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ledger.spend()[0]["steps"] == 400
    assert ledger.spend()[0]["cost_nanousd"] == 400


def test_full_disk_keeps_rows_until_there_is_room(ledger: Ledger, path: Path) -> None:
    """A full disk is a clear error; what was put aside is written when there is room, in order."""
    limit_pages(ledger, 1)
    written = 0
    with pytest.raises(LedgerUnavailable, match="is full; free some disk space"):  # noqa: PT012 - any of them
        for number in range(500):
            written = number
            ledger.post(step(f"s{number:03}"))
    limit_pages(ledger, 1_000_000)
    ledger.ready()
    ledger.post(step("last"))

    found = [step_id for (step_id,) in rows(path, "SELECT step_id FROM steps ORDER BY seq")]
    assert found == [f"s{number:03}" for number in range(written + 1)] + ["last"]


def limit_pages(ledger: Ledger, pages: int) -> None:
    """As if the disk had room for so many pages: SQLite's own limit."""
    ledger._writer.query(
        lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}"), drain=False
    )


def test_writer_locked_out_too_long_is_busy_and_loses_nothing(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`LedgerBusy` says that another process holds the lock; the row is written once it lets go."""
    monkeypatch.setattr(
        "spendgraph.ledger.writer.Writer.drain.__kwdefaults__", {"timeout": 0.05, "mine": None}
    )
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy, match="another process holds the write lock"):
        ledger.post(step("s1"))
    blocker.execute("COMMIT")
    blocker.close()
    ledger.ready()

    assert step_ids(path) == {"s1"}


def test_short_lock_of_another_process_only_delays(ledger: Ledger, path: Path) -> None:
    """A lock held for 30 ms is waited out."""
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.03, lambda: blocker.execute("COMMIT"))
    timer.start()
    ledger.post(step("s1"))
    timer.join()
    blocker.close()

    assert step_ids(path) == {"s1"}


def test_deleted_ledger_is_noticed_and_not_remade(ledger: Ledger, path: Path) -> None:
    """Writing into a deleted file would lose every row without a word; an empty new one would hide it."""
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        path.with_name(name).unlink()
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):  # noqa: PT012 - one of the next 32
        for _ in range(32):
            ledger.post(step())
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):
        ledger.ready()

    assert not path.exists()
    path.touch()


def test_deferred_rows_come_before_the_next_post(ledger: Ledger, path: Path) -> None:
    """What was deferred is written with, and before, what is posted next."""
    ledger.defer(step("first"))
    ledger.post(step("second"))

    assert rows(path, "SELECT step_id FROM steps ORDER BY seq") == [("first",), ("second",)]


def test_deferred_rows_are_written_without_further_posts(ledger: Ledger, path: Path) -> None:
    """The ledger thread writes them a little later by itself."""
    ledger.defer(step("s1"))
    deadline = threading.Event()
    for _ in range(200):
        if step_ids(path):
            break
        deadline.wait(0.01)

    assert step_ids(path) == {"s1"}


def test_rows_posted_after_close_are_still_written(path: Path) -> None:
    """A callback that comes late does not lose its step."""
    ledger = Ledger.open(path)
    ledger.close()
    ledger.post(ACME, task(), step("late"))
    ledger.close()

    assert step_ids(path) == {"late"}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE steps SET cost_nanousd = 0",
            "steps is append-only: update refused, corrections are new rows",
        ),
        ("DELETE FROM steps", "steps is append-only: delete refused, corrections are new rows"),
        ("UPDATE contexts SET tenant = 'evil'", "contexts is append-only: update refused"),
        ("DELETE FROM prices", "prices is append-only: delete refused"),
        ("DELETE FROM decisions", "decisions is append-only: delete refused"),
    ],
    ids=["update step", "delete step", "update context", "delete price", "delete decision"],
)
def test_database_refuses_changes_to_the_books(
    ledger: Ledger, path: Path, statement: str, message: str
) -> None:
    """Not this package but the database itself says no, to any program."""
    ledger.post(
        PriceRow("p1", "openai", "gpt-5", "policy", "", "{}"),
        step("s1"),
        DecisionRow("d1", "price", "recorded", "no price", "task-1", None, None, "{}", 5),
    )

    with pytest.raises(sqlite3.IntegrityError, match=message):
        change(path, statement)


def test_replace_does_not_get_around_the_triggers(ledger: Ledger, path: Path) -> None:
    """INSERT OR REPLACE deletes without a delete trigger; here it leaves the first row."""
    ledger.post(step("s1", cost_nanousd=5))
    columns = ", ".join(StepRow._fields)
    changed = columns.replace("cost_nanousd", "0")
    change(path, f"INSERT OR REPLACE INTO steps ({columns}) SELECT {changed} FROM steps")

    assert rows(path, "SELECT step_id, cost_nanousd FROM steps") == [("s1", 5)]


@pytest.mark.parametrize(
    "text",
    [
        "'); DROP TABLE steps; --",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "../../etc/passwd",
        "Ω≈ç√∫ 漢字 🦊",
        "a" * 1_000_000,
    ],
    ids=["sql", "html", "formula", "path", "unicode", "megabyte"],
)
def test_hostile_values_are_stored_inert(ledger: Ledger, text: str) -> None:
    """Whatever a value says, it is only data."""
    hostile = ACME._replace(context_id="h", tenant=text)
    ledger.post(hostile, step("s1", context_id="h", name=text, path=text))

    assert [(row["tenant"], row["name"]) for row in ledger.steps(tenant=text)] == [(text, text)]
    assert ledger.spend(["tenant"])[0]["tenant"] == text
