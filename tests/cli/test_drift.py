"""`spendgraph budgets drift`: what was expected beside what was paid."""

from __future__ import annotations

from pathlib import Path

from cli.kit import Cli
from scripted import PRICES, STEP_NANOUSD, ScriptedModel
from spendgraph import CostContext, Meter
from spendgraph.policy import parse_policy


def test_a_table_and_json_of_how_far_estimates_are_off(cli: Cli, tmp_path: Path) -> None:
    """Per feature and model."""
    policy = parse_policy(
        PRICES + "estimates: {default_output_tokens: 10}\nbudgets: [{name: cap, limit_usd: 1}]"
    )
    with Meter(tmp_path / "b.db", policy=policy) as meter:
        for _ in range(3):
            ScriptedModel().invoke("hi", meter.config(CostContext(feature="triage")))
    said = cli("budgets", "drift", "--ledger", "b.db")
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if "triage" in line)
    assert row.split()[1:] == ["scripted", "3", "$0.000075", "$0.000060", "0.80", "20%", "20%", "0.0%"]
    (found,) = cli("budgets", "drift", "--json", "--since", "1h", "--ledger", "b.db").json
    assert (found["calls"], found["cost_nanousd"], found["ratio"]) == (3, 3 * STEP_NANOUSD, 0.8)


def test_a_ledger_without_estimates_says_so(cli: Cli, books: Path) -> None:
    """It is no error."""
    said = cli("budgets", "drift", "--ledger", books)
    assert (said.code, "no budget was about one" in said.out) == (0, True)
    assert cli("budgets", "drift", "--json", "--ledger", books).json == []


def test_a_duration_that_is_none_is_a_misuse(cli: Cli, books: Path) -> None:
    """Exit code 2, and what was expected."""
    said = cli("budgets", "drift", "--since", "yesterday", "--ledger", books)
    assert (said.code, "7d" in said.err) == (2, True)
