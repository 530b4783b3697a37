"""A way to call the command line, and a ledger of two tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.kit import Cli, Said
from spendgraph.cli import main
from spendgraph.context import CostContext
from spendgraph.ledger import ContextRow, Ledger, StepRow, TaskEnd, TaskStart

ACME = CostContext(feature="triage", team="support", tenant="acme")
NOBODY = CostContext()
MINUTE = 60_000_000
START = 1_790_000_000_000_000
"""2026-09-21T14:13:20Z."""


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Calls the command line in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPENDGRAPH_LEDGER", raising=False)
    monkeypatch.delenv("SPENDGRAPH_POLICY", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*arguments: str | Path) -> Said:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger: acme's triage with a tool that calls a model, and a step that nobody claims."""
    path = tmp_path / "books.db"
    acme = ContextRow(ACME.context_id, feature="triage", team="support", tenant="acme")
    nobody = ContextRow(NOBODY.context_id)
    with Ledger.open(path) as ledger:
        ledger.post(
            acme,
            nobody,
            TaskStart("task-acme", None, acme.context_id, "thread-1", "agent", START),
            StepRow(
                **step("step-model", START, cost_nanousd=22_486_250, node="plan", path="plan"),
                input_tokens=17_903,
                cache_read_tokens=17_817,
                model="gpt-4o",
                name="ChatOpenAI",
            ),
            StepRow(
                **step(
                    "step-tool",
                    START + MINUTE,
                    cost_nanousd=5_000_000,
                    node="tools",
                    path="tools",
                    kind="tool",
                ),
                name="web_search",
                cost_basis="configured",
            ),
            StepRow(
                **step("step-inner", START + MINUTE, cost_nanousd=0, node="tools", path="tools"),
                parent_step_id="step-tool",
                cost_basis="unpriced",
                model="acme-1",
                name="ChatAcme",
                output_tokens=7,
            ),
            TaskEnd("task-acme", "finished", START + 2 * MINUTE),
        )
        ledger.post(
            TaskStart("task-nobody", None, nobody.context_id, "", "", START + 5 * MINUTE),
            StepRow(
                **step(
                    "step-lost",
                    START + 5 * MINUTE,
                    cost_nanousd=1_000_000,
                    task="task-nobody",
                    context=NOBODY.context_id,
                ),
                missing_tags="feature,team",
                cost_basis="estimated",
            ),
        )
    return path


def step(
    step_id: str,
    at: int,
    *,
    cost_nanousd: int,
    kind: str = "model",
    task: str = "task-acme",
    context: str = ACME.context_id,
    node: str = "",
    path: str = "",
) -> dict[str, Any]:
    """What every step of these ledgers has."""
    return {
        "step_id": step_id,
        "task_id": task,
        "kind": kind,
        "context_id": context,
        "started_us": at,
        "ended_us": at + 1_000,
        "recorded_us": at + 1_000,
        "cost_nanousd": cost_nanousd,
        "node": node,
        "path": path,
    }
