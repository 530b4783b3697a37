"""`spendgraph rollup` and `spendgraph prune`: sums are brought up to date, and old steps are deleted when somebody says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from cli.kit import Cli
from spendgraph.clock import utc_us
from spendgraph.ledger import Ledger

YEAR_US = 366 * 86_400_000_000


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def aged(books: Path) -> Path:
    """The same books, in a time when their steps are long over."""
    with closing(sqlite3.connect(books)) as connection, connection:
        (guard,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'steps_refuse_update'"
        ).fetchone()
        shift = f"- {YEAR_US}"
        connection.execute("DROP TRIGGER steps_refuse_update")
        connection.execute(
            f"UPDATE steps SET started_us = started_us {shift}, ended_us = ended_us {shift} WHERE task_id = 'task-acme'"
        )
        connection.execute(guard)
    return books


def test_rollup_says_what_it_did_and_how_far_it_is(cli: Cli, books: Path) -> None:
    """Once it adds what is there, twice nothing."""
    assert cli("rollup", "--status", "--ledger", books).out == (
        f"{books} is rolled up to 0 of 4 rows; what waits was booked from 2026-09-21T14:13:20+00:00 on.\n"
    )
    said = cli("rollup", "--ledger", books)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"Added 4 rows of steps.\n{books} is rolled up to 4 of 4 rows.\n"
    again = cli("rollup", "--json", "--ledger", books).json
    assert (again["added"], again["repaired"], again["rolled_seq"], again["waiting"]) == (0, 0, 4, 0)
    assert cli("verify", "--ledger", books).code == 0


def test_rebuild_repairs(cli: Cli, books: Path) -> None:
    """And says how much."""
    cli("rollup", "--ledger", books)
    assert cli("rollup", "--rebuild", "--ledger", books).out.startswith("Every sum is right.\n")
    with closing(sqlite3.connect(books)) as connection, connection:
        connection.execute("DELETE FROM rollup_tasks WHERE task_id = 'task-acme'")
    assert cli("verify", "--ledger", books).code == 1
    assert cli("rollup", "--rebuild", "--ledger", books).out.startswith(
        "1 sums were wrong and are made anew.\n"
    )
    assert cli("verify", "--ledger", books).code == 0


def test_no_ledger_is_made_by_mistake(cli: Cli, tmp_path: Path) -> None:
    """A path mistyped ends with 1."""
    for command in (("rollup",), ("prune", "--before", "400d")):
        said = cli(*command, "--ledger", "nothing.db")
        assert (said.code, "there is no ledger at nothing.db" in said.err) == (1, True)
    assert not (tmp_path / "nothing.db").exists()


def test_status_and_rebuild_exclude_each_other(cli: Cli, books: Path) -> None:
    """Exit code 2."""
    assert cli("rollup", "--status", "--rebuild", "--ledger", books).code == 2


def test_prune_counts_first_and_deletes_on_yes(cli: Cli, books: Path) -> None:
    """What is not rolled up stays; sums and the books are right afterwards."""
    aged(books)
    query = ("prune", "--before", "2026-01-31", "--ledger", books)
    said = cli(*query)
    assert (said.code, "3 rows that old are not rolled up yet" in said.out) == (0, True)
    cli("rollup", "--ledger", books)
    said = cli(*query)
    assert said.out == (
        "3 steps and 0 corrections that started before 2026-01-31 00:00 UTC (2025-09-20 to 2025-09-20, $0.02748625)"
        " are to be deleted; their sums stay.\n"
        "Nothing was deleted: say --yes to delete them. They cannot be brought back.\n"
    )
    assert ask(books, "SELECT count(*) FROM steps") == [(4,)]
    said = cli(*query, "--yes")
    assert "Deleted 3 rows" in said.out
    assert ask(books, "SELECT step_id FROM steps") == [("step-lost",)]
    assert ask(books, "SELECT sum(cost_nanousd) FROM daily_spend") == [(28_486_250,)]
    assert cli("verify", "--ledger", books).code == 0
    assert "There is nothing to delete" in cli(*query, "--yes").out


def test_prune_speaks_json(cli: Cli, books: Path) -> None:
    """The plan, and what was deleted."""
    aged(books)
    cli("rollup", "--ledger", books)
    found = cli("prune", "--before", "2026-01-31T00:07:00+01:00", "--json", "--ledger", books).json
    assert (found["plan"]["steps"], found["deleted"]) == (3, None)
    found = cli("prune", "--before", "2026-01-31", "--yes", "--json", "--ledger", books).json
    assert (found["deleted"]["steps"], found["deleted"]["cost_nanousd"]) == (3, 27_486_250)


def test_what_is_too_young_is_a_misuse(cli: Cli, books: Path) -> None:
    """Exit code 2, and what was expected."""
    said = cli("prune", "--before", "6d", "--ledger", books)
    assert (said.code, "steps of the last seven days are never pruned" in said.err) == (2, True)
    said = cli("prune", "--before", "yesterday", "--ledger", books)
    assert (said.code, "2026-01-31" in said.err) == (2, True)


def test_an_age_is_counted_from_now(cli: Cli, books: Path) -> None:
    """`400d` is 400 days ago."""
    with Ledger.open(books) as ledger:
        expected = ledger.upkeep.plan_prune(utc_us() - 400 * 86_400_000_000).before_us
    found = cli("prune", "--before", "400d", "--json", "--ledger", books).json["plan"]["before_us"]
    assert found - expected in (0, 900_000_000)
