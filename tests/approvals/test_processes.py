"""Paused in one process that is killed, decided in another, resumed in a third: nothing is paid for twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from approvals.asking import asks
from budgets.fanout import PRICES
from spendgraph.ledger import Ledger

TESTS = Path(__file__).parents[1]
POLICY = f"""{PRICES}
budgets:
  - {{name: cap, owner: growth, per: tenant, limit_usd: '0.0075', approvers: [lead],
     thresholds: [{{at: 100%, do: approve}}]}}
"""

Process = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def spendgraph(tmp_path: Path) -> Process:
    """The command, each time in a process of its own."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from spendgraph.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments, "--ledger", str(tmp_path / "ledger.db")],
            env={**os.environ, "PYTHONPATH": _path(), "AGENT_FOLDER": str(tmp_path), "COLUMNS": "200"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def _path() -> str:
    return os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


@pytest.fixture
def killed(tmp_path: Path) -> str:
    """The id of the question that a process asked before it was killed."""
    (tmp_path / "spendgraph.yaml").write_text(POLICY)
    waits = tmp_path / "waits"
    environment = {**os.environ, "PYTHONPATH": _path(), "AGENT_FOLDER": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-m", "approvals.agent_app"], env=environment)
    try:
        for _ in range(600):
            if waits.exists() and waits.read_text():
                break
            assert process.poll() is None, "the agent ended before it asked"
            time.sleep(0.05)
        return waits.read_text()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def paid(folder: Path) -> int:
    """How many calls were made, in all processes together."""
    return len((folder / "paid").read_text().splitlines())


@pytest.mark.timeout(120)
def test_what_was_paid_before_the_pause_is_not_paid_again(
    tmp_path: Path, spendgraph: Process, killed: str
) -> None:
    """Killed, approved twice from the command line, resumed twice: three calls in all."""
    target = ("resume", "approvals.agent_app:graph", "--thread", "42")
    assert paid(tmp_path) == 1
    listed = spendgraph("approvals")
    assert killed[:8] in listed.stdout
    assert "$0.0075" in listed.stdout
    early = spendgraph(*target)
    assert (early.returncode, "waits" in early.stdout) == (1, True)
    wrong = spendgraph("approvals", "approve", killed[:8], "--by", "mallory", "--why", "me too")
    assert wrong.returncode == 1
    assert "may be approved by lead, found 'mallory'" in wrong.stderr
    assert paid(tmp_path) == 1
    said = spendgraph("approvals", "approve", killed[:8], "--by", "lead", "--why", "launch day")
    assert (said.returncode, "$0.0075 granted" in said.stdout) == (0, True)
    again = spendgraph(*target)
    assert (again.returncode, paid(tmp_path)) == (1, 2)
    with Ledger.open_readonly(tmp_path / "ledger.db") as books:
        (second,) = books.approvals(pending=True)
    spendgraph("approvals", "approve", second["approval_id"], "--by", "lead", "--why", "once more")
    done = spendgraph(*target)
    assert (done.returncode, done.stdout) == (0, "The thread 42 has finished.\n")
    assert paid(tmp_path) == 3
    with Ledger.open_readonly(tmp_path / "ledger.db") as books:
        assert [step["is_replay"] for step in books.steps()] == [0, 0, 0]
        assert len({step["task_id"] for step in books.steps()}) == 1
        assert books.verify() == []


@pytest.mark.timeout(120)
def test_a_no_from_the_command_line_refuses_the_thread(
    tmp_path: Path, spendgraph: Process, killed: str
) -> None:
    """With who and why; deciding again is refused with a reason of its own."""
    said = spendgraph("approvals", "deny", killed[:8], "--by", "cfo", "--why", "not this month")
    assert (said.returncode, "denied" in said.stdout) == (0, True)
    refused = spendgraph("resume", "approvals.agent_app:graph", "--thread", "42")
    assert refused.returncode == 1
    assert "denied by cfo: not this month" in refused.stderr
    second = spendgraph("approvals", "approve", killed[:8], "--by", "lead", "--why", "yes")
    assert (second.returncode, "is denied already, by cfo" in second.stderr) == (1, True)
    assert paid(tmp_path) == 1


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no graph": (("resume", "approvals.agent_app", "--thread", "42"), "expected MODULE:GRAPH"),
    "no module": (("resume", "nowhere:graph", "--thread", "42"), "cannot be imported"),
    "no thread": (("resume", "approvals.agent_app:graph", "--thread", "7"), "has no checkpoint"),
    "no reason": (("approvals", "approve", "ab", "--by", "lead", "--why", " "), "expected --by and --why"),
    "unknown": (("approvals", "deny", "ab", "--by", "lead", "--why", "x"), "expected the id of one approval"),
    "bad amount": (
        ("approvals", "approve", "ab", "--by", "lead", "--why", "x", "--amount", "-1"),
        "expected --amount above 0",
    ),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", BAD)
def test_a_wrong_call_says_what_was_expected(tmp_path: Path, spendgraph: Process, what: str) -> None:
    """In one line, with an exit code that is not zero."""
    (tmp_path / "spendgraph.yaml").write_text(POLICY)
    Ledger.open(tmp_path / "ledger.db").close()
    arguments, expected = BAD[what]
    said = spendgraph(*arguments)
    assert said.returncode in {1, 2}
    assert expected in " ".join(said.stderr.split())
    assert "Traceback" not in said.stderr


def test_a_policy_cannot_ask_about_single_calls() -> None:
    """`asks` is what the other tests rely on."""
    (budget,) = asks(2).budgets
    settings: Any = budget.thresholds[0]
    assert (budget.asks, settings.at, settings.do) == (True, 1, ("approve",))
