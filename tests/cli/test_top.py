"""`spendgraph top`: spend by any tag, exact, with what nobody claims in plain sight."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import START, step
from cli.kit import Cli
from spendgraph.ledger import Ledger, StepRow


def test_top_sums_by_tags_to_the_nano_dollar(cli: Cli, books: Path) -> None:
    """Rows and total are integers; the dearest comes first."""
    said = cli("top", "--json", "--by", "feature,tenant", "--ledger", books).json
    assert [(row["feature"], row["tenant"], row["cost_nanousd"]) for row in said["rows"]] == [
        ("triage", "acme", 27_486_250),
        ("", "", 1_000_000),
    ]
    assert said["total"]["cost_nanousd"] == 28_486_250
    assert said["total"]["unattributed_nanousd"] == 1_000_000


def test_top_shows_what_should_be_looked_at(cli: Cli, books: Path) -> None:
    """The unattributed and estimated shares and unpriced steps stand under every table."""
    said = cli("top", "--once", "--ledger", books)
    assert said.code == 0
    assert "$0.02748625" in said.out
    assert "96.5 %" in said.out
    assert "unattributed 3.5 %; estimated 3.5 %; 1 step WITHOUT A PRICE, counted as 0" in said.out


def test_top_filters(cli: Cli, books: Path) -> None:
    """--where keeps steps with the value; several values of one name mean any of them."""
    said = cli(
        "top", "--json", "--by", "name", "-w", "kind=tool", "-w", "tenant=acme", "--ledger", books
    ).json
    assert [(row["name"], row["cost_nanousd"]) for row in said["rows"]] == [("web_search", 5_000_000)]


def test_top_looks_back_a_duration_only(cli: Cli, books: Path) -> None:
    """These books are of 2026: a minute ago nothing was spent, and nothing is a total of 0."""
    said = cli("top", "--json", "--since", "1m", "--ledger", books).json
    assert said["rows"] == []
    assert said["total"]["cost_nanousd"] == 0


def test_top_hides_rows_by_count_and_says_so(cli: Cli, books: Path) -> None:
    """The total is of everything, also of what the limit hides."""
    said = cli("top", "--once", "--by", "name", "--limit", "1", "--ledger", books)
    assert "3 more rows: --limit shows them" in said.out
    assert "$0.02848625" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "colour"], "the ledger has no column 'colour'"),
        (["--since", "yesterday"], "expected a duration such as 15m, 24h or 7d, found 'yesterday'"),
        (["--where", "tenant"], "expected --where NAME=VALUE"),
        (["--where", "since=1"], "expected --where NAME=VALUE"),
    ],
    ids=["by", "since", "where", "reserved"],
)
def test_a_question_that_cannot_be_asked_ends_with_2(
    cli: Cli, books: Path, arguments: list[str], message: str
) -> None:
    """The message says what was expected."""
    said = cli("top", "--once", "--ledger", books, *arguments)
    assert said.code == 2
    assert message in said.err


@pytest.mark.parametrize("command", [["top", "--once", "--by", "name,model"], ["task", "task-acme"]])
def test_what_stands_in_a_ledger_steers_no_terminal(cli: Cli, books: Path, command: list[str]) -> None:
    """Markup is shown as it was written, control characters as visible escapes."""
    with Ledger.open(books) as ledger:
        more = step("hostile", START, cost_nanousd=9_000_000)
        ledger.post(StepRow(**more, name="[bold]x[/bold]\x1b[31m\x07", model="m\x1b]0;title\x07"))
    said = cli(*command, "--ledger", books)
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "\x07" not in said.out
    assert r"[bold]x[/bold]\x1b[31m\x07" in said.out
    assert r"m\x1b]0;title\x07" in said.out


def test_top_is_live_in_a_terminal(books: Path) -> None:
    """In a terminal it draws, keeps running, and ends with the conventional code on Ctrl-C."""
    parent, child = pty.openpty()
    # A test run in the background of a shell inherits that Ctrl-C is ignored.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [
        sys.executable,
        "-c",
        f"import sys; {hears}; from spendgraph.cli import main; sys.exit(main())",
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [*command, "top", "--ledger", str(books)], stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    seen, deadline = b"", time.monotonic() + 30
    while b"$0.02848625" not in seen and time.monotonic() < deadline:
        seen += os.read(parent, 65_536)
    assert b"$0.02848625" in seen
    assert process.poll() is None
    os.write(parent, b"\x03")
    process.send_signal(2)
    assert process.wait(timeout=20) == 130
    os.close(parent)
