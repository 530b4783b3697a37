"""Generates the schema files from the migrations: `python -m spendgraph.ledger.schema`.

They are `schema.sql` in this package, from which fresh ledgers are made, and the repository's
`ledger.db-schema` for readers. Tests keep both equal to what the migrations make.
"""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path

from sqlite_utils import Database

from spendgraph.ledger.migrations import migrations
from spendgraph.ledger.snapshot import MIGRATION_SET, SNAPSHOT, snapshot_statements

_HEADER = "-- Generated from the migrations by `python -m spendgraph.ledger.schema`: do not edit.\n\n"
_NOW = "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')"


def render_snapshot() -> str:
    """The text of `schema.sql`, from the migrations."""
    connection = sqlite3.connect(":memory:")
    try:
        database = Database(connection)
        migrations.apply(database)
        created = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        statements = [f"{sql};\n" for (sql,) in created]
        statements += [
            "INSERT INTO _sqlite_migrations (id, migration_set, name, applied_at)\n"
            f"VALUES ({number}, '{MIGRATION_SET}', '{migration.name}', {_NOW});\n"
            for number, migration in enumerate(migrations.applied(database), start=1)
        ]
    finally:
        connection.close()
    return _HEADER + "\n".join(statements)


def render_schema() -> str:
    """What `sqlite-utils schema` prints for a fresh ledger."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in snapshot_statements():
            connection.execute(statement)
        return f"{Database(connection).schema}\n"
    finally:
        connection.close()


def main(arguments: list[str] | None = None) -> None:
    """Write `schema.sql`, and `ledger.db-schema` into the folder given (the current one)."""
    parser = argparse.ArgumentParser(description="Generate the ledger's schema files from its migrations.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where ledger.db-schema goes")
    folder: Path = parser.parse_args(arguments).folder
    SNAPSHOT.write_text(render_snapshot(), "utf-8")
    (folder / "ledger.db-schema").write_text(render_schema(), "utf-8")


if __name__ == "__main__":
    main()
