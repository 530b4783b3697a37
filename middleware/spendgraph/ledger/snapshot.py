"""A fresh ledger is made from a snapshot, an older one is migrated, a newer one is refused.

The snapshot `schema.sql` is generated from the migrations (by `schema.py`), so that making a ledger needs
neither sqlite-utils nor the pandas it imports.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spendgraph.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATION_SET: Final = "spendgraph"
"""The name of the ledger's migrations in `_sqlite_migrations`."""

SNAPSHOT: Final = Path(__file__).with_name("schema.sql")

_CREATE = re.compile(r"^CREATE (?:UNIQUE )?(TABLE|INDEX|TRIGGER|VIEW) (\S+)", re.MULTILINE)


def ensure_schema(connection: sqlite3.Connection, path: str) -> None:
    """Make or migrate the schema of a ledger.

    The connection is in autocommit mode; the snapshot runs in one transaction of its own.

    Raises:
        LedgerError: The database is not a ledger, or a newer version of spendgraph made it.
        sqlite3.Error: The database cannot be read or written.
    """
    if pending_migrations(connection, path) is None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster while this one waited for the lock.
            if pending_migrations(connection, path) is None:
                for statement in snapshot_statements():
                    connection.execute(statement)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    if pending_migrations(connection, path):
        migrate(path)


def pending_migrations(connection: sqlite3.Connection, path: str) -> list[str] | None:
    """The names of migrations a ledger still needs, or `None` for an empty database.

    Raises:
        LedgerError: The database is not a ledger, or a newer version of spendgraph made it.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    applied: set[str] = set()
    if "_sqlite_migrations" in tables:
        query = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
        applied = {name for (name,) in connection.execute(query, (MIGRATION_SET,))}
    if not applied:
        raise LedgerError(
            f"{path} is a SQLite database, but not a spendgraph ledger (it has the tables"
            f" {', '.join(sorted(tables)[:5])}); give the path of a ledger or of a file that does not exist yet"
        )
    known = known_migrations()
    unknown = sorted(applied - set(known))
    if unknown:
        raise LedgerError(
            f"the ledger {path} was made by a newer version of spendgraph (it has {unknown[-1]}, this version"
            f" knows up to {known[-1]}); upgrade spendgraph to open it"
        )
    return [name for name in known if name not in applied]


def known_migrations() -> list[str]:
    """The names of the migrations in the snapshot, in order."""
    return re.findall(rf"VALUES \(\d+, '{MIGRATION_SET}', '(\w+)'", SNAPSHOT.read_text("utf-8"))


def snapshot_statements() -> Iterator[str]:
    """The statements of the snapshot, one by one."""
    lines: list[str] = []
    for line in SNAPSHOT.read_text("utf-8").splitlines():
        lines.append(line)
        statement = "\n".join(lines).strip()
        if sqlite3.complete_statement(statement):
            yield statement
            lines.clear()


def snapshot_objects() -> dict[tuple[str, str], str]:
    """The SQL of every object of a ledger by its type and name, as `sqlite_master` has it."""
    objects: dict[tuple[str, str], str] = {}
    for statement in snapshot_statements():
        if match := _CREATE.search(statement):
            name = match[2].strip('"[]')
            objects[match[1].lower(), name] = statement[match.start() :].removesuffix(";")
    return objects


def migrate(path: str) -> None:
    """Apply what is pending to the ledger at a path; loads sqlite-utils."""
    from sqlite_utils import Database

    from spendgraph.ledger.migrations import migrations

    connection = sqlite3.connect(path, timeout=5)
    try:
        migrations.apply(Database(connection))
    finally:
        connection.close()
