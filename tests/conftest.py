"""What holds for every test: a slow machine is no failure of a property, and who waits leaves the processor to others."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("spendgraph", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spendgraph")


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`, one process more than there are processors: many tests wait for locks, leases and other processes."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are as wide as they have to be, whatever the terminal of whoever runs the tests; a test of widths says its own."""
    monkeypatch.delenv("COLUMNS", raising=False)
