"""Times in what commands print as JSON: ISO 8601 in UTC with a Z; integers only under names that end in `_us`, beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.kit import Cli
from scripted import PRICES, ScriptedModel
from spendgraph import ApprovalRequired, CostContext, Meter
from spendgraph.cli.output import with_iso
from spendgraph.clock import iso
from spendgraph.ledger import Ledger
from spendgraph.policy import parse_policy

POLICY = """
budgets:
  - {name: ceiling, owner: growth, per: tenant, period: month, limit_usd: "0.00002", thresholds: [{at: 100%, do: approve}]}
  - {name: rolling, period: rolling 24h, limit_usd: 1}
breakers: [{name: velocity, per: [tenant], usd_per_minute: 5}]
"""

COMMANDS = {
    "top": ("top", "--once", "--by", "started_us,tenant"),
    "top by hour": ("top", "--once", "--by", "hour"),
    "task": ("task", "latest"),
    "budgets": ("budgets",),
    "budgets --all": ("budgets", "--all"),
    "budgets raise": ("budgets", "raise", "rolling", "--amount", "1", "--by", "lead", "--why", "launch"),
    "budgets drift": ("budgets", "drift"),
    "approvals": ("approvals",),
    "breakers": ("breakers",),
    "breakers trip": (
        "breakers",
        "trip",
        "velocity",
        "--scope",
        "tenant=x",
        "--by",
        "a",
        "--why",
        "b",
        "--unchecked",
    ),
    "breakers reset": ("breakers", "reset", "velocity", "--scope", "tenant=acme", "--by", "a", "--why", "b"),
    "rollup": ("rollup",),
    "rollup --status": ("rollup", "--status"),
    "prune": ("prune", "--before", "400d"),
    "verify": ("verify",),
    "doctor": ("doctor",),
    "export": ("export", "json", "--output", "steps.json"),
    "report": ("report", "showback"),
    "report monthly": ("report", "monthly"),
    "nightly": ("nightly", "--output", "papers"),
    "import": ("import",),
}
"""Every command that may say a time."""


def times(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Where a document says a time, in what form, and how."""
    if isinstance(value, dict):
        found: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - of whatever
        for name, each in found.items():
            where = f"{path}.{name}"
            if name.endswith("_us"):
                text = found.get(f"{name[:-3]}_at", found.get(name[:-3], "missing"))
                yield where, "both", (each, text)
            elif isinstance(each, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d", each):
                yield where, "text", each
            elif isinstance(each, int) and each > 10**14 and not name.endswith("_nanousd"):
                yield where, "number", each
            else:
                yield from times(each, where)
    elif isinstance(value, list):
        every: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - as above
        for position, each in enumerate(every):
            yield from times(each, f"{path}[{position}]")


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger in which everything has happened that has a time."""
    path = tmp_path / "b.db"
    with Meter(path, policy=parse_policy(PRICES + POLICY)) as meter:
        config = meter.config(CostContext(tenant="acme", feature="triage"))
        bound = ScriptedModel().bind(max_tokens=1)
        bound.invoke("hi", config)
        with pytest.raises(ApprovalRequired) as refused:
            bound.invoke("hi", config)
        refused.value.handled()
        meter.flush()
        board = meter.ledger.switchboard
        board.trip("velocity", "tenant=acme", by="ann", why="a leaked key", open_for_us=10**9)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_time_is_iso_text_in_utc(cli: Cli, books: Path, command: str) -> None:
    """And under a name that ends in `_us` the same in microseconds."""
    said = cli(*COMMANDS[command], "--json", "--ledger", books)
    assert said.code in {0, 1}
    for where, form, found in times(said.json):
        if form == "both":
            microseconds, text = found
            assert isinstance(microseconds, int | None), where
            assert text == (None if microseconds is None else iso(microseconds)), where
        else:
            assert form == "text", (where, found)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{6})?)?Z", found), (where, found)


def test_the_documents_say_times_at_all(cli: Cli, books: Path) -> None:
    """Else the test above would prove nothing."""
    found = {
        command: [*times(cli(*COMMANDS[command], "--json", "--ledger", books).json)]
        for command in ("top", "task", "budgets", "approvals", "breakers", "rollup", "prune")
    }
    assert all(found.values())


def test_a_decision_says_its_times_like_a_list(cli: Cli, books: Path) -> None:
    """The row that `approve` has written."""
    with Ledger.open_readonly(books) as reader:
        (waiting,) = reader.approvals()
    said = cli(
        "approvals", "approve", waiting["approval_id"], "--by", "lead", "--why", "month end", "--json", "--ledger", books,
    )  # fmt: skip
    assert {form for _, form, _ in times(said.json)} <= {"both", "text"}


def test_the_text_stands_behind_the_number_and_takes_no_other_name() -> None:
    """`asked` is an amount: then the time is `asked_at`."""
    row = {"asked_us": 1_500_000, "asked": 3, "decided_us": None, "rows": [{"started_us": 0}]}
    assert [*with_iso(row).items()] == [
        ("asked_us", 1_500_000),
        ("asked_at", "1970-01-01T00:00:01.500000Z"),
        ("asked", 3),
        ("decided_us", None),
        ("decided", None),
        ("rows", [{"started_us": 0, "started": "1970-01-01T00:00:00Z"}]),
    ]
    assert with_iso({"took_us": 5}) == {"took_us": 5}  # how long is no time
