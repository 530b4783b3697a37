"""The frame: which commands there are, how errors are told, what is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.kit import Cli
from spendgraph.cli.app import OWN_COMMANDS

COMMANDS = (
    *OWN_COMMANDS,
    "anomalies",
    "demo",
    "export",
    "forecast",
    "import",
    "incidents",
    "nightly",
    "reconcile",
    "report",
    "watch",
)


def test_help_lists_own_and_registered_commands(cli: Cli) -> None:
    """The demo registers itself through the entry-point group and stands beside the others."""
    said = cli("--help")
    listed = [line.split()[0] for line in said.out.partition("Commands:")[2].splitlines() if line.strip()]
    assert said.code == 0
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", [*(name for name in COMMANDS if name != "report"), "report showback"])
def test_every_command_has_help_and_json(cli: Cli, command: str) -> None:
    """A person reads help, a machine reads JSON, whatever the command."""
    said = cli(*command.split(), "--help")
    assert said.code == 0
    assert "--json" in said.out


def test_help_loads_nothing_heavy() -> None:
    """`spendgraph --help` answers at once: no rich, no LangChain, no ledger."""
    code = (
        "import sys\nfrom spendgraph.cli import main\nmain(['--help'])\n"
        "print(*[n for n in ('rich', 'pydantic', 'langchain_core', 'langgraph', 'sqlite_utils', 'genai_prices')"
        " if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == ""


def test_version_is_the_distributions(cli: Cli) -> None:
    """`--version` prints the installed version."""
    assert cli("--version").out == "spendgraph 0.1.0\n"


def test_a_wrong_call_ends_with_2(cli: Cli) -> None:
    """An unknown command is a usage error."""
    assert cli("nope").code == 2


def test_an_error_is_one_line_without_a_traceback(cli: Cli) -> None:
    """A ledger that is not there is told in one sentence and exit code 1."""
    said = cli("top", "--once", "--ledger", "missing.db")
    assert said.code == 1
    assert said.err.startswith("spendgraph: there is no ledger at ")
    assert len(said.err.splitlines()) == 1


WHO = ("--by", "ann", "--why", "because")
DECISIONS = {
    "resume": ("resume", "agent:graph", "--thread", "42"),
    "raise": ("budgets", "raise", "tenants", "--amount", "5", *WHO),
    "approve": ("approvals", "approve", "3eb573a6", *WHO),
    "deny": ("approvals", "deny", "3eb573a6", *WHO),
    "trip": ("breakers", "trip", "all", "--unchecked", *WHO),
    "reset": ("breakers", "reset", "all", *WHO),
}


@pytest.mark.parametrize("command", DECISIONS)
def test_a_decision_makes_no_ledger(cli: Cli, tmp_path: Path, command: str) -> None:
    """Where the path is wrong, nothing is decided and no file is left behind; nor where the file is empty."""
    for text in (None, ""):
        if text is not None:
            (tmp_path / "wrong.db").write_text(text)
        said = cli(*DECISIONS[command], "--ledger", "wrong.db")
        assert (said.code, said.out) == (1, "")
        assert said.err == (
            f"spendgraph: there is no ledger at {tmp_path / 'wrong.db'}; run an agent with a Meter on it, or give"
            " --ledger\n"
        )
        assert [path.name for path in tmp_path.iterdir()] == ([] if text is None else ["wrong.db"])


def test_the_ledger_can_be_named_by_the_environment(
    cli: Cli, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPENDGRAPH_LEDGER spares the option."""
    monkeypatch.setenv("SPENDGRAPH_LEDGER", str(books))
    assert cli("verify", "--json").json["ledger"] == str(books)


def test_a_broken_package_does_not_take_the_other_commands_away(
    cli: Cli, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be imported is named on stderr, and `verify` still runs."""
    info = tmp_path / "site" / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[spendgraph.commands]\nbroken = no_such_package.commands:register\n"
    )
    monkeypatch.setattr(sys, "path", [str(info.parent), *sys.path])
    said = cli("verify", "--json", "--ledger", books)
    assert said.code == 0
    assert "the commands of 'no_such_package.commands:register' are missing: No module named" in said.err
