"""A person may make the file smaller while agents use it: no call is refused for that, and a file that was cut short still is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, rows, step, step_ids, task
from spendgraph import LedgerUnavailable
from spendgraph.ledger import Ledger
from spendgraph.ledger.connection import is_whole
from spendgraph.ledger.place import find_place

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"


def do(path: Path, *statements: str) -> None:
    """As a person does at SQLite's prompt."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


def bloat(path: Path) -> None:
    """Leave pages that are used by nothing, as after a prune."""
    do(
        path,
        "CREATE TABLE junk (x)",
        "INSERT INTO junk SELECT zeroblob(1000) FROM json_each((SELECT '[0' || replace(hex(zeroblob(999)), '0', ',0') || ']'))",
        "DROP TABLE junk",
        CHECKPOINT,
    )


@pytest.mark.parametrize("mode", ["", "PRAGMA incremental_vacuum"])
def test_a_vacuum_refuses_no_row(path: Path, mode: str) -> None:
    """The file is shorter afterwards; the ledger that has it open goes on, and finds what it had written."""
    with Ledger.open(path) as ledger:
        if mode:
            do(path, "PRAGMA auto_vacuum = INCREMENTAL", "VACUUM")
        ledger.post(ACME, task(), step("before"))
        bloat(path)
        ledger.post(step("bloated"))
        before = path.stat().st_size
        do(path, mode or "VACUUM", CHECKPOINT)
        assert path.stat().st_size < before
        ledger.post(step("after"))
        ledger.post(step("later"))
        assert ledger.verify() == []
    assert step_ids(path) == {"before", "bloated", "after", "later"}
    assert [seq for (seq,) in rows(path, "SELECT seq FROM steps ORDER BY seq")] == [1, 2, 3, 4]


@pytest.mark.parametrize("pages", [0.5, 1, 3])
def test_a_file_that_was_cut_short_is_refused(path: Path, pages: float) -> None:
    """At whatever place: nothing is written to it, and the row is not lost."""
    ledger = Ledger.open(path)
    ledger.post(ACME, task(), step("before"))
    do(path, CHECKPOINT)
    ledger.post(step("counted"))  # it knows how long the file is
    do(path, CHECKPOINT)
    backup = path.read_bytes()
    os.truncate(path, int(4096 * pages))
    with pytest.raises(LedgerUnavailable, match="malformed"):
        ledger.post(step("after"))
    with path.open("r+b", buffering=0) as file:
        file.write(backup)
    ledger.close()
    assert step_ids(path) == {"before", "counted", "after"}


def test_whether_a_file_is_whole_is_read_from_the_file_itself(path: Path) -> None:
    """Whatever waits in the WAL beside it."""
    place = find_place(path)
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step("before"))
        do(path, CHECKPOINT)
        ledger.post(*(step(f"s{number}") for number in range(200)))
        assert is_whole(place)
        os.truncate(path, path.stat().st_size - 1)
        assert not is_whole(place)
        os.truncate(path, 0)
        assert not is_whole(place)
