"""The commands of economics: each shows its report, and says what is wrong with an option."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, write
from spendgraph.cli import main

COMMANDS = {
    "completion": "How tasks ended, by team, 2026-09 (UTC)",
    "decisions": "What was decided, 2026-09 (UTC)",
    "margin": "Margin by plan, 2026-09 (UTC)",
    "outcomes": "Cost per successful outcome by team, 2026-09 (UTC)",
    "outliers": "Outliers, 2026-09 (UTC)",
    "tenants": "Spending per user, 2026-09 (UTC)",
    "unit-economics": "Cost per whole-task by team, 2026-09 (UTC)",
}
OPTIONS = {
    "completion": ["--by", "team"],
    "decisions": [],
    "margin": ["--by", "plan", "--thin", "0.3"],
    "outcomes": ["--by", "team"],
    "outliers": ["--per", "task", "--per", "user", "--limit", "3", "--each", "2", "--times", "2"],
    "tenants": ["--per", "user", "--limit", "5"],
    "unit-economics": ["--by", "team", "--per", "whole-task"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a ledger of one step of September."""
    monkeypatch.chdir(tmp_path)
    for name in ("LEDGER", "POLICY", "TIMEZONE"):
        monkeypatch.delenv(f"SPENDGRAPH_{name}", raising=False)
    write(tmp_path / "spendgraph.db", [step("a", context_id=CONTEXTS[0].context_id, started_us=DAY)])
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_its_report(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Title first; as JSON the same."""
    assert main(["report", name, "--month", "2026-09", *OPTIONS[name]]) == 0
    assert capsys.readouterr().out.splitlines()[0] == COMMANDS[name]
    assert main(["report", name, "--month", "2026-09", *OPTIONS[name], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == name


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["completion", "--by", "model"], "a task has no tag 'model'"),
        (
            ["outliers", "--per", "tesk"],
            "expected some of task, tenant, user, version, template_version, found tesk",
        ),
        (["margin", "--thin", "30"], "expected a share from 0 to 1"),
        (["tenants", "--limit", "-1"], "expected a number above 0"),
    ],
)
def test_a_wrong_option_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2, and nothing on stdout."""
    assert main(["report", *arguments, "--month", "2026-09"]) == 2
    said = capsys.readouterr()
    assert (said.out, message in said.err.replace("\n", " ")) == ("", True)
