"""A paused task goes on as the same task; a new message on its thread does not."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.attach import WAYS, Way, attached
from acceptance.books import differences, query, steps
from acceptance.kit import Kit
from acceptance.paused_flow import flow
from provider import Provider
from spendgraph import CostContext, Meter

TAGS = {
    "feature": "acceptance",
    "team": "quality",
    "workload_class": "eval",
    "environment": "staging",
    "user": "alice",
}
ACME = CostContext.from_mapping({"tenant": "acme", **TAGS})
TESTS = Path(__file__).parents[1]


def _check_one_task(ledger: Path, provider: Provider, account: str) -> None:
    """Four calls, one of them a replay, all of one task that has finished."""
    rows, invoice = steps(ledger), provider.invoice(account)
    assert invoice.purposes() == {"before": 1, "asking": 2, "after": 1}
    assert differences(invoice.lines, rows, TAGS) == []
    assert len({row["task_id"] for row in rows}) == 1
    assert [row["is_replay"] for row in rows] == [0, 0, 1, 0]
    assert query(ledger, "SELECT DISTINCT status FROM tasks") == [{"status": "finished"}]


@pytest.mark.parametrize("way", WAYS)
def test_a_resume_with_only_the_thread_id_continues_the_task(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """The caller that answers names no tags: they come from the thread's unfinished task."""
    saver = InMemorySaver()
    with attached(meter, way, ACME) as metering:
        own = replace(kit, metering=metering)
        flow(own, saver).invoke(START_STATE, own.thread("t"))
    # Outside of the task nothing but an installed meter or its handler can see the run.
    later: Way = "config" if way == "task" else way
    with attached(meter, later, None) as metering:
        own = replace(kit, metering=metering)
        flow(own, saver).invoke(Command(resume="yes"), own.thread("t"))
    assert meter.flush(10)
    _check_one_task(ledger, provider, kit.account)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", ["install", "config"])
def test_a_resume_in_another_process_continues_the_task(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path, tmp_path: Path
) -> None:
    """Another process knows the ledger, the checkpoints and the thread's id, and books on the same task."""
    checkpoints = tmp_path / "checkpoints.db"
    with SqliteSaver.from_conn_string(str(checkpoints)) as saver, attached(meter, way, ACME) as metering:
        own = replace(kit, metering=metering)
        flow(own, saver).invoke(START_STATE, own.thread("t"))
    assert meter.flush(10)
    arguments = [provider.url, kit.account, str(ledger), str(checkpoints), way, "t"]
    done = subprocess.run(
        [sys.executable, "-m", "acceptance.paused_flow", *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    _check_one_task(ledger, provider, kit.account)


@pytest.mark.parametrize("paused", [False, True], ids=["after-the-end", "while-paused"])
def test_a_new_message_on_an_old_thread_inherits_nothing(
    paused: bool, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """A second message without tags is a task of its own and unattributed, whatever the thread's first was."""
    model = kit.openai()

    def work(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("message")).text]}

    saver = InMemorySaver()
    graph = flow(kit, saver) if paused else line_of_nodes(saver, work=work)
    meter.install()
    graph.invoke(START_STATE, meter.config(ACME, thread_id="chat"))
    before = len(steps_after(meter, ledger))
    graph.invoke(START_STATE, {"configurable": {"thread_id": "chat"}})
    rows = steps_after(meter, ledger)
    assert {row["tenant"] for row in rows[:before]} == {"acme"}
    assert {row["tenant"] for row in rows[before:]} == {""}
    assert all(row["missing_tags"] for row in rows[before:])
    assert not {row["task_id"] for row in rows[:before]} & {row["task_id"] for row in rows[before:]}
    assert len(provider.invoice(kit.account).lines) == len(rows)


def steps_after(meter: Meter, ledger: Path) -> list[dict[str, Any]]:
    """The steps of the ledger once everything booked is in it."""
    assert meter.flush(10)
    return steps(ledger)
