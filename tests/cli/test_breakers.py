"""`spendgraph breakers`: what is stopped, by whom and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.kit import Cli
from scripted import PRICES, ScriptedModel
from spendgraph import BreakerOpen, CostContext, Meter
from spendgraph.policy import STARTER_POLICY, parse_policy

ACME = CostContext(tenant="acme")
POLICY = """
breakers:
  - {name: velocity, owner: growth, per: tenant, usd_per_minute: 0, open_for: 1h}
  - {name: stuck loop, per: task, identical_calls: 20}
  - {name: all}
"""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A ledger in which acme has just tripped a breaker, beside its policy."""
    (tmp_path / "spendgraph.yaml").write_text(PRICES + POLICY)
    with Meter(tmp_path / "b.db", policy=tmp_path / "spendgraph.yaml") as meter, pytest.raises(BreakerOpen):
        ScriptedModel().invoke("hi", meter.config(ACME))
    return tmp_path / "b.db"


def test_a_table_of_what_is_open(cli: Cli, books: Path) -> None:
    """For whom, since when, until when and why; the same for machines."""
    said = cli("breakers", "--ledger", books)
    (line,) = [line for line in said.out.splitlines() if "velocity" in line]
    assert line.split()[:3] == ["velocity", "tenant=acme", "open"]
    assert "more than $0.00 within a minute" in line
    (row,) = cli("breakers", "--json", "--ledger", books).json
    assert (row["breaker"], row["scope"], row["state"], row["tripped_by"]) == (
        "velocity",
        "tenant=acme",
        "open",
        "",
    )
    assert row["open_until_us"] - row["tripped_us"] == 3_600_000_000


def test_a_person_stops_a_scope_and_lets_it_go_on(cli: Cli, books: Path) -> None:
    """What is kept: who, why, for how long."""
    said = cli("breakers", "trip", "all", "--by", "ann", "--why", "leaked key", "--for", "2h", "-l", books)
    assert said.code == 0
    assert "all is open for everybody until" in said.out
    row = cli("breakers", "--json", "--ledger", books).json[0]
    assert (row["breaker"], row["tripped_by"], row["reason"]) == ("all", "ann", "leaked key")
    assert row["open_until_us"] - row["tripped_us"] == 7_200_000_000
    said = cli("breakers", "reset", "all", "--by", "bob", "--why", "rotated", "--ledger", books)
    assert said.out == "all is closed for everybody, by bob.\n"
    names = [row["breaker"] for row in cli("breakers", "--json", "--ledger", books).json]
    assert names == ["velocity"]
    assert "rotated" in cli("breakers", "--all", "--ledger", books).out
    again = cli("breakers", "reset", "all", "--by", "bob", "--why", "rotated", "--ledger", books)
    assert (again.code, "is not open" in again.err) == (1, True)


def test_the_policy_says_how_long_and_who_is_told(cli: Cli, books: Path) -> None:
    """Unless the command does."""
    arguments = ("--scope", "tenant=globex", "--by", "ann", "--why", "odd", "--ledger", books, "--json")
    said = cli("breakers", "trip", "velocity", *arguments).json
    assert (said["scope"], said["state"]) == ("tenant=globex", "open")
    row = cli("breakers", "--json", "--ledger", books).json[0]
    assert row["open_until_us"] - row["tripped_us"] == 3_600_000_000


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        (
            "velocty",
            ["--scope", "tenant=acme"],
            "expected a breaker of spendgraph.yaml (velocity, stuck loop, all)",
        ),
        ("velocity", [], "expected --scope tenant=... for the breaker 'velocity', found ''"),
        ("velocity", ["--scope", "acme"], "expected --scope tenant=..."),
        ("stuck loop", ["--scope", "tenant=acme"], "expected --scope task=..."),
        ("all", ["--scope", "tenant=acme"], "expected no --scope"),
        ("all", ["--for", "soon"], "expected a duration such as 15m"),
        ("all", ["--why", " "], "expected --by and --why"),
    ],
)
def test_what_would_stop_nothing_is_refused(
    cli: Cli, books: Path, name: str, more: list[str], message: str
) -> None:
    """A name or a scope that no call has, checked with the policy here."""
    said = cli("breakers", "trip", name, "--by", "ann", "--why", "x", "--ledger", books, *more)
    assert said.code == 2
    assert message in said.err


def test_without_a_policy_nothing_is_tripped_unless_unchecked(cli: Cli, books: Path) -> None:
    """A success that stops nothing would be believed; unchecked it does as it is told, for a quarter of an hour."""
    (books.parent / "spendgraph.yaml").unlink()
    trip = ("breakers", "trip", "x", "--by", "ann", "--why", "odd", "--ledger", books)
    said = cli(*trip)
    assert (said.code, said.out, "there is no policy here" in said.err) == (2, "", True)
    assert [row["breaker"] for row in cli("breakers", "--json", "--ledger", books).json] == ["velocity"]
    assert cli(*trip, "--unchecked").code == 0
    row = cli("breakers", "--json", "--ledger", books).json[0]
    assert row["open_until_us"] - row["tripped_us"] == 900_000_000


def test_a_ledger_without_trips_says_so(cli: Cli, tmp_path: Path) -> None:
    """It is no error."""
    Meter(tmp_path / "b.db").close()
    assert cli("breakers", "--ledger", "b.db").out == "No breaker is open in b.db.\n"
    assert cli("breakers", "--all", "--ledger", "b.db").out == "No breaker has tripped in b.db.\n"


def test_names_cannot_drive_a_terminal(cli: Cli, tmp_path: Path) -> None:
    """They come from outside."""
    Meter(tmp_path / "b.db").close()
    cli(
        "breakers",
        "trip",
        "\x1b[2J",
        "--unchecked",
        "--by",
        "\x1b]0;x\x07",
        "--why",
        "\x1b[1m",
        "--ledger",
        "b.db",
    )
    assert "\x1b" not in cli("breakers", "--ledger", "b.db").out


def test_init_writes_a_breaker_that_is_on(tmp_path: Path) -> None:
    """A tenant that spends more than five dollars within a minute is stopped; others are not."""
    prices = """
prices:
  models:
    - {provider: "*", model: scripted, input_usd_per_mtok: 0, output_usd_per_mtok: 0, usd_per_request: "2"}
"""
    starter = parse_policy(STARTER_POLICY)
    (breaker,) = starter.breakers
    assert (breaker.name, breaker.per, breaker.open_for) == ("velocity", ("tenant",), "15m")
    policy = starter.model_copy(update={"prices": parse_policy(prices).prices})
    with Meter(tmp_path / "b.db", policy=policy) as meter:
        for _ in range(2):
            ScriptedModel().invoke("hi", meter.config(ACME))
        with pytest.raises(BreakerOpen):
            ScriptedModel().invoke("hi", meter.config(ACME))
        ScriptedModel().invoke("hi", meter.config(CostContext(tenant="globex")))
