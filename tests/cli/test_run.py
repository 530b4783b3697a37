"""`spendgraph run`: a program nobody edited, booked, and otherwise exactly as Python runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from budgets.fanout import PRICES as REQUEST_PRICES
from cli.kit import Cli
from spendgraph.ledger import Ledger

MODEL = "from langchain_core.language_models import FakeListChatModel\nmodel = FakeListChatModel(responses=['yes'])\n"


def script(folder: Path, text: str, name: str = "agent.py") -> Path:
    """A program on disk."""
    path = folder / name
    path.write_text(text)
    return path


def test_a_script_is_booked_under_the_tags(cli: Cli, tmp_path: Path) -> None:
    """Main thread and raw thread: two calls, two steps, one task, the tags of the command line."""
    script(
        tmp_path,
        MODEL + "import threading\nmodel.invoke('one')\n"
        "thread = threading.Thread(target=model.invoke, args=('two',))\nthread.start()\nthread.join()\n",
    )
    said = cli("run", "--tag", "feature=inbox", "--tag", "tenant=acme", "--ledger", "mine.db", "agent.py")
    assert said.code == 0
    with Ledger.open_readonly("mine.db") as ledger:
        rows = ledger.spend(["feature", "tenant"])
    assert [(row["feature"], row["tenant"], row["steps"], row["tasks"]) for row in rows] == [
        ("inbox", "acme", 2, 1)
    ]


def test_a_tag_of_your_own_is_written_with_an_x(cli: Cli, tmp_path: Path) -> None:
    """As in the policy."""
    script(tmp_path, MODEL + "model.invoke('one')\n")
    assert cli("run", "--tag", "x_region=eu", "--tag", "tenant=acme", "agent.py").code == 0
    with Ledger.open_readonly("spendgraph.db") as ledger:
        (row,) = ledger.spend(["extra.region", "tenant"])
    assert (row["extra.region"], row["tenant"]) == ("eu", "acme")


def test_a_thread_that_outlives_the_script_is_waited_for(cli: Cli, tmp_path: Path) -> None:
    """Python joins such a thread at its end, and so does `run`: its call is in the books."""
    script(
        tmp_path,
        MODEL + "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), model.invoke('late'))).start()\n",
    )
    said = cli("run", "--json", "agent.py")
    assert json.loads(said.err)["steps"] == 1


def test_the_exit_code_is_passed_on(cli: Cli, tmp_path: Path) -> None:
    """Scripts around the script see no difference; options after the script are the script's."""
    script(tmp_path, "import sys\nprint(sys.argv, __name__)\nsys.exit(7)\n")
    said = cli("run", "agent.py", "--json", "-x", "y")
    assert said.code == 7
    assert said.out == "['agent.py', '--json', '-x', 'y'] __main__\n"


def test_text_given_to_exit_goes_to_stderr(cli: Cli, tmp_path: Path) -> None:
    """`sys.exit("why")` prints and means 1."""
    script(tmp_path, "import sys\nsys.exit('no luck')\n")
    said = cli("run", "agent.py")
    assert said.code == 1
    assert said.err.splitlines()[0] == "no luck"


def test_an_exception_is_reported_from_the_scripts_first_frame(cli: Cli, tmp_path: Path) -> None:
    """The traceback is Python's own, without the frames of whoever ran it."""
    path = script(tmp_path, "def fail():\n    raise ValueError('broken')\n\nfail()\n")
    said = cli("run", "agent.py")
    assert said.code == 1
    lines = said.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith('  File "agent.py", line 4') or lines[1].startswith(f'  File "{path}", line 4')
    assert "ValueError: broken" in lines
    assert "spendgraph/cli" not in said.err
    assert "runpy" not in said.err


def test_a_script_imports_its_neighbours_and_leaves_no_trace(cli: Cli, tmp_path: Path) -> None:
    """The script's folder is first on the path while it runs, and the process is as before afterwards."""
    folder = tmp_path / "app"
    folder.mkdir()
    script(folder, "ANSWER = 42\n", "neighbour_of_the_agent.py")
    script(folder, "import neighbour_of_the_agent\nprint(neighbour_of_the_agent.ANSWER)\n")
    path, arguments = sys.path[:], sys.argv
    assert cli("run", "app/agent.py").out == "42\n"
    assert (sys.path, sys.argv) == (path, arguments)


def test_a_module_is_run_as_python_does(cli: Cli, tmp_path: Path) -> None:
    """-m imports from the working directory."""
    script(tmp_path, "import sys\nprint(sys.argv[1:], __name__)\n", "module_of_the_agent.py")
    said = cli("run", "-m", "module_of_the_agent", "--flag")
    assert said.code == 0
    assert said.out == "['--flag'] __main__\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "there is no script 'nowhere.py' here"),
        (["-m", "no_such_module"], "there is no module 'no_such_module'"),
        (["--tag", "tenant", "agent.py"], "expected --tag NAME=VALUE, found 'tenant'"),
        (["--tag", "tennant=acme", "agent.py"], "did you mean 'tenant'?"),
        (["--tag", "tenant=", "agent.py"], "expected a value for the tag 'tenant', found none"),
        (["-t", "tenant=a", "-t", "tenant=b", "agent.py"], "expected the tag 'tenant' once"),
        (["-t", "x_region=a", "-t", "x_region=b", "agent.py"], "expected the tag 'x_region' once"),
    ],
    ids=["script", "module", "no pair", "unknown tag", "no value", "twice", "extra twice"],
)
def test_a_wrong_call_runs_nothing(cli: Cli, tmp_path: Path, arguments: list[str], message: str) -> None:
    """Exit code 2, before a line of the script was run or a ledger was made."""
    script(tmp_path, "print('ran')\n")
    said = cli("run", *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.out == ""
    assert not (tmp_path / "spendgraph.db").exists()


def test_a_policy_here_is_used(cli: Cli, tmp_path: Path) -> None:
    """`spendgraph.yaml` in the working directory requires a team: the model is not called, the script sees why."""
    (tmp_path / "spendgraph.yaml").write_text("attribution: {required: [team], on_missing: block}\n")
    script(tmp_path, MODEL + "print(model.invoke('one').content)\n")
    said = cli("run", "--tag", "feature=inbox", "agent.py")
    assert said.code == 1
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith("spendgraph: ContextMissing: model step")
    assert lines[1].startswith("spendgraph: 1 call refused, nothing spent; task ")
    assert len(lines) == 2


def test_the_summary_says_what_has_no_owner_and_no_price(cli: Cli, tmp_path: Path) -> None:
    """One line on stderr; the program's output is its own."""
    script(tmp_path, MODEL + "model.invoke('one')\n")
    said = cli("run", "agent.py")
    assert said.out == ""
    assert said.err.startswith("spendgraph: $0.00 in 1 step, task ")
    assert "1 step unattributed (--tag gives them an owner); 1 step WITHOUT A PRICE, counted as 0" in said.err


def test_run_takes_a_budget(cli: Cli, tmp_path: Path) -> None:
    """The program is stopped by the refusal; what it spent is booked."""
    (tmp_path / "spendgraph.yaml").write_text(REQUEST_PRICES)
    (tmp_path / "agent.py").write_text(
        "from scripted import ScriptedModel\nmodel = ScriptedModel()\n"
        "while True:\n    model.invoke('hi')\n    print('answered')\n"
    )
    said = cli("run", "--budget", "0.02", "--tag", "tenant=acme", "agent.py")
    assert said.code == 1
    assert said.out.splitlines() == ["answered", "answered"]
    refused, summary = said.err.splitlines()
    assert refused == (
        "spendgraph: BudgetExceeded: The model call was not sent: --budget allows $0.02; $0.015 is spent, $0.00 is held"
        " by calls under way, and this call asks for $0.0075. Give a higher --budget."
    )
    assert summary.startswith("spendgraph: $0.015 in 2 steps, task ")
    assert summary.endswith("; 1 call refused")
    assert cli("run", "--budget", "much", "agent.py").code == 2
