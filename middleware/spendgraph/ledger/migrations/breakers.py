"""What stops calls for a while: breakers, where they have ever tripped."""

# sqlite-utils leaves the type of its parameters open.
# pyright: reportUnknownMemberType=false
# ruff: noqa: S608 - every name in these statements is written in this package
from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.ledger.migrations.ordered import migrations
from spendgraph.ledger.migrations.sql import iso

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m008_create_breakers(db: Database) -> None:
    """One row for every scope in which a breaker has tripped; what happened when is in `decisions`."""
    db.execute("""\
CREATE TABLE breakers (
  breaker TEXT NOT NULL,
  scope TEXT NOT NULL, -- tenant=acme, task=..., or empty for one in all
  state TEXT NOT NULL CHECK (state IN ('open', 'half_open', 'closed')), -- half_open: one call is under way to try
  reason TEXT NOT NULL, -- why it tripped last
  trips INTEGER NOT NULL, -- how often it has tripped
  tripped_us INTEGER NOT NULL, -- microseconds since 1970 UTC
  tripped_by TEXT NOT NULL, -- who tripped it; empty: it did by itself
  open_until_us INTEGER NOT NULL, -- from then on one call is let through to try
  probe_step_id TEXT NOT NULL, -- the call that tries; when its hold is gone, another may
  probe_us INTEGER,
  closed_us INTEGER,
  closed_by TEXT NOT NULL, -- empty: the call that tried went well
  closed_why TEXT NOT NULL,
  reset_us INTEGER, -- when a person closed it last: what was counted until then counts no more
  forgiven_nanousd INTEGER NOT NULL, -- of the window that was open then
  PRIMARY KEY (breaker, scope)
) STRICT, WITHOUT ROWID""")
    db.execute(f"""\
CREATE VIEW breaker_status AS -- where every breaker stands that has ever tripped
SELECT
  breaker, scope, state, reason, trips, {iso("tripped_us")} AS tripped, tripped_by, {iso("open_until_us")} AS open_until,
  {iso("closed_us")} AS closed, closed_by, closed_why
FROM breakers""")
