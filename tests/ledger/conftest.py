"""A ledger in a file of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.rows import ACME, GLOBEX, task
from spendgraph.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """An open ledger that knows two contexts and one task."""
    with Ledger.open(path) as opened:
        opened.post(ACME, GLOBEX, task())
        yield opened
