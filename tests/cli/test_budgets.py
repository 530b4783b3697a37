"""`spendgraph budgets`: where every window stands."""

from __future__ import annotations

from pathlib import Path

from cli.kit import Cli
from scripted import PRICES, STEP_NANOUSD, ScriptedModel
from spendgraph import CostContext, Meter
from spendgraph.cli.budgets import status
from spendgraph.policy import parse_policy

POLICY = """
budgets:
  - {name: tenants, owner: growth, signed_off: {by: cfo, on: 2026-10-01}, per: tenant, period: month, limit_usd: 1}
  - {name: "=cmd", limit_calls: 10}
"""


def test_a_table_of_what_is_spent_and_left(cli: Cli, tmp_path: Path) -> None:
    """Every open window is a row; what nobody signed off says so."""
    with Meter(tmp_path / "b.db", policy=parse_policy(PRICES + POLICY)) as meter:
        ScriptedModel().invoke("hi", meter.config(CostContext(tenant="acme")))
    said = cli("budgets", "--ledger", "b.db")
    assert said.code == 0
    lines = [line for line in said.out.splitlines() if "acme" in line or "=cmd" in line]
    assert "$1.00" in lines[1]
    assert "$0.00002" in lines[1]
    assert "not signed off" not in lines[1]
    assert "10 calls  1 calls  0 calls  9 calls" in " ".join(lines[0].split()).replace(" calls ", " calls  ")
    assert "nobody (not signed off)" in lines[0]
    rows = cli("budgets", "--json", "--ledger", "b.db").json
    assert [(row["budget"], row["scope"]) for row in rows] == [("=cmd", ""), ("tenants", "tenant=acme")]
    assert rows[1]["spent_nanousd"] == STEP_NANOUSD
    assert rows[1]["left_nanousd"] == 10**9 - STEP_NANOUSD


def test_a_ledger_without_budgets_says_so(cli: Cli, books: Path) -> None:
    """It is no error."""
    said = cli("budgets", "--ledger", books)
    assert (said.code, "No budget has been used" in said.out) == (0, True)


def test_half_of_the_limit_in_a_quarter_of_the_window_is_twice_the_pace() -> None:
    """And is exhausted in the middle of it."""
    row = {
        "budget": "b", "scope": "", "owner": "", "signed_off_by": "", "period": "day", "unit": "nanousd",
        "limit_amount": 100, "spent_nanousd": 50, "held_nanousd": 10, "start_us": 10**15, "end_us": 10**15 + 4 * 10**9,
    }  # fmt: skip
    found = status(row, 10**15 + 10**9)
    assert (found["pace"], found["left_nanousd"]) == (2.0, 40)
    assert found["exhausted"] == "2001-09-09T02:20+00:00"
