"""Policies that tell somebody, and what became of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from budgets.fanout import ACME, PRICES
from notify.receiver import until
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, Meter
from spendgraph.policy import Policy, parse_policy

NOWHERE = "json://127.0.0.1:9/nobody-listens"
LENIENT = "on_ledger_error: {eval: allow}"
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MONDAY_US = 1_764_547_200_000_000
"""2025-12-01 00:00 UTC, the first of a month."""


def policy(budget: str, *, more: str = "", **notify: str) -> Policy:
    """One budget, `b`, of `growth`; each call costs $0.0075."""
    names = ", ".join(f"{name}: {url!r}" for name, url in notify.items())
    return parse_policy(
        f"{PRICES}\nbudgets:\n  - {{name: b, owner: growth, {budget}}}\nnotify: {{{names}}}\n{more}"
    )


class Time:
    """A clock that a test moves."""

    def __init__(self, us: int = MONDAY_US) -> None:
        self.us = us

    def __call__(self) -> int:
        """Microseconds UTC."""
        return self.us


def call(meter: Meter, times: int = 1) -> None:
    """Make calls of acme's; refused ones are dealt with."""
    for _ in range(times):
        with suppress(BudgetExceeded):
            ScriptedModel().invoke("hi", meter.config(ACME))


def look(meter: Meter) -> None:
    """Have everything committed and looked at now."""
    assert meter.flush()
    meter.notifier.look()


def rows(path: Path, columns: str = "kind, scope, told, title") -> list[tuple[Any, ...]]:
    """The alerts of a ledger, the oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM alerts ORDER BY rowid").fetchall()


def until_delivered(path: Path, count: int) -> None:
    """Wait until so many alerts have reached everybody."""
    until(lambda: len([1 for (at,) in rows(path, "delivered_us") if at is not None]) >= count)
