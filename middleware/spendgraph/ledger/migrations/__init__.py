"""The schema of the ledger, as sqlite-utils migrations.

A released migration is never edited: what comes next is a new `mNNN_verb_noun`. Importing this package
imports sqlite-utils (and pandas where it is installed), so only `schema.py` and `upgrade.migrate` do it, and only when a ledger
really is older than this version or the snapshot is made anew. `docs/decisions/0001-schema-snapshot.md`
says how a fresh ledger is made without it.
"""

# ruff: noqa: I001 - the order of the imports is the order of the migrations
from __future__ import annotations

from spendgraph.ledger.migrations.ordered import migrations

from spendgraph.ledger.migrations import books as books
from spendgraph.ledger.migrations import budgets as budgets
from spendgraph.ledger.migrations import breakers as breakers
from spendgraph.ledger.migrations import alerts as alerts
from spendgraph.ledger.migrations import envelopes as envelopes
from spendgraph.ledger.migrations import rollups as rollups
from spendgraph.ledger.migrations import imports as imports
from spendgraph.ledger.migrations import forgiven as forgiven
from spendgraph.ledger.migrations import watch as watch

__all__ = ["migrations"]
