"""Tables on a narrow terminal: nothing that somebody acts on is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.kit import Cli
from scripted import PRICES, ScriptedModel
from spendgraph import ApprovalRequired, BreakerOpen, CostContext, Meter
from spendgraph.cli.tables import Column, show
from spendgraph.ledger import Ledger
from spendgraph.policy import parse_policy

TENANT = "acme-with-a-name-that-is-rather-long"
POLICY = """
budgets:
  - name: the ceiling of every tenant, as agreed with finance
    owner: growth-and-customer-success
    per: tenant
    period: month
    limit_usd: "0.00002"
    thresholds: [{at: 100%, do: approve}]
breakers:
  - {name: velocity of every tenant in production, owner: growth, per: [tenant], usd_per_minute: 5, open_for: 1h}
"""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A budget that is full, a question that waits, and a breaker that a person has tripped."""
    path, scope = tmp_path / "b.db", f"tenant={TENANT}"
    with Meter(path, policy=parse_policy(PRICES + POLICY)) as meter:
        config = meter.config(CostContext(tenant=TENANT, feature="triage-of-incoming-mail"))
        model = ScriptedModel().bind(max_tokens=1)
        model.invoke("hi", config)
        with pytest.raises(ApprovalRequired):
            model.invoke("hi", config)
        meter.ledger.switchboard.trip(
            "velocity of every tenant in production",
            scope,
            by="ann@example.com",
            why="it calls the same tool over and over again",
            open_for_us=3_600_000_000,
        )
        with pytest.raises(BreakerOpen):
            model.invoke("hi", config)
    return path


@pytest.mark.parametrize("width", [200, 120, 80, 60])
def test_ids_scopes_amounts_and_times_stand_whole(
    cli: Cli, books: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """And no line is longer than the terminal is wide."""
    monkeypatch.setenv("COLUMNS", str(width))
    with Ledger.open_readonly(books) as reader:
        (question,) = reader.approvals()
    shown = {
        command: cli(*command.split(), "--ledger", books).out
        for command in ("budgets", "approvals", "breakers", "budgets drift")
    }
    for command, text in shown.items():
        assert max(len(line) for line in text.splitlines()) <= width, command
        assert "\u2026" not in text
    for command in ("budgets", "approvals", "breakers"):
        assert f"tenant={TENANT}" in shown[command]
        assert " UTC" in shown[command]
    assert question["approval_id"][:8] in shown["approvals"]
    assert shown["approvals"].count("$0.00002") >= 2
    assert "$0.00002" in shown["budgets drift"]


def test_names_and_reasons_are_folded_before_rows_become_blocks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The narrowest table has folded columns of twelve characters."""
    columns = [Column("id"), Column("amount", is_number=True), Column("why", may_fold=True)]
    rows = [["3eb573a6", "$1.00", "because of the launch"], ["11111111", "$20.00", ""]]

    def printed(width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        show(columns, rows)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    assert printed(30) == [
        "id        amount  why",
        "3eb573a6   $1.00  because of",
        "                  the launch",
        "11111111  $20.00",
    ]
    assert printed(29) == ["3eb573a6  $1.00", "  why because of the launch", "", "11111111  $20.00"]
