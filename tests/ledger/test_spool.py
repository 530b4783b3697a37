"""Spools that are being written: rows put aside while the ledger fails, folded in once by whoever may."""

from __future__ import annotations

import resource
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from ledger.rows import ACME, rows, step, step_ids, task
from ledger.test_processes import run
from spendgraph.errors import LedgerBusy
from spendgraph.ledger import HoldRelease, Ledger, UnheldStep
from spendgraph.ledger.place import find_place
from spendgraph.ledger.spool import Spool

OPEN = "Ledger.open({path!r}).close()"
WINDOWS = (("b", "tenant=acme", 0, None), ("c", "", 5, 9))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory of these tests."""
    found = tmp_path / "tmp"
    found.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found))
    return found


def test_a_spool_whose_writer_lives_is_left_to_it(path: Path) -> None:
    """Another process that opens the ledger does not fold in half of it; when it is given up, it does, once."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    spool = Spool(find_place(path), reason="test")
    spool.append([(step("s1"),)])
    assert run(OPEN.format(path=str(path))) == ("", "")
    assert step_ids(path) == set()
    spool.append([(step("s2"),), (step("s1"),)])
    spool.close()
    run(OPEN.format(path=str(path)))
    assert step_ids(path) == {"s1", "s2"}
    assert not spool.path.exists()


def test_an_append_that_fails_leaves_whole_lines(path: Path) -> None:
    """No more room in the middle of a line: the line is taken back, and what was there before is folded in."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
    spool = Spool(find_place(path), reason="test")
    spool.append([(step("s1"),)])
    size = spool.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.append([(step("s2"),)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.path.stat().st_size == size
    spool.append([(step("s3"),)])
    spool.close()
    Ledger.open(path).close()
    assert step_ids(path) == {"s1", "s3"}


def test_a_spool_goes_to_the_temporary_directory_where_its_folder_is_gone(
    path: Path, temporary: Path
) -> None:
    """Also when the folder went while it was written: what comes then goes there, and nothing of both is lost."""
    folder, away = path.parent / "books", path.parent / "away"
    folder.mkdir()
    books = folder / "ledger.db"
    ledger = Ledger.open(books)
    ledger.post(ACME, task())
    with closing(sqlite3.connect(books, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.book(step("s1"))
        with pytest.raises(LedgerBusy):
            ledger._writer.drain(timeout=0.1)  # pyright: ignore[reportPrivateUsage]
        assert list(folder.glob("*.spool-*"))
    folder.rename(away)
    ledger.book(step("s2"))
    assert not ledger.flush(0.1)
    assert list(temporary.iterdir())
    away.rename(folder)
    assert ledger.flush()
    assert step_ids(books) == {"s1", "s2"}
    assert list(temporary.iterdir()) == []
    assert list(folder.glob("*.spool-*")) == []
    ledger.close()


def test_rows_that_are_put_aside_come_before_those_that_follow(path: Path) -> None:
    """A context that waits in a spool is written before a step that names it."""
    stranger = ACME._replace(context_id="late")
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ledger.book(stranger)
            with pytest.raises(LedgerBusy):
                ledger._writer.drain(timeout=0.1)  # pyright: ignore[reportPrivateUsage]
            ledger.book(step("s1", context_id="late"))
        ledger.post(step("s2"))
    assert rows(path, "SELECT step_id, context_id FROM steps ORDER BY seq") == [
        ("s1", "late"),
        ("s2", ACME.context_id),
    ]


def test_a_row_that_the_ledger_refuses_does_not_block_those_put_aside_with_it(path: Path) -> None:
    """It is kept for a person, the others are written, and the ledger goes on."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for booked in (step("s1"), step("too much", cost_nanousd=2**70), step("s2")):
                ledger.defer(booked)
            with pytest.raises(LedgerBusy):
                ledger._writer.drain(timeout=0.1)  # pyright: ignore[reportPrivateUsage]
        ledger.ready()
        assert step_ids(path) == {"s1", "s2"}
        assert [problem.check for problem in ledger.verify()] == ["spools"]


def test_an_unheld_step_opens_its_windows_and_counts_once(path: Path) -> None:
    """By name: nobody could ask for their ids. A second delivery and a correction find the same windows."""
    booked = UnheldStep(tuple(step("s1", cost_nanousd=7)), WINDOWS)
    less = step(
        "s2", cost_nanousd=-2, entry="correction", corrects_step_id="s1", input_tokens=0, output_tokens=0
    )
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        ledger.post(booked)
        ledger.post(booked, UnheldStep(tuple(less), WINDOWS), booked)
        found = rows(path, "SELECT budget, scope, start_us, end_us, spent_nanousd, spent_calls FROM windows")
        assert found == [("b", "tenant=acme", 0, None, 5, 1), ("c", "", 5, 9, 5, 1)]


def test_a_hold_that_came_too_late_is_given_back_beside_its_step(path: Path) -> None:
    """Nobody waited for it any more: the step is booked as unheld, before or after, and nothing stays held."""
    from ledger.test_holds import ask, want

    with Ledger.open(path) as ledger:
        ledger.post(ACME, task())
        for step_id in ("before", "after"):
            hold = ledger.reserve(ask(step_id, 100, want(10**9)))
            booked = UnheldStep(tuple(step(step_id, cost_nanousd=7)), (want(10**9)[:4],))
            records = (
                (HoldRelease(step_id), booked) if step_id == "before" else (booked, HoldRelease(step_id))
            )
            ledger.post(*records)
            assert hold
        assert rows(path, "SELECT spent_nanousd, held_nanousd, held_calls FROM windows") == [(14, 0, 0)]
        assert ledger.verify() == []
