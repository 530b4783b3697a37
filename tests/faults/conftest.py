"""A ledger in a folder of its own, a meter on it, and a lock that is not waited for as long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.kit import CLOCK, lenient
from scripted import ScriptedModel
from spendgraph import Meter


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger is; the temporary directory is beside its folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "books"
    folder.mkdir()
    return folder / "ledger.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for 0.2 seconds instead of five."""
    monkeypatch.setattr("spendgraph.ledger.writer.BUSY_DEADLINE_S", 0.2)
    for name in ("writer.Writer.drain", "writer.Writer.transact", "keeping.reserve"):
        module, *rest = name.split(".")
        target = f"spendgraph.ledger.{module}.{'.'.join(rest)}.__kwdefaults__"
        others = {"mine": None} if name.endswith("drain") else {}
        monkeypatch.setattr(target, {"timeout": 0.2, **others})


@pytest.fixture
def model() -> ScriptedModel:
    """Each answer costs $0.0075."""
    return ScriptedModel()


@pytest.fixture
def meter(path: Path, impatient: None) -> Iterator[Meter]:
    """A meter whose policy blocks production and lets eval go on."""
    with Meter(path, policy=lenient(), clock=CLOCK) as meter:
        yield meter
