"""The page about reorganisations is true: what it books is written into a ledger, and its program prints what it says."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ledger.rows import context_row, step, task
from spendgraph.clock import to_us
from spendgraph.ledger import Ledger
from spendgraph.money import nanousd

PAGE = (Path(__file__).parents[2] / "docs" / "organisation.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The page's block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def book(path: Path) -> list[int]:
    """Write the steps of the page's table into a ledger, by a time of Berlin each; returns what they cost."""
    lines = re.findall(r"^\| (2026-.*) \|$", PAGE, flags=re.MULTILINE)
    costs: list[int] = []
    with Ledger.open(path) as ledger:
        for number, line in enumerate(lines):
            started, feature, team, cost_center, dollars = line.split(" | ")
            payer = context_row(feature=feature, team=team, cost_center=cost_center)
            moment = to_us(datetime.fromisoformat(started).replace(tzinfo=ZoneInfo("Europe/Berlin")))
            costs.append(nanousd(dollars))
            ledger.post(
                payer,
                task(f"task-{number}", context_id=payer.context_id, started_us=moment),
                step(
                    f"step-{number}",
                    task_id=f"task-{number}",
                    context_id=payer.context_id,
                    started_us=moment,
                    ended_us=moment + 1,
                    cost_nanousd=costs[-1],
                ),
            )
    return costs


def test_a_statement_by_team_before_and_after_a_reorganisation_in_one_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's ledger, policy and program; what it prints adds up to what was booked, and the books are as they were."""
    monkeypatch.chdir(tmp_path)
    costs = book(tmp_path / "spendgraph.db")
    (tmp_path / "spendgraph.yaml").write_text(block("yaml"), encoding="utf-8")
    exec(compile(block("python"), "docs/organisation.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed == block("text")
    *lines, total = [Decimal(found) for found in re.findall(r"\d+\.\d{3}\b", printed)]
    assert (len(costs), len(lines)) == (7, 6)
    assert nanousd(sum(lines, Decimal(0))) == nanousd(total) == sum(costs) == 580_010_000_000
    with Ledger.open_readonly("spendgraph.db") as ledger:
        booked = {row["team"]: row["cost_nanousd"] for row in ledger.spend(["team"])}
    assert booked == {
        "growth": 230_000_000_000,
        "support": 200_000_000_000,
        "data": 100_010_000_000,
        "sales": 50_000_000_000,
    }
