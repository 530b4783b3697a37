"""The snapshot of a ledger's schema: what a fresh one is made from, and what any one should have.

The snapshot `schema.sql` is generated from the migrations (by `schema.py`), so that making a ledger needs
neither sqlite-utils nor the pandas it imports.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MIGRATION_SET: Final = "spendgraph"
"""The name of the ledger's migrations in `_sqlite_migrations`."""

SNAPSHOT: Final = Path(__file__).with_name("schema.sql")

_CREATE = re.compile(r"^CREATE (?:UNIQUE )?(TABLE|INDEX|TRIGGER|VIEW) (\S+)", re.MULTILINE)


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
