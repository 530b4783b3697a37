"""`spendgraph nightly`: the night's work, done once however often it is run."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.kit import Cli
from ledger.rows import change, rows
from notify.receiver import Receiver
from scripted import PRICES
from spendgraph import CostContext, Meter
from spendgraph.clock import utc_us
from spendgraph.ledger import Ledger
from spendgraph_reports.months import closed, month_of, named
from spendgraph_reports.nightly import last_closed
from spendgraph_reports.period import DAY_US

ACME = CostContext(feature="triage", team="support", tenant="acme")
BUDGETS = """
budgets:
  - {name: support, owner: lead, signed_off: {by: cfo, on: 2026-01-01}, match: {team: support}, per: tenant, period: month, limit_usd: "5"}
"""
LAST = last_closed(utc_us(), "UTC")
MONTH = named(LAST)
MAIN = "import sys; from spendgraph.cli import main; sys.exit(main(sys.argv[1:]))"
PAPERS = ["chargeback-team", "payers-team", "variance"]


def spend(path: Path, policy: Path, usd: str, when_us: int) -> None:
    """Record what support spent."""
    with Meter(path, policy=policy, clock=lambda: when_us) as meter, meter.task(ACME):
        meter.record("review", usd=usd)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy with one budget of five dollars a month."""
    path = tmp_path / "policy.yaml"
    path.write_text(PRICES + BUDGETS)
    return path


@pytest.fixture
def ledger(tmp_path: Path, policy: Path) -> Path:
    """Support spent six dollars in the last closed month, and a little when its books closed."""
    path = tmp_path / "ledger.db"
    until = closed(LAST)[1]
    spend(path, policy, "6", until - 5 * DAY_US)
    spend(path, policy, "0.10", until + DAY_US)
    return path


def test_the_papers_of_a_night(cli: Cli, ledger: Path, policy: Path, tmp_path: Path) -> None:
    """Rolled up, the statements of the last closed month, and the variance of it and of the months since."""
    said = cli("nightly", "--ledger", ledger, "--policy", policy, "--output", "papers")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"2 rows rolled up; statements of {MONTH} ($6.00) written: papers/chargeback-team-{MONTH}.json;"
        " 1 budget row flagged; nobody to tell.\n"
    )
    folder = tmp_path / "papers"
    assert folder.stat().st_mode & 0o777 == 0o700
    names = {file.stem for file in folder.iterdir()}
    assert {f"{paper}-{MONTH}" for paper in PAPERS} <= names
    assert f"variance-{named(month_of(utc_us()))}" in names
    with (folder / f"chargeback-team-{MONTH}.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["team"], line["section"], line["cost_usd"]) == ("support", "consumed", "6.00")
    document = json.loads((folder / f"variance-{MONTH}.json").read_text())
    assert [(row["budget"], row["flags"], row["spent_usd"]) for row in document["rows"]] == [
        ("support", "over", "6.00")
    ]


def test_run_again_it_leaves_what_was_issued(cli: Cli, ledger: Path, policy: Path, tmp_path: Path) -> None:
    """Until a statement would say something else: then there is a second version, and the first stays."""
    command = ("nightly", "--ledger", ledger, "--policy", policy, "--output", "papers", "--json")
    assert cli(*command).json["statements"]["state"] == "written"
    first = tmp_path / "papers" / f"chargeback-team-{MONTH}.json"
    text, written = first.read_text(), first.stat().st_mtime_ns
    again = cli(*command).json
    assert (again["rolled"], again["statements"]["state"], first.stat().st_mtime_ns) == (
        0,
        "unchanged",
        written,
    )
    # Late, but after the close: it is the next statement's.
    with Ledger.open(ledger) as books:
        (step,) = [row for row in books.steps() if row["cost_nanousd"] == 6_000_000_000]
        books.correct(step["step_id"], reason="refund", cost_nanousd=-1_000_000_000)
    assert cli(*command).json["statements"]["state"] == "unchanged"
    policy.write_text(
        policy.read_text()
        + f"mappings: [{{name: renamed, from: {MONTH}-01, when: {{team: support}}, set: {{team: care}}}}]\n"
    )
    restated = cli(*command).json["statements"]
    assert (restated["state"], restated["version"], restated["cost_nanousd"]) == (
        "restated",
        2,
        6_000_000_000,
    )
    assert first.read_text() == text
    second = json.loads((tmp_path / "papers" / f"chargeback-team-{MONTH}.v2.json").read_text())
    assert [(row["team"], row["rule"]) for row in second["rows"]] == [("care", "renamed")]
    assert cli(*command).json["statements"]["state"] == "unchanged"


def test_owners_are_told_once_of_each_flag(cli: Cli, ledger: Path, policy: Path) -> None:
    """Through the policy's notify; whoever could not be reached is tried again the next night."""
    command = ("nightly", "--ledger", ledger, "--policy", policy, "--output", "papers")
    with Receiver(status=500) as receiver:
        policy.write_text(f"{policy.read_text()}notify: {{lead: '{receiver.url}'}}\n")
        said = cli(*command, "--json")
        assert (said.code, said.json["alerts"]) == (1, {"raised": 1, "delivered": 0, "waiting": 1})
        assert "1 alert has not reached everybody" in said.err
        receiver.status = 200
        said = cli(*command, "--json")
        assert (said.code, said.json["alerts"]) == (0, {"raised": 0, "delivered": 1, "waiting": 0})
        assert cli(*command, "--json").json["alerts"] == {"raised": 0, "delivered": 0, "waiting": 0}
    assert receiver.titles == ["Budget support is flagged for tenant=acme: over"]
    assert receiver.got[0]["message"].startswith(
        f"$6.00 of $5.00 for tenant=acme in {MONTH}. Decide: raise the limit"
    )
    assert rows(ledger, "SELECT kind, severity, told FROM alerts") == [("variance", "critical", '["lead"]')]


def test_two_at_once_do_the_night_s_work_once(ledger: Path, policy: Path, tmp_path: Path) -> None:
    """Both end well; each row is rolled up once, each alert told once, the files are whole."""
    with Receiver() as receiver:
        policy.write_text(f"{policy.read_text()}notify: {{lead: '{receiver.url}'}}\n")
        command = [sys.executable, "-c", MAIN, "nightly", "--json", "--output", str(tmp_path / "papers"),
                   "--ledger", str(ledger), "--policy", str(policy)]  # fmt: skip
        both = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ})
            for _ in range(2)
        ]
        ended = [each.communicate(timeout=120) for each in both]
    assert [each.returncode for each in both] == [0, 0], [error.decode() for _, error in ended]
    said = [json.loads(out) for out, _ in ended]
    assert sum(each["rolled"] for each in said) == 2
    assert sum(each["alerts"]["raised"] for each in said) == 1
    assert len(receiver.got) == 1
    assert not list((tmp_path / "papers").glob("*.v2.*"))
    assert (
        json.loads((tmp_path / "papers" / f"chargeback-team-{MONTH}.json").read_text())["totals"]["steps"]
        == 1
    )
    with Ledger.open_readonly(ledger) as reader:
        assert reader.verify() == []


def test_rollups_that_contradict_each_other_end_the_night(cli: Cli, ledger: Path, tmp_path: Path) -> None:
    """Nothing is written from wrong sums; what to do is said."""
    cli("rollup", "--ledger", ledger)
    change(ledger, "DELETE FROM rollup_tasks")
    said = cli("nightly", "--ledger", ledger, "--output", "papers")
    assert (said.code, said.out) == (1, "")
    assert "rollup_tasks adds up to (0, 0, 0), rollup_15min to (2, 0, 6100000000)" in said.err
    assert "`spendgraph rollup --rebuild` makes the sums anew" in said.err
    assert not (tmp_path / "papers").exists()


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        (("--of", "kind"), 2, "expected a tag that says who pays"),
        (("--timezone", "Berlin"), 2, "expected a time zone such as Europe/Berlin"),
        (("--output", "ledger.db"), 1, "cannot make the folder ledger.db"),
        (("--ledger", "none.db"), 1, "there is no ledger at"),
    ],
    ids=["no tag", "no zone", "no folder", "no ledger"],
)
def test_what_cannot_be_done_is_one_line(
    cli: Cli, ledger: Path, option: tuple[str, str], code: int, message: str
) -> None:
    """And ends with the code that says whose fault it is."""
    said = cli("nightly", *(option if option[0] == "--ledger" else ("--ledger", ledger, *option)))
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert len(said.err.splitlines()) == 1


def test_a_file_that_is_no_statement_is_left_alone(cli: Cli, ledger: Path, tmp_path: Path) -> None:
    """It is named, and not written over."""
    (tmp_path / "papers").mkdir()
    file = tmp_path / "papers" / f"chargeback-team-{MONTH}.json"
    file.write_text("mine")
    said = cli("nightly", "--ledger", ledger, "--output", "papers")
    assert said.code == 1
    assert f"expected a statement that was issued in papers/chargeback-team-{MONTH}.json" in said.err
    assert file.read_text() == "mine"
