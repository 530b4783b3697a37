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
from spendgraph.policy import Policy, parse_policy

_meters: list[Meter] = []


_NEVER_REACHED = """
budgets:
  - {name: never reached, limit_usd: 1000000}
  - {name: per task, per: task, limit_calls: 1_000_000}
"""


def install() -> Callable[[], None]:
    """Install a meter with a ledger of its own; returns what closes it."""
    return _install(Policy())


def install_with_budgets() -> Callable[[], None]:
    """The same with budgets that are never reached: every model call makes a reservation."""
    return _install(parse_policy(_NEVER_REACHED))


def _install(policy: Policy) -> Callable[[], None]:
    folder = Path(tempfile.mkdtemp(prefix=f"spendgraph-compat-{os.getpid()}-"))
    meter = Meter(folder / "ledger.db", policy=policy)
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
