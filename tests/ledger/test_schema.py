"""A fresh ledger comes from the snapshot, an older one is migrated, a newer one is refused."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from sqlite_utils import Database

from ledger.rows import ACME, PYTHON, change, rows, step, task
from ledger.test_processes import PRELUDE
from spendgraph.errors import LedgerError
from spendgraph.ledger import Ledger
from spendgraph.ledger.migrations import migrations
from spendgraph.ledger.schema import main, render_schema, render_snapshot
from spendgraph.ledger.snapshot import SNAPSHOT, known_migrations, snapshot_statements

ROOT = Path(__file__).parents[2]
NAMES = [
    "m001_create_contexts_and_prices",
    "m002_create_tasks",
    "m003_create_steps",
    "m004_create_decisions_and_settings",
    "m005_create_views",
    "m006_create_budgets",
    "m007_create_approvals",
    "m008_create_breakers",
    "m009_create_alerts",
    "m010_create_envelopes",
    "m011_create_rollups",
    "m012_create_imports",
    "m013_create_forgiven",
    "m014_create_watch",
]


def test_snapshot_is_what_the_migrations_make() -> None:
    """`schema.sql` is up to date: run `make schema` when this fails."""
    assert SNAPSHOT.read_text("utf-8") == render_snapshot()


def test_published_schema_is_what_a_fresh_ledger_has() -> None:
    """`ledger.db-schema` is up to date: run `make schema` when this fails."""
    assert (ROOT / "ledger.db-schema").read_text("utf-8") == render_schema()


def test_schema_command_writes_the_published_schema(tmp_path: Path) -> None:
    """The generator writes `ledger.db-schema` into the folder it is given."""
    main([str(tmp_path)])

    assert (tmp_path / "ledger.db-schema").read_text("utf-8") == render_schema()


def test_fresh_ledger_has_the_objects_of_a_migrated_one_to_the_letter(path: Path, tmp_path: Path) -> None:
    """`sqlite_master` is the same whether the snapshot or sqlite-utils made the ledger, but for where on disk it puts things."""
    Ledger.open(path).close()
    migrated = Database(tmp_path / "migrated.db")
    migrations.apply(migrated)
    migrated.close()

    query = "SELECT type, name, tbl_name, rootpage <> 0, sql FROM sqlite_master"
    assert rows(path, query) == rows(tmp_path / "migrated.db", query)


def test_fresh_ledger_has_no_pending_migrations(path: Path) -> None:
    """sqlite-utils finds every migration recorded, in order, with a time it can read."""
    Ledger.open(path).close()
    database = Database(path)

    assert migrations.pending(database) == []
    assert [migration.name for migration in migrations.applied(database)] == NAMES
    assert all(migration.applied_at[19:] != "" for migration in migrations.applied(database))
    database.close()


def test_known_migrations_are_read_from_the_snapshot() -> None:
    """The names are known without sqlite-utils."""
    assert known_migrations() == NAMES


def test_snapshot_statements_keep_triggers_whole() -> None:
    """Statements are cut where SQL says so, not at every semicolon."""
    triggers = [text for text in snapshot_statements() if "CREATE TRIGGER" in text]

    assert len(triggers) == 39
    assert all(text.endswith("END;") for text in triggers)


def test_opening_a_ledger_loads_neither_sqlite_utils_nor_pandas(path: Path) -> None:
    """A first step is on disk before anything slow is imported."""
    code = (
        "import sys; from spendgraph.ledger import Ledger;"
        f"Ledger.open({str(path)!r}).close();"
        "print([name for name in ('sqlite_utils', 'pandas', 'pydantic', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", NAMES)
def test_older_ledger_is_brought_up_to_date(path: Path, name: str) -> None:
    """A ledger that stopped before any of the migrations opens, and is sound."""
    old = Database(path)
    migrations.apply(old, stop_before=name)
    old.close()
    if name == NAMES[0]:
        change(path, "DROP TABLE _sqlite_migrations")

    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step("s1"))
        assert ledger.verify() == []


def test_upgrade_keeps_the_rows(path: Path) -> None:
    """Steps written under the schema before the views are there after the upgrade."""
    old = Database(path)
    migrations.apply(old, stop_before="m005_create_views")
    old.close()
    columns = rows(path, "SELECT name FROM pragma_table_info('steps') WHERE name <> 'seq'")
    assert [name for (name,) in columns] == list(step("s1")._fields)
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step("s1"))

    assert rows(path, "SELECT step_id, cost_usd FROM spend") == [("s1", 0.000005)]


def test_processes_that_open_an_older_ledger_at_once_all_have_it(path: Path) -> None:
    """One of them migrates it; the others wait for the lock and find that it is done."""
    old = Database(path)
    old.enable_wal()
    migrations.apply(old, stop_before="m006_create_budgets")
    code = (
        f"import sqlite_utils, spendgraph.ledger.migrations\nprint('ready', flush=True); input()\n"
        f"with Ledger.open({str(path)!r}) as ledger: ledger.post(ACME, task(), step())"
    )
    running = [
        subprocess.Popen(
            [PYTHON, "-c", PRELUDE + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    old.conn.execute("BEGIN IMMEDIATE")
    for process in running:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
    time.sleep(0.3)  # all of them find it older, and locked
    old.conn.rollback()
    old.close()
    for process in running:
        process.communicate(timeout=60)

    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert rows(path, "SELECT count(*) FROM steps") == [(4,)]
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    """The last migration finds a table of its name: the ledger stays as old as it was, and can be mended."""
    old = Database(path)
    migrations.apply(old, stop_before="m008_create_breakers")
    old.close()
    change(path, "CREATE TABLE envelopes (x)")
    with pytest.raises(LedgerError):
        Ledger.open(path)
    assert len(rows(path, "SELECT name FROM _sqlite_migrations")) == 7
    change(path, "DROP TABLE envelopes")
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []


def test_newer_ledger_is_refused(path: Path) -> None:
    """An unknown migration means a newer version: neither written nor read."""
    Ledger.open(path).close()
    change(path, "INSERT INTO _sqlite_migrations VALUES (99, 'spendgraph', 'm099_add_planets', '2030-01-01')")

    for opening in (Ledger.open, Ledger.open_readonly):
        with pytest.raises(LedgerError, match=r"newer version of spendgraph \(it has m099_add_planets"):
            opening(path)


def test_reader_refuses_an_older_ledger(path: Path) -> None:
    """A reader does not migrate, and says what does."""
    old = Database(path)
    migrations.apply(old, stop_before="m005_create_views")
    old.close()

    with pytest.raises(LedgerError, match="older version of spendgraph; open it once for writing"):
        Ledger.open_readonly(path)


def test_processes_that_create_one_ledger_at_once_agree(path: Path) -> None:
    """Whoever comes second finds the first one's ledger, with the same secret."""
    code = (
        "from spendgraph.ledger import Ledger;"
        f"ledger = Ledger.open({str(path)!r}); print(ledger.secret.hex()); ledger.close()"
    )
    running = [subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    secrets = [process.communicate()[0] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 65


def test_failed_creation_leaves_no_half_ledger(path: Path) -> None:
    """The snapshot is one transaction: a file too small for it stays empty."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA max_page_count = 4")
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="full"):  # noqa: PT012 - any of the statements
        for statement in snapshot_statements():
            connection.execute(statement)
    connection.rollback()
    connection.close()

    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
