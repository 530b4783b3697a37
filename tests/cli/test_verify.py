"""`spendgraph verify`: sound books are said to be sound, forged ones are not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cli.kit import Cli


def test_sound_books_end_with_0(cli: Cli, books: Path) -> None:
    """Nothing but the books is printed."""
    said = cli("verify", "--ledger", books)
    assert (said.code, said.out, said.err) == (0, f"{books} is sound: 4 steps checked.\n", "")


def test_verify_speaks_json(cli: Cli, books: Path) -> None:
    """The sum is there too, to compare with an invoice."""
    assert cli("verify", "--json", "--ledger", books).json == {
        "ledger": str(books),
        "sound": True,
        "steps": 4,
        "cost_nanousd": 28_486_250,
        "problems": [],
    }


def test_forged_books_end_with_1_and_the_row(cli: Cli, books: Path) -> None:
    """Somebody dropped a trigger and gave acme's spend to another tenant: the context's hash does not fit."""
    with sqlite3.connect(books) as connection:
        connection.execute("DROP TRIGGER contexts_refuse_update")
        connection.execute("UPDATE contexts SET tenant = 'evil' WHERE tenant = 'acme'")
    connection.close()
    said = cli("verify", "--ledger", books)
    assert said.code == 1
    assert "contexts_refuse_update" in said.out
    assert "Nothing was changed." in said.out
    assert cli("verify", "--json", "--ledger", books).json["sound"] is False


def test_a_file_that_is_no_ledger_is_refused(cli: Cli, tmp_path: Path) -> None:
    """A text file is told apart from a damaged ledger."""
    (tmp_path / "notes.txt").write_text("These are notes, and long enough to be looked at.")
    said = cli("verify", "--ledger", "notes.txt")
    assert said.code == 1
    assert "is not a SQLite database" in said.err
