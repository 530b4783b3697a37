"""`spendgraph approvals`: what waits for a person, and deciding."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from approvals.asking import asks, branching
from budgets.fanout import ACME, CALL_NANOUSD
from cli.kit import Cli
from scripted import ScriptedModel
from spendgraph import Meter
from spendgraph.ledger import Ledger


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A ledger in which one question waits."""
    path = tmp_path / "inbox.db"
    with Meter(path, policy=asks(0)) as meter:
        graph = branching(ScriptedModel(), 1, InMemorySaver())
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="42"))
    return path


def only(path: Path) -> dict[str, object]:
    """The one approval."""
    with Ledger.open_readonly(path) as books:
        (row,) = books.approvals()
    return row


def test_what_waits_is_a_row(cli: Cli, inbox: Path) -> None:
    """With what it would take, whose it is and until when."""
    said = cli("approvals", "--ledger", inbox)
    (line,) = [line for line in said.out.splitlines() if "tenant=acme" in line]
    assert " ".join(line.split()).startswith(
        f"{str(only(inbox)['approval_id'])[:8]} tenant=acme approve pending cap triage"
    )
    assert "$0.0075" in line
    (row,) = cli("approvals", "--json", "--ledger", inbox).json
    assert (row["asked"], row["thread_id"], row["state"]) == (CALL_NANOUSD, "42", "pending")


def test_an_empty_inbox_says_so(cli: Cli, books: Path) -> None:
    """It is no error."""
    said = cli("approvals", "--ledger", books)
    assert (said.code, "Nothing waits for a person" in said.out) == (0, True)


def test_an_approval_may_grant_another_amount_for_a_while(cli: Cli, inbox: Path) -> None:
    """Who, why, how much and until when are kept."""
    approval_id = str(only(inbox)["approval_id"])
    options = ("--by", "lead", "--why", "launch", "--amount", "0.02", "--for", "2h", "--ledger", inbox)
    said = cli("approvals", "approve", approval_id[:6], *options, "--json")
    assert (said.json["granted"], said.json["state"]) == (20_000_000, "approved")
    row = only(inbox)
    assert (row["decided_by"], row["decided_why"], row["granted"]) == ("lead", "launch", 20_000_000)
    assert cli("approvals", "--ledger", inbox).out.startswith("Nothing waits")
    assert "launch" in cli("approvals", "--all", "--ledger", inbox).out


def test_a_denial_is_kept_with_its_reason(cli: Cli, inbox: Path) -> None:
    """Approving afterwards is refused."""
    approval_id = only(inbox)["approval_id"]
    said = cli("approvals", "deny", approval_id, "--by", "cfo", "--why", "no", "--ledger", inbox)
    assert (said.code, "denied to task" in said.out) == (0, True)
    late = cli("approvals", "approve", approval_id, "--by", "lead", "--why", "yes", "--ledger", inbox)
    assert (late.code, "is denied already, by cfo" in late.err) == (1, True)


def test_raising_a_budget_is_a_grant_for_everybody(cli: Cli, inbox: Path) -> None:
    """It is room in the window that is open, and the limit stays what the policy says."""
    options = ("--scope", "tenant=acme", "--by", "cfo", "--why", "launch", "--ledger", inbox)
    said = cli("budgets", "raise", "cap", "--amount", "5", *options)
    assert (said.code, said.out) == (0, "cap has $5.00 more in this window, by cfo.\n")
    unknown = cli("budgets", "raise", "nobody's", "--amount", "5", *options)
    assert (unknown.code, "has no window" in unknown.err) == (1, True)


def test_the_budgets_say_what_was_granted_and_to_whom(cli: Cli, tmp_path: Path) -> None:
    """What a task was given is no room for others, and what it draws takes nothing from them."""
    inbox, saver = tmp_path / "inbox.db", InMemorySaver()
    with Meter(inbox, policy=asks(0)) as meter:
        graph = branching(ScriptedModel(), 1, saver)
        graph.invoke({"answers": []}, meter.config(ACME, thread_id="42"))
    approval_id = str(only(inbox)["approval_id"])
    cli("approvals", "approve", approval_id, "--by", "lead", "--why", "launch", "--ledger", inbox)
    options = ("--scope", "tenant=acme", "--by", "cfo", "--why", "launch", "--ledger", inbox)
    cli("budgets", "raise", "cap", "--amount", "5", *options)
    (row,) = cli("budgets", "--json", "--ledger", inbox).json
    assert (row["granted_nanousd"], row["granted_to_tasks_nanousd"]) == (5 * 10**9, CALL_NANOUSD)
    assert row["left_nanousd"] == 5 * 10**9
    assert "$5.00 (and $0.0075 to tasks)" in cli("budgets", "--ledger", inbox).out
    with Meter(inbox, policy=asks(0)) as meter:
        branching(ScriptedModel(), 1, saver).invoke(None, meter.config(ACME, thread_id="42"))
    (row,) = cli("budgets", "--json", "--ledger", inbox).json
    assert (row["spent_nanousd"], row["left_nanousd"]) == (CALL_NANOUSD, 5 * 10**9)


def test_an_expired_grant_is_room_no_more(cli: Cli, inbox: Path) -> None:
    """What was drawn of it stays."""
    options = ("--scope", "tenant=acme", "--by", "cfo", "--why", "launch", "--ledger", inbox)
    cli("budgets", "raise", "cap", "--amount", "5", *options)
    connection = sqlite3.connect(inbox)
    connection.execute("UPDATE grants SET expires_us = granted_us, used = 7")
    connection.commit()
    connection.close()
    (row,) = cli("budgets", "--json", "--ledger", inbox).json
    assert row["granted_nanousd"] == 7
