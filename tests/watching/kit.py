"""Ledgers to watch: weeks of usual spending, a clock that a test sets, and looks at them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ledger.rows import rows, step
from spendgraph.context import CostContext
from spendgraph.ledger import ContextRow, Ledger, Record, StepRow, TaskStart
from spendgraph.policy import Policy, parse_policy
from spendgraph_anomaly.watching import CutWatch, Look, cuts_of
from spendgraph_reports.books import Books

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONDAY = 1_790_553_600_000_000
"""2026-09-28T00:00Z, a Monday."""

USD = 1_000_000_000
GRACE = 5 * MINUTE

STOPPING = """
breakers:
  - {name: suspended, per: [tenant], open_for: 1h, owner: growth}
watch:
  cuts:
    - {name: tenants, per: [tenant], owner: growth, breaker: suspended, suspend: true}
"""
"""An incident that has cost a hundred dollars, and goes on at a hundred an hour, stops its tenant."""


class World:
    """A ledger, a clock, and whoever watches.

    Args:
        path: Where the ledger is.
        policy: What is watched; each tenant by the hour, when not given.
        now_us: What the clock says at first.
    """

    def __init__(self, path: Path, policy: str = "", now_us: int = MONDAY) -> None:
        self.path = path
        self.now_us = now_us
        self.policy: Policy = parse_policy(policy or "version: 1")
        self.ledger = Ledger.open(path, clock=lambda: self.now_us)
        self.books = Books(path, zone=self.policy.watch.timezone)
        self._known: set[str] = set()
        self._steps = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Watch as a process does that has just been started: nothing is remembered."""
        self.watches = [CutWatch(cut, self.ledger, self.books) for cut in cuts_of(self.policy)]

    def close(self) -> None:
        """Give up the ledger."""
        self.books.close()
        self.ledger.close()

    def spent(self, usd: float, at_us: int, tenant: str = "acme", **columns: Any) -> list[Record]:
        """The rows of a call that cost so much: a thousand tokens a dollar; it took a second, and was booked at once."""
        context = CostContext(feature="triage", team="support", tenant=tenant)
        found: list[Record] = []
        if tenant not in self._known:
            self._known.add(tenant)
            found.append(ContextRow(context.context_id, feature="triage", team="support", tenant=tenant))
        self._steps += 1
        name = f"step-{self._steps}"
        values: dict[str, Any] = {
            "task_id": f"task-{self._steps}",
            "context_id": context.context_id,
            "started_us": at_us,
            "ended_us": at_us + SECOND,
            "recorded_us": at_us + SECOND,
            "cost_nanousd": round(usd * USD),
            "input_tokens": max(1, round(usd * 1000)),
            "output_tokens": 0,
            "provider": "openai",
            "model": "gpt-5",
            **columns,
        }
        if values.get("entry", "charge") == "charge":
            found.append(TaskStart(values["task_id"], None, context.context_id, "", "", at_us))
        return [*found, step(name, **values)]

    def spend(self, usd: float, at_us: int, tenant: str = "acme", **columns: Any) -> StepRow:
        """Book a call that cost so much."""
        found = self.spent(usd, at_us, tenant, **columns)
        self.ledger.post(*found)
        row = found[-1]
        assert isinstance(row, StepRow)
        return row

    def usual(self, hours: int, tenants: Iterable[str] = ("acme",), *, usd: float = 2.0) -> int:
        """Spend as usual for so many hours from the clock's time on: half to twice as much every hour. When it ends."""
        chance = random.Random(7)
        found: list[Record] = []
        for hour in range(hours):
            for tenant in tenants:
                amount = usd * 2 ** chance.uniform(-1, 1)
                found += self.spent(amount, self.now_us + hour * HOUR + chance.randrange(HOUR), tenant)
        self.ledger.post(*found)
        self.now_us += hours * HOUR
        return self.now_us

    def burn(self, usd_per_minute: float, minutes: int, tenant: str = "acme", **columns: Any) -> None:
        """Spend so much a minute from the clock's time on, and let the time pass."""
        found: list[Record] = []
        for minute in range(minutes):
            found += self.spent(usd_per_minute, self.now_us + minute * MINUTE, tenant, **columns)
        self.ledger.post(*found)
        self.now_us += minutes * MINUTE

    def look(self) -> Look:
        """Look once at the only cut, and note that people were told."""
        (watch,) = self.watches
        look = watch.look(self.now_us)
        for news in look.news:
            self.ledger.watch_book.mark_told(news.incident_id, news.severity)
        return look

    def incidents(self) -> list[tuple[Any, ...]]:
        """Scope, start, end, kind and excess of every incident, as they are stored, in order."""
        return rows(
            self.path,
            "SELECT scope, start_us, end_us, kind, excess_nanousd FROM incidents ORDER BY start_us, scope",
        )

    def states(self) -> list[tuple[Any, ...]]:
        """What the ledger knows of every series."""
        return rows(
            self.path,
            "SELECT watch, scope, through_us, state, open FROM watched_series ORDER BY watch, scope",
        )

    def stopped(self) -> list[str]:
        """The scopes whose breaker has been opened."""
        return [row["scope"] for row in self.ledger.breakers()]
