"""SQL that several migrations share."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def iso(column: str) -> str:
    """SQL for a time in microseconds as ISO text with microseconds."""
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
    return f"{seconds} || printf('.%06dZ', {column} % 1000000)"


def refuse_changes(db: Database, table: str, *key: str) -> None:
    """Make a table append-only: UPDATE and DELETE fail, INSERT OR REPLACE of a known key is ignored."""
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    advice = "corrections are new rows" if table == "steps" else "rows are written once"
    for act in ("update", "delete"):
        db.execute(f"""\
CREATE TRIGGER {table}_refuse_{act} BEFORE {act.upper()} ON {table}
BEGIN
  SELECT raise(ABORT, '{table} is append-only: {act} refused, {advice}');
END""")
    # REPLACE deletes the old row without firing the trigger above, so it has to be stopped before.
    db.execute(f"""\
CREATE TRIGGER {table}_keep_first BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN
  SELECT raise(IGNORE);
END""")
