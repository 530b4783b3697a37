"""DuckDB answers in a process of its own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from exports.kit import TOTAL
from ledger.rows import step
from spendgraph.errors import LedgerError
from spendgraph.ledger import Ledger
from spendgraph_reports.engine import Question, ask
from spendgraph_reports.errors import QueryError

SUM = Question("SELECT sum(cost_nanousd)::BIGINT AS total FROM steps")


def test_an_answer_is_rows_by_name(books: Path) -> None:
    """Whole numbers stay whole numbers."""
    assert list(ask(books, SUM)) == [{"total": TOTAL}]


def test_values_are_no_sql(books: Path) -> None:
    """A tag that looks like SQL is compared, not run."""
    question = Question("SELECT getvariable('tag') AS tag", {"tag": "'; DROP TABLE steps; --"})
    assert list(ask(books, question)) == [{"tag": "'; DROP TABLE steps; --"}]
    with pytest.raises(ValueError, match="a word"):
        Question("SELECT 1", {"a = 1; --": 1})


def test_a_question_cannot_write(books: Path) -> None:
    """The ledger is attached read-only."""
    with pytest.raises(QueryError, match="read-only"):
        list(ask(books, Question("INSERT INTO ledger.settings VALUES ('a', 'b')")))


def test_a_wrong_question_says_what_is_wrong(books: Path) -> None:
    """DuckDB's own words."""
    with pytest.raises(QueryError, match="nope"):
        list(ask(books, Question("SELECT nope FROM steps")))


def test_a_ledger_in_memory_cannot_be_asked() -> None:
    """Another process does not see it."""
    with pytest.raises(LedgerError):
        list(ask(":memory:", SUM))


def test_an_answer_may_be_left_early(books: Path) -> None:
    """The process behind it ends with the first row taken."""
    rows = ask(books, Question("SELECT range AS n FROM range(1000000)"))
    assert next(rows) == {"n": 0}
    rows.close()


def test_asking_takes_no_lock_from_a_meter_beside_it(books: Path) -> None:
    """While this process writes, it asks; another one that closes the ledger then leaves the WAL alone.

    With DuckDB's own SQLite in this process, its closing the file would give up our locks, and the other process
    would take itself for the last one and remove the WAL.
    """
    with Ledger.open(books) as ledger:
        ledger.post(step("before", cost_nanousd=1))
        assert list(ask(books, SUM)) == [{"total": TOTAL + 1}]
        other = f"import sqlite3; c = sqlite3.connect({str(books)!r}); c.execute('SELECT count(*) FROM steps').fetchone(); c.close()"
        subprocess.run([sys.executable, "-c", other], check=True, timeout=30)
        assert Path(f"{books}-wal").exists()
        ledger.post(step("after", cost_nanousd=1))
    connection = sqlite3.connect(books)
    assert connection.execute("SELECT count(*) FROM steps").fetchone() == (8,)
    connection.close()


def test_asking_imports_no_duckdb_here() -> None:
    """The process that asks never loads it."""
    program = "import sys, spendgraph_reports.engine; sys.exit('duckdb' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=30, env={"PYTHONPATH": ":".join(sys.path)}
    )
