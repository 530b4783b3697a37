"""Room set aside for a whole task, from which its calls draw."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger.migrations.ordered import migrations

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m010_create_envelopes(db: Database) -> None:
    """Money held for what a task has yet to do."""
    db.execute("""\
CREATE TABLE envelopes (
  envelope_id TEXT NOT NULL PRIMARY KEY,
  task_id TEXT NOT NULL, -- whose calls draw from it
  gate TEXT NOT NULL, -- which gate took it: one envelope for each gate of a task
  holder TEXT NOT NULL, -- the process that runs the task
  windows TEXT NOT NULL CHECK (json_valid(windows)), -- ids, a JSON list
  amount_nanousd INTEGER NOT NULL, -- when it was taken
  held_nanousd INTEGER NOT NULL, -- what is left; what its calls hold is theirs
  draws TEXT NOT NULL CHECK (json_valid(draws)), -- of the amount, what grants gave: ids and amounts, JSON
  lease_until_us INTEGER NOT NULL, -- renewed while the process lives; afterwards anybody gives the rest back
  UNIQUE (task_id, gate)
) STRICT, WITHOUT ROWID""")
