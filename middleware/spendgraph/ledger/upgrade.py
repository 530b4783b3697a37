"""A fresh ledger is made from the snapshot, an older one is migrated, a newer one is refused."""

from __future__ import annotations

import sqlite3

from spendgraph.errors import LedgerError
from spendgraph.ledger.snapshot import MIGRATION_SET, known_migrations, snapshot_statements


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


def migrate(path: str) -> None:
    """Apply what is pending to the ledger at a path, all of it or nothing; loads sqlite-utils.

    Of several processes one migrates: whoever comes later finds nothing pending, once it has the lock.

    Raises:
        sqlite3.Error: The database cannot be written, or another process has the lock.
    """
    from sqlite_utils import Database

    from spendgraph.ledger.migrations import migrations

    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")  # sqlite-utils nests its own in savepoints
        try:
            migrations.apply(Database(connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    finally:
        connection.close()
