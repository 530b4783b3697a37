"""A ledger to import into, and the files of a simulated company."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from spendgraph.ledger import Ledger
from spendgraph_demo.history import Parameters, Written, write_history


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Ten days of a small company: a ledger, and the files that finance would have."""
    parameters = Parameters(end=date(2026, 10, 1), days=10, scale=0.1, seed=3)
    return write_history(tmp_path_factory.mktemp("history") / "history.db", parameters)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """An open, empty ledger."""
    with Ledger.open(path) as opened:
        yield opened
