"""The ledger's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def read_settings(connection: sqlite3.Connection) -> tuple[bytes, int]:
    """The ledger's secret and the time of its latest row."""
    (secret,) = connection.execute("SELECT value FROM settings WHERE key = 'secret'").fetchone()
    row = connection.execute("SELECT recorded_us FROM steps ORDER BY seq DESC LIMIT 1").fetchone()
    return bytes.fromhex(secret), row[0] if row else 0
