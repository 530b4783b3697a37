"""Breakers under test: a clock that a test sets, calls of a known price, and what the ledger says afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from budgets.fanout import PRICES
from scripted import ScriptedModel
from spendgraph import CostContext, Meter
from spendgraph.clock import utc_us
from spendgraph.policy import Policy, parse_policy

ACME = CostContext(feature="triage", team="support", tenant="acme")
GLOBEX = ACME.replace(tenant="globex")
SECOND = 1_000_000
MINUTE = 60 * SECOND
CALL_NANOUSD = 7_500_000
"""What a call of a scripted model costs."""

WAYS: dict[str, Callable[[Any, Any, str], Any]] = {
    "invoke": lambda model, config, text: model.invoke(text, config),
    "ainvoke": lambda model, config, text: asyncio.run(model.ainvoke(text, config)),
}


class Clock:
    """Stands where a test puts it, from now on."""

    def __init__(self) -> None:
        self.now_us = utc_us()

    def __call__(self) -> int:
        return self.now_us

    def pass_(self, us: int) -> None:
        """Let time pass."""
        self.now_us += us


def policy(breaker: str, more: str = "") -> Policy:
    """Each call costs $0.0075; there is one breaker."""
    return parse_policy(f"{PRICES}\nbreakers:\n  - {{{breaker}}}\n{more}")


def meter(tmp_path: Path, breaker: str, clock: Clock | None = None, more: str = "") -> Meter:
    """A meter on the test's ledger."""
    if clock is None:
        return Meter(tmp_path / "ledger.db", policy=policy(breaker, more))
    return Meter(tmp_path / "ledger.db", policy=policy(breaker, more), clock=clock)


def call(metered: Meter, context: CostContext = ACME, way: str = "invoke", text: str = "hi") -> ScriptedModel:
    """One call of a new model, in a task of its own; the model, which says whether the call reached it."""
    model = ScriptedModel()
    WAYS[way](model, metered.config(context), text)
    return model


def decisions(path: Path) -> list[tuple[str, str]]:
    """Kind and outcome of every decision, in order."""
    with closing(sqlite3.connect(path / "ledger.db")) as connection:
        query = "SELECT kind, outcome FROM decisions ORDER BY decided_us, rowid"
        return connection.execute(query).fetchall()


def state(metered: Meter) -> str:
    """The state of the only breaker, as it is stored."""
    metered.flush()
    with closing(sqlite3.connect(metered.ledger.place.name)) as connection:
        found: tuple[str] | None = connection.execute("SELECT state FROM breakers").fetchone()
    return "" if found is None else found[0]
