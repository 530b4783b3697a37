"""What is far dearer than its like is found, and its cause is the one that was planted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import context_row, step, task
from reporting.acting import Acts, acts, play, post
from reporting.kit import CONTEXTS, DAY, ZONES
from spendgraph.clock import from_us
from spendgraph.ledger import ContextRow, Ledger, PriceRow, StepRow
from spendgraph_demo.history import Parameters, write_history
from spendgraph_reports.books import Books
from spendgraph_reports.months import closed
from spendgraph_reports.outliers import outliers
from spendgraph_reports.period import DAY_US, Period

SEPTEMBER = Period.month("2026-09")
HOUR_US = 3_600_000_000

PRICES = {
    name: PriceRow(name, "openai", name, "policy", "", rates)
    for name, rates in {
        "small": '{"input_usd_per_mtok": "1", "cache_read_usd_per_mtok": "0.1", "output_usd_per_mtok": "10"}',
        "large": '{"input_usd_per_mtok": "10", "cache_read_usd_per_mtok": "1", "output_usd_per_mtok": "100"}',
    }.items()
}
NANO = {"small": (1_000, 100, 10_000), "large": (10_000, 1_000, 100_000)}
"""What a token of input, from the cache and of output costs."""


@dataclass(frozen=True)
class Turn:
    """One turn of an agent: a call of its model, and after all but the last one a search."""

    prompt: int
    cached: int = 1_000
    answer: int = 100
    model: str = "small"
    attempt: int = 1
    search_nanousd: int = 500_000
    tool: str = "search"
    searches: int = 1


USUAL = (Turn(2_000), Turn(2_500), Turn(3_000), Turn(3_500))


def turns(task_id: str, payer: ContextRow, began_us: int, made: Iterable[Turn]) -> Iterator[StepRow]:
    """The steps of a task, a minute after one another."""
    said = list(made)
    for number, turn in enumerate(said):
        at = began_us + number * 60_000_000
        plain, cached, answer = NANO[turn.model]
        common: dict[str, Any] = {"task_id": task_id, "context_id": payer.context_id}
        yield step(
            f"{task_id}/{number}",
            started_us=at,
            ended_us=at + 5,
            node="agent",
            name="ChatOpenAI",
            attempt=turn.attempt,
            model=turn.model,
            price_id=turn.model,
            input_tokens=turn.prompt,
            cache_read_tokens=turn.cached,
            output_tokens=turn.answer,
            cost_nanousd=(turn.prompt - turn.cached) * plain + turn.cached * cached + turn.answer * answer,
            **common,
        )
        for search in range(turn.searches if number < len(said) - 1 else 0):
            yield step(
                f"{task_id}/{number}/{search}",
                started_us=at + 30_000_000,
                ended_us=at + 30_000_005,
                kind="tool",
                name=turn.tool,
                input_tokens=0,
                output_tokens=0,
                cost_nanousd=turn.search_nanousd,
                **common,
            )


def ledger_of(path: Path, *tasks: tuple[str, ContextRow, int, Iterable[Turn]]) -> Path:
    """A ledger of tasks: their ids, who pays, when they began and what they did."""
    payers = {payer.context_id: payer for _, payer, _, _ in tasks}
    with Ledger.open(path) as ledger:
        post(ledger, [*payers.values(), *PRICES.values()])
        for task_id, payer, began_us, made in tasks:
            start = task(task_id, context_id=payer.context_id, started_us=began_us)
            post(ledger, [start, *turns(task_id, payer, began_us, made)])
    return path


ACME = context_row(feature="triage", tenant="acme", user="ann", version="1.0", template_version="t1")
BULK = [(f"usual-{number}", ACME, DAY + number * HOUR_US, USUAL) for number in range(30)]


def grown(*prompts: int) -> tuple[Turn, ...]:
    """Turns with these prompts."""
    return tuple(Turn(prompt) for prompt in prompts)


PLANTED: dict[str, tuple[tuple[Turn, ...], str]] = {
    "more turns": (USUAL * 10, "40 model calls, usual are 4"),
    "prompt growth": (
        grown(2_000, 22_000, 41_000, 61_000),
        "the prompt of agent grew from 2,000 to 61,000 tokens, usual is from 2,000 to 3,500",
    ),
    "large result": (
        grown(2_000, 90_000, 90_500, 91_000),
        "the prompt of agent grew by 88,000 tokens right after search, from 2,000 to 91,000 in all",
    ),
    "longer prompt": (
        grown(82_000, 82_500, 83_000, 83_500),
        "the prompt of agent begins with 82,000 tokens, usual are 2,000",
    ),
    "longer answers": (
        tuple(replace(turn, answer=4_100) for turn in USUAL),
        "an answer of agent has 4,100 tokens, usual are 100",
    ),
    "dearer model": (
        tuple(replace(turn, model="large") for turn in USUAL),
        "agent ran on large, usual is small",
    ),
    "paid again": (
        (*USUAL, *(replace(turn, attempt=2) for turn in (Turn(30_000), Turn(30_000)))),
        "2 steps were paid again for $0.06",
    ),
    "dear step": (
        (replace(USUAL[0], tool="human_review", search_nanousd=2_000_000_000), *USUAL[1:]),
        "human_review cost $2.00; most of its like have none",
    ),
    "more calls": (
        tuple(replace(turn, searches=20) for turn in USUAL),
        "60 calls of search, usual are 3",
    ),
}


@pytest.mark.parametrize("cause", PLANTED)
def test_the_cause_that_was_planted_is_named_with_its_numbers(tmp_path: Path, cause: str) -> None:
    """One task among thirty usual ones."""
    made, evidence = PLANTED[cause]
    path = ledger_of(tmp_path / "ledger.db", *BULK, ("dear", ACME, DAY + 40 * HOUR_US, made))
    with Books(path) as books:
        (row,) = outliers(books, SEPTEMBER, per=["task"], times=2).frame.to_dict("records")
    assert (row["subject"], row["what"], row["cause"]) == ("dear", "task", cause)
    assert evidence in row["evidence"]
    assert row["usual_nanousd"] == 12_900_000
    assert row["excess_nanousd"] == row["cost_nanousd"] - 12_900_000


def test_a_cache_that_is_missed_is_named(tmp_path: Path) -> None:
    """Of a long prompt that usually comes from the cache."""
    long = [
        (f"usual-{number}", ACME, DAY + number * HOUR_US, (Turn(100_000, cached=98_000),))
        for number in range(30)
    ]
    path = ledger_of(tmp_path / "ledger.db", *long, ("dear", ACME, DAY, (Turn(100_000, cached=5_000),)))
    with Books(path) as books:
        (row,) = outliers(books, SEPTEMBER, per=["task"]).frame.to_dict("records")
    assert (row["cause"], row["evidence"]) == (
        "cache missed",
        "5.0 % of the prompt of agent came from the cache, usual are 98.0 %",
    )


def test_a_loop_at_night_is_a_tenants_day_with_more_tasks(tmp_path: Path) -> None:
    """Each of its tasks is usual; sixty of them between half past one and half past two are not."""
    days = [
        (f"day-{day}-{number}", ACME, DAY + day * DAY_US + (9 + number) * HOUR_US, USUAL)
        for day in range(-10, 0)
        for number in range(3)
    ]
    night = [
        (f"night-{number}", ACME, DAY + 90 * 60_000_000 + number * 60_000_000, USUAL) for number in range(61)
    ]
    with Books(ledger_of(tmp_path / "ledger.db", *days, *night)) as books:
        (row,) = outliers(books, SEPTEMBER).frame.to_dict("records")
    assert (row["what"], row["subject"], row["cause"]) == ("tenant's day", "acme, 2026-09-21", "more tasks")
    assert row["evidence"] == "61 tasks, usual are 3, from 01:30 to 02:30"
    assert (row["tasks"], row["cost_nanousd"], row["usual_nanousd"]) == (61, 61 * 12_900_000, 3 * 12_900_000)


@pytest.mark.parametrize(("mondays", "found"), [(0, ["rare, 2026-09-21"]), (3, [])], ids=["rare", "weekly"])
def test_who_has_few_days_is_compared_with_all_others_too(
    tmp_path: Path, mondays: int, found: list[str]
) -> None:
    """A night of thirty tasks of a tenant that has no other day; a tenant that does so every Monday is as usual."""
    rare = context_row(feature="triage", tenant="rare")
    days = [(f"day-{n}", ACME, DAY - n * DAY_US, USUAL) for n in range(1, 20)]
    loops = [
        (f"loop-{week}-{n}", rare, DAY - week * 7 * DAY_US + n * HOUR_US // 2, USUAL)
        for week in range(mondays + 1)
        for n in range(30)
    ]
    with Books(ledger_of(tmp_path / "ledger.db", *days, *loops)) as books:
        report = outliers(books, Period.between("2026-08-01", "2026-10-01"), per=["tenant"])
    assert report.frame["subject"].tolist() == found


def test_few_dear_tasks_are_no_release(tmp_path: Path) -> None:
    """On average the new version costs far more, in the middle as much."""
    new = context_row(feature="triage", tenant="acme", version="2.0")
    released = [
        (f"new-{n}", new, DAY + 3 * DAY_US + n * HOUR_US, USUAL * (50 if n < 3 else 1)) for n in range(25)
    ]
    with Books(ledger_of(tmp_path / "ledger.db", *BULK, *released)) as books:
        assert outliers(books, SEPTEMBER, per=["version"]).is_empty


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of a small company in which four things go wrong on purpose."""
    parameters = Parameters(end=date(2026, 10, 1), days=28, scale=0.3)
    return write_history(tmp_path_factory.mktemp("history") / "history.db", parameters).ledger


def test_what_was_planted_in_a_history_is_told_first_with_its_cause(history: Path) -> None:
    """A stuck loop, jobs that repeat at night, a prompt that a release made longer, a cache that a template breaks."""
    zone = "Europe/Berlin"
    with Books(history, zone=zone) as books:
        report = outliers(books, Period.between("2026-09-03", "2026-10-01", zone), each=1)
    rows = report.frame.to_dict("records")[:4]
    assert [(row["what"], row["feature"], row["cause"]) for row in rows] == [
        ("task", "lead-research", "more turns"),
        ("tenant's day", "contract-review", "more tasks"),
        ("version", "inbox-triage", "longer prompt"),
        ("template version", "support-chat", "cache missed"),
    ]
    assert rows[1]["subject"] == "wonka, 2026-09-26"
    assert rows[1]["evidence"].endswith("usual are 1, from 00:30 to 05:44")
    assert rows[2]["subject"] == "3.2.0 after 3.1.0"


def test_a_release_with_a_longer_prompt_is_compared_with_the_version_before(tmp_path: Path) -> None:
    """Its template came with it and is not told again."""
    new = context_row(feature="triage", tenant="acme", user="ann", version="2.0", template_version="t2")
    released = [
        (f"new-{number}", new, DAY + 3 * DAY_US + number * HOUR_US, grown(9_000, 9_500, 10_000, 10_500))
        for number in range(25)
    ]
    with Books(ledger_of(tmp_path / "ledger.db", *BULK, *released)) as books:
        (row,) = outliers(books, SEPTEMBER, per=["version", "template_version"]).frame.to_dict("records")
    assert (row["what"], row["subject"], row["cause"], row["tasks"]) == (
        "version",
        "2.0 after 1.0",
        "longer prompt",
        25,
    )
    assert row["evidence"].startswith(
        "the prompt of agent begins with 9,000 tokens, usual are 2,000, on average"
    )
    assert row["usual_nanousd"] == 25 * 12_900_000


def test_a_day_that_is_dear_for_one_task_is_that_task(tmp_path: Path) -> None:
    """The tenant's day is left out where tasks are looked at, and told where they are not."""
    days = [
        (f"day-{day}-{n}", ACME, DAY + day * DAY_US + n * HOUR_US, USUAL)
        for day in range(-10, 1)
        for n in range(3)
    ]
    path = ledger_of(tmp_path / "ledger.db", *days, ("dear", ACME, DAY + 9 * HOUR_US, USUAL * 20))
    with Books(path) as books:
        both = outliers(books, SEPTEMBER, per=["task", "user"]).frame
        alone = outliers(books, SEPTEMBER, per=["user"]).frame
    assert both["what"].tolist() == ["task"]
    assert alone[["what", "subject", "cause"]].values.tolist() == [
        ["user's day", "ann, 2026-09-21", "more turns"]
    ]


def test_a_frequent_sort_does_not_hide_the_others(tmp_path: Path) -> None:
    """Of ten dear tasks two are told, the dearest, and that there are more."""
    dear = [(f"dear-{number}", ACME, DAY + number, USUAL * (10 + number)) for number in range(10)]
    with Books(ledger_of(tmp_path / "ledger.db", *BULK, *dear)) as books:
        report = outliers(books, SEPTEMBER, per=["task"], each=2)
    assert report.frame["subject"].tolist() == ["dear-9", "dear-8"]
    assert report.findings[0] == "10 outliers, of which 2 are told here."


def test_pruned_steps_leave_an_outlier_without_a_cause(tmp_path: Path) -> None:
    """What it cost is known, and why is said to be gone."""
    path = ledger_of(tmp_path / "ledger.db", *BULK, ("dear", ACME, DAY, USUAL * 10))
    with Ledger.open(path, clock=lambda: DAY + 60 * DAY_US) as ledger:
        ledger.upkeep.roll()
        ledger.upkeep.prune(from_us(DAY + 20 * DAY_US))
    with Books(path) as books:
        report = outliers(books, SEPTEMBER, per=["task"])
    (row,) = report.frame.to_dict("records")
    assert (row["cost_nanousd"], row["cause"], row["evidence"]) == (133_500_000, "its steps were pruned", "")
    assert report.caveats[0].startswith("The cause of outliers is not known before 2026-10-11T00:00:00Z")


@settings(max_examples=10)
@given(acts(), st.sampled_from(ZONES), st.booleans(), st.floats(1, 3))
def test_what_an_outlier_costs_is_what_its_steps_cost(
    acted: Acts, zone: str, roll: bool, times: float
) -> None:
    """Of any spending, with twenty more tasks that make a usual one, and a usual day of acme's."""
    usual = [
        step(
            f"usual-{number}",
            task_id=f"usual-{number}",
            started_us=DAY + (number - 10) * DAY_US,
            context_id=CONTEXTS[0].context_id,
        )
        for number in range(20)
    ]
    acted = replace(acted, steps=[*acted.steps, *usual])
    period = Period.month("2026-09", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(play(Path(folder, "ledger.db"), acted, roll=roll), zone=zone) as books,
    ):
        report = outliers(books, period, per=["task", "tenant", "user"], times=times, limit=100, each=100)
    for row in report.frame.to_dict("records"):
        if row["what"] == "task":
            assert row["cost_nanousd"] == acted.cost(row["subject"])
            assert row["subject"] in acted.in_period(*closed(period))
            assert row["cause"] != "its steps were pruned"
        else:
            tag = row["what"].removesuffix("'s day")
            name, _, day = row["subject"].rpartition(", ")
            own = [
                task_id
                for task_id in acted.in_period(*closed(period))
                if acted.steps_of(task_id)
                and (getattr(acted.payer(task_id), tag), acted.payer(task_id).feature)
                == (name, row["feature"])
                and f"{from_us(acted.began(task_id)).astimezone(ZoneInfo(zone)):%Y-%m-%d}" == day
            ]
            assert (row["tasks"], row["cost_nanousd"]) == (len(own), sum(map(acted.cost, own)))
        assert row["cost_nanousd"] > times * row["usual_nanousd"]
        assert row["began"] == from_us(row["began"].value // 1_000)


def test_nothing_is_an_outlier_of_few_tasks(tmp_path: Path) -> None:
    """Nor in an empty ledger."""
    path = ledger_of(tmp_path / "few.db", *BULK[:5], ("dear", ACME, DAY, USUAL * 10))
    with Books(path) as few, Books(ledger_of(tmp_path / "empty.db")) as empty:
        for books in (few, empty):
            report = outliers(books, SEPTEMBER)
            assert report.is_empty
            assert report.findings == (
                "Nothing cost far more than its like, of features with 20 tasks or more.",
            )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per": ["tesk"]}, "expected some of task, tenant, user, version, template_version, found tesk"),
        ({"per": []}, "found none"),
        ({"limit": 0}, "expected how many outliers to tell of, 1 or more, found 0"),
        ({"times": 0.5}, "expected 1 or more times as much as usual, found 0.5"),
    ],
)
def test_what_is_asked_must_make_sense(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """A misspelt kind finds nothing, and says why."""
    with Books(ledger_of(tmp_path / "ledger.db")) as books, pytest.raises(ValueError, match=message):
        outliers(books, SEPTEMBER, **options)
