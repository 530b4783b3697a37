"""Attaches spendgraph to everything in a process that runs somebody else's tests.

For a runner of LangGraph's and LangChain's own test suites: `install()` is called once per test process,
before collection; `compat_seen()` says what was booked, so that a handler that never ran cannot pass.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from spendgraph import Meter

_meters: list[Meter] = []


def install() -> Callable[[], None]:
    """Install a meter with a ledger of its own; returns what closes it."""
    folder = Path(tempfile.mkdtemp(prefix=f"spendgraph-compat-{os.getpid()}-"))
    meter = Meter(folder / "ledger.db")
    meter.install(threads=True)
    _meters.append(meter)
    return meter.close


def compat_seen() -> dict[str, int]:
    """Steps booked so far, by kind."""
    seen: dict[str, int] = {}
    for meter in _meters:
        meter.flush()
        for step in meter.ledger.steps():
            kind = str(step["kind"])
            seen[kind] = seen.get(kind, 0) + 1
    return seen
