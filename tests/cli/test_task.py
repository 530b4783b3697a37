"""`spendgraph task`: one task as a tree."""

from __future__ import annotations

from pathlib import Path

from cli.kit import Cli

TAGS = "feature=triage team=support tenant=acme"


def test_task_shows_nodes_and_steps_inside_steps(cli: Cli, books: Path) -> None:
    """The tool's model call hangs under the tool, the tool under its node, and every line has its cost."""
    said = cli("task", "task-acme", "--ledger", books)
    assert said.out.splitlines() == [
        f"$0.02748625  task-acme  3 steps, 17,903 in, 7 out; finished; 2026-09-21 14:13:20Z; {TAGS}",
        "├── $0.02248625  plan  ",
        "│   └── $0.02248625  ChatOpenAI gpt-4o  model, 17,903 in, 0 out",
        "└── $0.00500000  tools  ",
        "    └── $0.00500000  web_search  tool",
        "        └── $0.00000000  ChatAcme acme-1  model, 0 in, 7 out, unpriced",
    ]


def test_the_beginning_of_an_id_is_enough(cli: Cli, books: Path) -> None:
    """An id is long; a beginning that only one task has means that task."""
    said = cli("task", "task-a", "--json", "--ledger", books).json
    assert (said["label"], said["cost_nanousd"], said["steps"]) == ("task-acme", 27_486_250, 3)


def test_latest_is_the_task_that_started_last(cli: Cli, books: Path) -> None:
    """No id has to be copied to look at what just happened."""
    assert cli("task", "latest", "--json", "--ledger", books).json["label"] == "task-nobody"


def test_a_step_nobody_claims_says_so(cli: Cli, books: Path) -> None:
    """Unattributed and estimated are words on the line."""
    said = cli("task", "latest", "--ledger", books)
    assert "$0.001  model  model, estimated, unattributed" in said.out
    assert "no tags" in said.out


def test_an_ambiguous_beginning_names_the_tasks(cli: Cli, books: Path) -> None:
    """It does not guess."""
    said = cli("task", "task-", "--ledger", books)
    assert said.code == 1
    assert said.err == "spendgraph: 'task-' begins the ids of several tasks: task-nobody, task-acme\n"


def test_an_unknown_task_is_told(cli: Cli, books: Path) -> None:
    """Exit code 1 and one line."""
    said = cli("task", "zzz", "--ledger", books)
    assert said.code == 1
    assert "has no task 'zzz'" in said.err
