"""A ledger to export."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.kit import write_books


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger of six steps."""
    return write_books(tmp_path / "ledger.db")
