"""The set that every migration is registered in, in the order in which the modules are imported."""

from __future__ import annotations

from sqlite_utils import Migrations

from spendgraph.ledger.snapshot import MIGRATION_SET

migrations = Migrations(MIGRATION_SET)
"""Every migration of the ledger, in order."""
