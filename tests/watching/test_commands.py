"""`spendgraph watch` and `spendgraph incidents`, as a person and as cron call them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.kit import Cli, Said
from notify.receiver import Receiver
from spendgraph.cli import main
from spendgraph.clock import utc_us
from spendgraph.ledger import Ledger
from watching.kit import HOUR, MINUTE, STOPPING, World

TOLD = STOPPING + "notify: {growth: '${GROWTH}'}\n"


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Calls the command line in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("SPENDGRAPH_LEDGER", "SPENDGRAPH_POLICY", "SPENDGRAPH_TIMEZONE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str | Path) -> Said:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def looping(tmp_path: Path) -> Path:
    """Two weeks of acme, which has been looping for forty minutes now."""
    path = tmp_path / "ledger.db"
    world = World(path, now_us=utc_us() - 14 * 24 * HOUR - 40 * MINUTE)
    world.usual(14 * 24)
    world.burn(10, 40)
    world.close()
    return path


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a policy whose owner is told at an address."""

    def write(url: str) -> Path:
        monkeypatch.setenv("GROWTH", url)
        path = tmp_path / "policy.yaml"
        path.write_text(TOLD)
        return path

    return write


def test_a_look_tells_the_owner_and_opens_the_breaker_and_the_next_one_says_nothing(
    cli: Cli, looping: Path, policy: Callable[[str], Path]
) -> None:
    """One message with the dollars, the breaker and what can be done."""
    with Receiver() as receiver:
        first = cli("watch", "--once", "--ledger", looping, "--policy", policy(receiver.url))
        again = cli("watch", "--once", "--ledger", looping, "--policy", policy(receiver.url))
    assert (first.code, first.err, again.code, again.out) == (0, "", 0, "")
    (message,) = receiver.got
    assert "more than usual for tenant=acme" in message["title"]
    assert message["title"].endswith("suspended opened")
    assert "`spendgraph breakers reset suspended --scope tenant=acme` lets them go on." in message["message"]
    assert "Owner: growth." in message["message"]
    assert re.search(r"tenant acme: \$40[0-9]\.[0-9]{2} where \$[0-9]\.[0-9]{2} is usual", message["message"])
    assert "calls instead of" in message["message"]
    assert message["title"] in first.out
    said = cli("breakers", "--ledger", looping)
    assert "tenant=acme" in said.out
    assert "spendgraph watch" in said.out


def test_the_same_as_data(cli: Cli, looping: Path, policy: Callable[[str], Path]) -> None:
    """One document on one line for each look."""
    with Receiver() as receiver:
        said = cli("watch", "--once", "--json", "--ledger", looping, "--policy", policy(receiver.url))
    assert said.out.count("\n") == 1
    document = json.loads(said.out)
    (cut,) = document["cuts"]
    assert (cut["watch"], cut["scored"], cut["suspended"], cut["overtaken"]) == (
        "tenants",
        1,
        ["tenant=acme"],
        "",
    )
    assert [each["scope"] for each in cut["incidents"]] == ["tenant=acme"]
    assert document["alerts"] == {"raised": 1, "delivered": 1, "waiting": 0}
    assert document["rolled"] > 0


def test_who_cannot_be_reached_is_said_and_tried_again(
    cli: Cli, looping: Path, policy: Callable[[str], Path]
) -> None:
    """Exit code 1; the alert waits in the ledger, and is told once."""
    with Receiver(status=500) as receiver:
        said = cli("watch", "--once", "--ledger", looping, "--policy", policy(receiver.url))
        assert (said.code, receiver.got) == (1, [])
        assert "1 alert not delivered to everybody" in said.err
        receiver.status = 200
        again = cli("watch", "--once", "--ledger", looping, "--policy", policy(receiver.url))
    assert (again.code, len(receiver.got)) == (0, 1)


def test_without_a_policy_tenants_are_watched_and_nobody_is_told_or_stopped(cli: Cli, looping: Path) -> None:
    """It is printed, once, and kept."""
    said = cli("watch", "--once", "--ledger", looping)
    assert said.code == 0
    assert "more than usual for tenant=acme" in said.out
    assert cli("watch", "--once", "--ledger", looping).out == ""
    assert cli("breakers", "--ledger", looping).out.startswith("No breaker is open")


def test_what_a_person_says_by_the_beginning_of_an_id(cli: Cli, looping: Path) -> None:
    """Listed, shown, muted, and unmuted again."""
    assert cli("incidents", "--ledger", looping).out.startswith("No incident within a week")
    cli("watch", "--once", "--ledger", looping)
    (row,) = cli("incidents", "--ledger", looping, "--json").json
    named = row["incident_id"]
    listed = cli("incidents", "--ledger", looping).out
    assert named in listed
    assert "goes on" in listed
    for verdict in ("noise", "expected", "real"):
        said = cli("incidents", verdict, named[:6], "--by", "ann", "--why", "we look", "--ledger", looping)
        assert (said.code, said.out.startswith(f"{named} is {verdict}, by ann.")) == (0, True)
        muted = cli("incidents", "mutes", "--ledger", looping)
        assert (verdict in muted.out) == (verdict != "real")
    shown = cli("incidents", "show", named, "--ledger", looping, "--json").json
    assert [each["verdict"] for each in shown["verdicts"]] == ["noise", "expected", "real"]
    assert "real, by ann: we look" in cli("incidents", "show", named, "--ledger", looping).out
    assert cli("incidents", "mutes", "--ledger", looping, "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("real", "0"), "expected the id of an incident, or enough of its beginning, found '0'"),
        (("noise", "x", "--for", "soon"), "expected a duration such as 15m, 24h or 7d, found 'soon'"),
        (("expected", "x", "--until", "2020-01-01"), "expected a day to come in --until, found '2020-01-01'"),
        (("expected", "x", "--until", "later"), "expected a date such as 2026-08-01"),
    ],
    ids=["unknown", "no duration", "a day that is past", "no day"],
)
def test_called_wrongly(cli: Cli, looping: Path, arguments: tuple[str, ...], message: str) -> None:
    """Exit code 2, and what was expected."""
    verdict, named, *more = arguments
    said = cli("incidents", verdict, named, *more, "--by", "ann", "--why", "so", "--ledger", looping)
    assert (said.code, message in said.err) == (2, True)
    with Ledger.open_readonly(looping) as reader:
        assert reader.watched.mutes(0) == []


def test_nothing_is_said_without_a_reason(cli: Cli, looping: Path) -> None:
    """A name and a reason are kept with it."""
    said = cli("incidents", "real", "0", "--by", "ann", "--why", " ", "--ledger", looping)
    assert (said.code, "expected --by and --why" in said.err) == (2, True)


def test_a_ledger_that_is_not_there_is_not_made(cli: Cli, tmp_path: Path) -> None:
    """A path mistyped makes no file."""
    said = cli("watch", "--once", "--ledger", tmp_path / "none.db")
    assert (said.code, "there is no ledger at" in said.err) == (1, True)
    assert not (tmp_path / "none.db").exists()
