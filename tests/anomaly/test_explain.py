"""Explanations of a ledger: who spent the excess, in which tasks, and what changed."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import context_row, step, task
from reporting.kit import DAY, ZONES, spending, write
from spendgraph.ledger import Ledger, StepRow
from spendgraph_anomaly.explain import Explanation, explain, past_weeks
from spendgraph_demo.history import Parameters, write_history
from spendgraph_reports.books import Books
from spendgraph_reports.period import DAY_US, Period

HOUR_US = DAY_US // 24
DIME = 100_000_000

CONTEXTS = {
    (feature, tenant): context_row(
        feature=feature, tenant=tenant, team="support", environment="production", version="1.0"
    )
    for feature in ("chat", "search", "triage")
    for tenant in ("acme", "globex", "initech")
}
NEW = context_row(feature="chat", tenant="acme", team="support", environment="production", version="2.0")
NOBODY = context_row()
LOOP = Period(DAY + 9 * HOUR_US, DAY + 12 * HOUR_US)


def calls(context: Any, at_us: int, count: int = 1, cost: int = DIME, **columns: Any) -> list[StepRow]:
    """So many calls of one task, a minute apart."""
    started = [at_us + number * 60_000_000 for number in range(count)]
    values = {"model": "gpt-5", "provider": "openai", "input_tokens": 1000, "output_tokens": 100} | columns
    name = f"{context.context_id[:8]}-{at_us}"
    return [
        step(
            f"{name}-{number}",
            context_id=context.context_id,
            task_id=name,
            started_us=at,
            ended_us=at + 1_000_000,
            cost_nanousd=cost,
            **values,
        )
        for number, at in enumerate(started)
    ]


def usual(weeks: int = 4, contexts: Any = None) -> list[StepRow]:
    """A call in every hour from nine to twelve of everybody, on the day and on the same day of the weeks before."""
    return [
        row
        for week in range(weeks + 1)
        for hour in range(9, 12)
        for context in contexts or CONTEXTS.values()
        for row in calls(context, DAY - week * 7 * DAY_US + hour * HOUR_US)
    ]


def ledger_of(path: Path, *rows: StepRow) -> Path:
    """A ledger with these steps."""
    contexts = {row.context_id: row for row in (*CONTEXTS.values(), NEW, NOBODY)}
    tasks = {row.task_id: row for row in rows}
    with Ledger.open(path) as ledger:
        ledger.post(*contexts.values())
        ledger.post(
            *(task(name, context_id=row.context_id, started_us=row.started_us) for name, row in tasks.items())
        )
        ledger.post(*rows)
    return path


def explained(path: Path, *rows: StepRow, **options: Any) -> Explanation:
    """What is said of the three hours, which every part of it bears out."""
    with Books(ledger_of(path, *rows)) as books:
        found = explain(books, LOOP, **options)
    for each in (found, *found.others):
        assert sum(change.nanousd for change in each.changes) == each.excess_nanousd
        assert each.observed_nanousd - each.expected_nanousd == each.excess_nanousd
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger is to be."""
    return tmp_path / "ledger.db"


def test_a_stuck_loop_is_named_with_its_task(path: Path) -> None:
    """120 calls of one task beside nine tasks an hour: feature and tenant, $12.00, its task first, and calls are what changed."""
    context = CONTEXTS["search", "globex"]
    found = explained(path, *usual(), *calls(context, DAY + 9 * HOUR_US + 1, 120))
    assert found.tags == {"feature": "search", "tenant": "globex"}
    assert (found.observed_nanousd, found.expected_nanousd) == (123 * DIME, 3 * DIME)
    assert (found.excess_nanousd, found.share, found.others) == (120 * DIME, 1.0, ())
    assert found.sample_tasks[0][1:] == (120 * DIME, 120)
    assert [(change.part, change.nanousd) for change in found.changes if change.nanousd] == [
        ("calls", 120 * DIME)
    ]
    assert found.sentences() == (
        "$12.00 more was spent than on average in the same hours of the 4 past weeks.",
        "feature search, tenant globex: $12.30 where $0.30 is usual, which is 100.0 % of the difference.",
        "What changed there: 123 calls instead of 3 (+$12.00).",
        f"The dearest task there is {found.sample_tasks[0].task_id}: $12.00 in 120 steps.",
    )


def test_a_filter_is_one_of_the_tags_and_is_not_searched(path: Path) -> None:
    """Of the tenant that was alerted, the feature."""
    rows = [*usual(), *calls(CONTEXTS["search", "globex"], DAY + 9 * HOUR_US + 1, 120)]
    found = explained(path, *rows, tenant="globex")
    assert found.tags == {"tenant": "globex", "feature": "search"}
    assert found.total_excess_nanousd == 120 * DIME


def test_where_nothing_is_left_to_search_the_filters_are_said(path: Path) -> None:
    """Of one tenant by tenant: the tenant; of two, no tag, and no sample, for whose tasks is not one question."""
    rows = [*usual(), *calls(CONTEXTS["search", "globex"], DAY + 9 * HOUR_US + 1, 120)]
    found = explained(path, *rows, by=["tenant"], tenant="globex")
    assert (found.tags, found.share) == ({"tenant": "globex"}, 1.0)
    with Books(path) as books:
        both = explain(books, LOOP, by=["tenant"], tenant=["acme", "globex"])
    assert (both.tags, both.excess_nanousd, both.sample_tasks) == ({}, 120 * DIME, ())


def test_a_deploy_that_costs_what_the_version_before_did_is_no_cause(path: Path) -> None:
    """Version 2.0 took the place of 1.0 at acme's chat; the loop elsewhere is named, and no version."""
    before = [
        row
        for row in usual()
        if row.started_us < DAY or row.context_id != CONTEXTS["chat", "acme"].context_id
    ]
    now = [row for hour in range(9, 12) for row in calls(NEW, DAY + hour * HOUR_US)]
    loop = calls(CONTEXTS["search", "globex"], DAY + 9 * HOUR_US + 1, 30)
    found = explained(path, *before, *now, *loop)
    assert found.tags == {"feature": "search", "tenant": "globex"}
    assert found.others == ()


def test_a_version_that_made_prompts_longer_is_named_as_new(path: Path) -> None:
    """2.0 has prompts five times as long: against 1.0 before it, tokens a call are what changed."""
    before = [
        row
        for row in usual()
        if row.started_us < DAY or row.context_id != CONTEXTS["chat", "acme"].context_id
    ]
    now = [
        row
        for hour in range(9, 12)
        for row in calls(NEW, DAY + hour * HOUR_US, cost=5 * DIME, input_tokens=5000, output_tokens=500)
    ]
    found = explained(path, *before, *now)
    assert found.tags == {"feature": "chat", "version": "2.0"}
    assert found.new == {"version": "2.0"}
    assert (found.observed_nanousd, found.expected_nanousd) == (15 * DIME, 3 * DIME)
    assert [(change.part, change.nanousd) for change in found.changes if change.nanousd] == [
        ("tokens per call", 12 * DIME)
    ]


def test_spending_without_tags_is_named_as_such(path: Path) -> None:
    """A script nobody has tagged: all tags are empty, and a person reads (none)."""
    contexts = [*CONTEXTS.values(), NOBODY]
    found = explained(path, *usual(contexts=contexts), *calls(NOBODY, DAY + 9 * HOUR_US + 1, 90))
    assert found.tags == {"feature": ""}
    assert "feature (none): $9.30 where $0.30 is usual" in found.sentences()[1]


def test_less_than_usual_is_explained_too(path: Path) -> None:
    """A tenant that stayed away: minus $0.90, and calls are what changed."""
    rows = [
        row
        for row in usual()
        if row.started_us < DAY
        or row.context_id
        not in {CONTEXTS[feature, "acme"].context_id for feature in ("chat", "search", "triage")}
    ]
    found = explained(path, *rows)
    assert found.tags == {"tenant": "acme"}
    assert (found.excess_nanousd, found.share) == (-9 * DIME, 1.0)
    assert (
        found.sentences()[0] == "$0.90 less was spent than on average in the same hours of the 4 past weeks."
    )
    assert found.sample_tasks == ()


def test_an_empty_period_and_an_empty_ledger_are_said(path: Path) -> None:
    """Nothing was spent and nothing expected."""
    found = explained(path)
    assert (found.tags, found.excess_nanousd, found.share, found.others) == ({}, 0, 0.0, ())
    assert found.sentences() == ("What was spent is what was expected.",)


def test_a_ledger_without_a_week_before_is_compared_with_days(path: Path) -> None:
    """Three days of history; and of none, everything is new."""
    days = [
        row
        for day in range(4)
        for context in CONTEXTS.values()
        for row in calls(context, DAY - day * DAY_US + 9 * HOUR_US)
    ]
    found = explained(path, *days, *calls(CONTEXTS["triage", "acme"], DAY + 10 * HOUR_US, 50))
    assert found.tags == {"feature": "triage", "tenant": "acme"}
    assert [each.since_us for each in found.baseline] == [
        DAY + 9 * HOUR_US - day * DAY_US for day in (1, 2, 3)
    ]
    assert found.sentences()[0].endswith("in the same hours of the 3 past days.")


def test_weeks_are_those_of_the_clocks(path: Path) -> None:
    """From nine to ten in Berlin, on both sides of the end of summer time, and a whole week that is an hour longer."""
    year = [row for week in range(-9, 8) for row in calls(NOBODY, DAY + week * 7 * DAY_US)]
    with Books(ledger_of(path, *year), zone="Europe/Berlin") as books:
        hour = Period.between("2026-10-27T09:00:00+01:00", "2026-10-27T10:00:00+01:00")
        assert [each.since for each in past_weeks(books, hour, 2)] == [
            "2026-10-20T07:00:00Z",
            "2026-10-13T07:00:00Z",
        ]
        week = Period.between("2026-10-20", "2026-10-27", "Europe/Berlin")
        assert past_weeks(books, week, 1) == (Period.between("2026-10-13", "2026-10-20", "Europe/Berlin"),)


def test_a_period_without_an_end_is_refused(path: Path) -> None:
    """An incident that goes on ends now, and whoever asks says when."""
    with Books(ledger_of(path)) as books, pytest.raises(ValueError, match="a start and an end"):
        explain(books, Period(DAY))


@settings(max_examples=40)
@given(
    rows=spending(days=20),
    zone=st.sampled_from(ZONES),
    roll=st.booleans(),
    hours=st.integers(1, 400),
    weeks=st.integers(0, 3),
)
def test_any_ledger_is_explained_and_adds_up(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[StepRow],
    zone: str,
    roll: bool,
    hours: int,
    weeks: int,
) -> None:
    """Late steps, corrections, empty tags: the excess is that of the rows, and the parts of every cause are its excess."""
    path = write(tmp_path_factory.mktemp("ledger") / "ledger.db", rows, roll=roll)
    period = Period(DAY, DAY + hours * HOUR_US)
    with Books(path, zone=zone) as books:
        baseline = [
            Period(DAY - 400 * HOUR_US * week, DAY - 400 * HOUR_US * week + hours * HOUR_US)
            for week in range(1, weeks + 1)
        ]
        found = explain(books, period, baseline, by=("feature", "tenant", "version"), samples=0)

    def cost(of: Period) -> int:
        return sum(row.cost_nanousd for row in rows if row.started_us in of)

    assert abs(
        len(baseline) * (cost(period) - found.total_excess_nanousd) - sum(map(cost, baseline))
    ) * 2 <= max(1, len(baseline))
    for each in (found, *found.others):
        assert sum(change.nanousd for change in each.changes) == each.excess_nanousd
        assert each.observed_nanousd - each.expected_nanousd == each.excess_nanousd
    assert found.sentences()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of a small company in which things go wrong on purpose."""
    parameters = Parameters(end=date(2026, 10, 1), days=35, scale=0.3)
    return write_history(tmp_path_factory.mktemp("history") / "history.db", parameters).ledger


def planted(history: Path, name: str) -> tuple[dict[str, Any], Period]:
    """What the history's truth says of something planted, and when it was."""
    truth = json.loads(history.with_suffix(".truth.json").read_text())
    (event,) = (each for each in truth["planted"] if each["name"] == name)
    return event, Period(event["first_us"], event["last_us"] + 1)


@pytest.mark.parametrize("name", ["stuck loop", "off-hours loop"])
def test_the_planted_loops_are_explained_by_name(history: Path, name: str) -> None:
    """Feature and tenant of the truth, nearly all of the excess, and the dollars within a tenth."""
    event, period = planted(history, name)
    with Books(history, zone="Europe/Berlin") as books:
        found = explain(books, period)
    assert found.tags == event["tags"]
    assert found.share > 0.9
    assert found.excess_nanousd == pytest.approx(event["nanousd"], rel=0.1)


def test_the_planted_regression_is_explained_by_name(history: Path) -> None:
    """Feature and version of the truth, and tokens a call are what changed most."""
    event, _ = planted(history, "prompt growth after a deploy")
    days = Period.days(
        date.fromisoformat(event["from_day"]), date.fromisoformat(event["until_day"]), "Europe/Berlin"
    )
    with Books(history, zone="Europe/Berlin") as books:
        found = explain(books, days, feature=event["tags"]["feature"])
    assert found.tags == {"feature": "inbox-triage", "version": "3.2.0"}
    assert found.new == {"version": "3.2.0"}
    assert found.sentences()[2] == "All of it is of version 3.2.0, which is new."
    assert max(found.changes, key=lambda change: change.nanousd).part == "tokens per call"
