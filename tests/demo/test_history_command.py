"""`spendgraph demo --history`: what it prints, what it refuses, and what chance and time it is made of."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spendgraph.clock import from_us
from spendgraph.policy import parse_policy
from spendgraph_demo.command import register
from spendgraph_demo.history.chance import counted, new_id, stream
from spendgraph_demo.history.parameters import Parameters, days_of
from spendgraph_demo.history.planted import make_plan
from spendgraph_demo.history.policies import policy_text
from spendgraph_demo.history.rhythm import AROUND_THE_CLOCK, OFFICE
from spendgraph_demo.history.tenants import make_tenants

SMALL = ("--history", "7d", "--end", "2024-03-04", "--scale", "0.05")


def run_demo(*arguments: str) -> tuple[int, str, str]:
    """The command's exit code, stdout and stderr."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["demo", *arguments], env={"COLUMNS": None})
    return result.exit_code, result.stdout, result.stderr


def test_a_person_sees_what_is_planted_and_what_lies_beside_the_ledger(tmp_path: Path) -> None:
    """A line now and then on stderr; on stdout the figures, the planted events, the files and the way on."""
    ledger = tmp_path / "new" / "history.db"
    code, out, err = run_demo(*SMALL, "--ledger", str(ledger))
    assert code == 0
    assert out.startswith("7 days from 2024-02-26: ")
    assert "stuck loop" in out
    assert str(tmp_path / "new" / "history.openai-costs.csv") in out
    assert f"spendgraph verify --ledger {ledger}" in out
    assert "7 of 7 days, " in err


def test_json_is_the_truth_and_how_fast_it_was_written(tmp_path: Path) -> None:
    """One document on stdout: the truth file's, with the paths and the time it took."""
    code, out, _ = run_demo(*SMALL, "--json", "--ledger", str(tmp_path / "history.db"))
    document = json.loads(out)
    truth = json.loads((tmp_path / "history.truth.json").read_text())
    assert code == 0
    assert {name: document[name] for name in truth} == truth
    assert document["problems"] == []
    assert document["steps_per_second"] > 0
    assert all(Path(path).exists() for path in document["files"].values())


def test_it_is_not_written_over_what_is_there(tmp_path: Path) -> None:
    """The second run ends with code 1 and one line that says which path is in the way."""
    arguments = (*SMALL, "--ledger", str(tmp_path / "history.db"))
    assert run_demo(*arguments)[0] == 0
    for beside in tmp_path.glob("history.*"):
        if beside.suffix in {".csv", ".json", ".yaml"}:
            beside.unlink()
    code, out, err = run_demo(*arguments)
    assert (code, out) == (1, "")
    assert f"the ledger {tmp_path / 'history.db'} is not empty" in err
    assert "give another path with --ledger" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--history", "soon"), "expected days or weeks such as 90d or 12w, found 'soon'"),
        (("--history", "3d"), "days: expected 7 to 730, found 3"),
        (("--history", "7d", "--end", "tomorrow"), "Invalid isoformat string: 'tomorrow'"),
        (("--history", "7d", "--end", "2999-01-01"), "a ledger refuses entries from the future"),
        (("--history", "7d", "--timezone", "Moon/Base"), "expected a name such as Europe/Berlin"),
        (("--history", "7d", "--tenants", "3"), "tenants: expected 20 to 500, found 3"),
        (("--history", "7d", "--scale", "0"), "scale: expected 0.01 to 100, found 0.0"),
    ],
    ids=["no duration", "too short", "no date", "future", "no zone", "too few tenants", "no traffic"],
)
def test_what_is_no_parameter_ends_with_code_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    """One line says what was expected; nothing is written."""
    code, out, err = run_demo(*arguments, "--ledger", str(tmp_path / "history.db"))
    assert (code, out) == (2, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


@given(st.integers(1, 9_999), st.sampled_from([("d", 1), ("w", 7)]))
def test_a_duration_is_days_or_weeks(count: int, unit: tuple[str, int]) -> None:
    """`12w` is 84 days."""
    assert days_of(f"{count}{unit[0]}") == count * unit[1]


@given(st.integers(), st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_a_moment_is_on_its_day_by_the_clock_on_the_wall(seed: int, day: date) -> None:
    """On days of 23 and 25 hours too."""
    zone = ZoneInfo("Europe/Berlin")
    for rhythm in (OFFICE, AROUND_THE_CLOCK):
        moment = from_us(rhythm.moment(Random(seed), day, zone)).astimezone(zone)
        # An hour that the clock skips is the one after it.
        assert moment.date() == day


@given(st.lists(st.integers(0, 2**47), min_size=2), st.integers())
def test_later_ids_sort_later(milliseconds: list[int], seed: int) -> None:
    """Whatever the chance in them; all are of one length."""
    rng, ordered = Random(seed), sorted(set(milliseconds))
    ids = [new_id(rng, each * 1000) for each in ordered]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {36}


@given(st.integers(), st.floats(0, 400))
def test_a_count_is_near_its_mean(seed: int, mean: float) -> None:
    """Never negative, and within eight standard deviations."""
    found = counted(stream(seed, "count"), mean)
    assert 0 <= found <= mean + 8 * mean**0.5 + 8


@given(st.floats(0.01, 100), st.booleans())
def test_the_policy_is_valid_at_every_scale(scale: float, is_raised: bool) -> None:
    """Its limits are never nothing."""
    text = policy_text(Parameters(end=date(2026, 10, 1), scale=scale), is_raised=is_raised)
    assert all(budget.limit > 0 for budget in parse_policy(text).budgets)


@given(st.integers(7, 730), st.dates(date(2022, 1, 1), date(2026, 10, 1)), st.integers(20, 500))
def test_everything_planted_is_inside_the_history(days: int, end: date, tenants: int) -> None:
    """Loops on their kind of day, and tenants that are customers then and have the feature."""
    parameters = Parameters(end=end, days=days, tenants=tenants)
    plan = make_plan(parameters, make_tenants(parameters))
    first = datetime.combine(parameters.first, datetime.min.time(), tzinfo=UTC) - timedelta(days=1)
    for moment in (plan.stuck_from_us, plan.stuck_until_us, plan.off_from_us, plan.off_until_us):
        assert first < from_us(moment) < first + timedelta(days=days + 2)
    assert parameters.day(plan.off_day).weekday() == 5
    assert parameters.day(plan.stuck_day).weekday() < 5
    assert plan.stuck_tenant.uses("lead-research")
    assert plan.off_tenant.uses("contract-review")
    assert plan.stuck_tenant.is_here(plan.stuck_day)
    assert plan.off_tenant.is_here(plan.off_day)
