"""Ledgers of random spending, and what a report must add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ledger.rows import START_US, context_row, step, task
from spendgraph.ledger import Ledger, StepRow
from spendgraph_reports.period import DAY_US

DAY = START_US - START_US % DAY_US
"""2026-09-21, in UTC."""

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Santiago")
"""Kathmandu is 5:45 before UTC: its days begin at a quarter of an hour. Santiago's 2026-09-06 has no midnight."""

CONTEXTS = (
    context_row(
        feature="triage", team="support", tenant="acme", user="ann", cost_center="cc-1", template="t1"
    ),
    context_row(feature="triage", team="support", tenant="globex", user="bob", extra={"squad": "red"}),
    context_row(feature="search", team="growth", tenant="acme", user="ann", cost_center="cc-2"),
    context_row(
        feature="search", team="growth", tenant="initech", extra={"squad": "blue"}, environment="staging"
    ),
    context_row(feature="digest", team="growth", project="p1", workspace="w1"),
    context_row(),
)
"""Payers: few features over many tenants, tags that lack, extra tags, and nobody."""


@st.composite
def spending(draw: st.DrawFn, most: int = 30, days: int = 45) -> list[StepRow]:
    """Steps over some weeks before and after `DAY`, in any order, so that some are late; half of them corrected."""
    drawn: list[StepRow] = []
    for number in range(draw(st.integers(0, most))):
        context = draw(st.sampled_from(CONTEXTS))
        started = DAY + draw(st.integers(-days * DAY_US, days * DAY_US))
        kind = draw(st.sampled_from(["model", "tool", "embedding", "retriever", "rerank", "other"]))
        values: dict[str, Any] = {
            "task_id": f"task-{number % 7}",
            "started_us": started,
            "ended_us": started + 1_000_000,
            "kind": kind,
            "name": "search" if kind == "tool" else "",
            "provider": draw(st.sampled_from(["openai", "anthropic", ""])),
            "model": draw(st.sampled_from(["gpt-5", "claude", ""])),
            "owner_team": draw(st.sampled_from(["", "search", "support"])),
            "context_id": context.context_id,
            "missing_tags": "" if context.team else "team",
            "cost_basis": draw(
                st.sampled_from(["reported", "estimated", "upper_bound", "unpriced", "configured"])
            ),
            "status": draw(st.sampled_from(["ok", "error", "cut", "cancelled", "cache_hit"])),
            "is_replay": draw(st.integers(0, 1)),
        }
        cost = draw(st.one_of(st.integers(0, 9), st.integers(0, 10**13)))
        drawn.append(
            step(f"step-{number}", **values, cost_nanousd=cost, saved_nanousd=draw(st.integers(-99, 10**9)))
        )
        if draw(st.booleans()):
            correction = {"entry": "correction", "corrects_step_id": f"step-{number}", "input_tokens": -3}
            drawn.append(
                step(
                    f"step-{number}/late",
                    **values,
                    **correction,
                    cost_nanousd=draw(st.integers(-cost, 10**12)),
                )
            )
    return draw(st.permutations(drawn))


def write(path: Path, rows: Iterable[StepRow], *, roll: bool = False) -> Path:
    """A ledger with these steps and the tasks they belong to; rolled up first by halves, where that is asked for."""
    steps = list(rows)
    first = {row.task_id: row for row in reversed(steps)}
    with Ledger.open(path) as ledger:
        tasks = [
            task(task_id, context_id=row.context_id, started_us=row.started_us)
            for task_id, row in first.items()
        ]
        ledger.post(*CONTEXTS, *tasks)
        half = len(steps) // 2 if roll else 0
        if half:
            ledger.post(*steps[:half])
            ledger.upkeep.roll()
        if steps[half:]:
            ledger.post(*steps[half:])
    return path


def cost(rows: Sequence[StepRow], since_us: int, until_us: int) -> int:
    """What the steps of a period cost, in nano-USD."""
    return sum(row.cost_nanousd for row in rows if since_us <= row.started_us < until_us)
