"""What people have forgiven by closing breakers."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger.migrations.ordered import migrations

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m013_create_forgiven(db: Database) -> None:
    """By window, so that what is forgiven ends with what was spent; `breakers` keeps only how much it was in all."""
    db.execute("""\
CREATE TABLE forgiven (
  window_id INTEGER NOT NULL PRIMARY KEY REFERENCES windows (window_id), -- of a breaker that a person has closed
  spent_nanousd INTEGER NOT NULL, -- of what is spent in it, what counts no more
  up_to_seq INTEGER NOT NULL -- the steps up to here are forgiven, each at what it cost then or, if less, costs now
) STRICT""")
