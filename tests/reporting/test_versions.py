"""What a task costs before and after a deploy: which versions, which tasks, and how much a month."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.rows import context_row, step, task
from reporting.kit import DAY
from spendgraph.ledger import ContextRow, Ledger, StepRow, TaskEnd
from spendgraph_reports.books import Books
from spendgraph_reports.efficiency import versions
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import Report

SEPTEMBER = Period.month("2026-09")
FIRST = 1_788_220_800_000_000
"""2026-09-01, in UTC."""
CENT = 10**7


class Deployed:
    """A ledger of tasks of one step each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: list[Any] = []
        self._tasks = 0

    def task(self, cost: int, started_us: int, status: str = "finished", **tags: str) -> None:
        """A task that cost so much."""
        self._tasks += 1
        name = f"task-{self._tasks}"
        context = context_row(**{"feature": "triage", "team": "support", "tenant": "acme", **tags})
        self._records += [
            context,
            task(name, context_id=context.context_id, started_us=started_us),
            step(
                name, task_id=name, context_id=context.context_id, started_us=started_us, ended_us=started_us,
                cost_nanousd=cost,
            ),
            TaskEnd(name, status, started_us + 1),
        ]  # fmt: skip

    def report(self, **options: Any) -> Report:
        """Of September."""
        with Ledger.open(self.path) as ledger:
            ledger.post(*self._records)
            ledger.upkeep.roll()
        self._records = []
        with Books(self.path) as books:
            return versions(books, SEPTEMBER, **options)


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    """An empty one."""
    return Deployed(tmp_path / "ledger.db")


def costs(mean: float, count: int, seed: int) -> list[int]:
    """Log-normal costs, in nano-USD."""
    rng = random.Random(seed)
    return [round(mean * rng.lognormvariate(-0.125, 0.5)) for _ in range(count)]


def rolled_out(deployed: Deployed, before: float, after: float, **tags: str) -> None:
    """Ten tasks a day: 1.0 in the first half of September, 1.1 in the second."""
    for number, cost in enumerate([*costs(before, 150, 1), *costs(after, 150, 2)]):
        version = "1.0" if number < 150 else "1.1"
        deployed.task(cost, FIRST + number * DAY_US // 10, version=version, **tags)


def test_a_regression_has_its_dollars(deployed: Deployed) -> None:
    """From 10 cents to 20: a dollar a day more, and ten tasks a day are 304 a month."""
    rolled_out(deployed, 10 * CENT, 20 * CENT)
    report = deployed.report()
    (row,) = report.frame.to_dict("records")
    assert (row["before"], row["after"], row["verdict"]) == ("1.0", "1.1", "dearer")
    assert (row["before_tasks"], row["after_tasks"]) == (150, 150)
    assert row["tasks_a_month"] == pytest.approx(304, abs=2)
    assert row["ratio"] == pytest.approx(2, abs=0.2)
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
    assert row["month_nanousd"] == pytest.approx(3040 * CENT, rel=0.15)
    assert row["month_low_nanousd"] < row["month_nanousd"] < row["month_high_nanousd"]
    assert row["extra_nanousd"] == pytest.approx(1500 * CENT, rel=0.15)
    assert report.findings[0].startswith("triage 1.1 is dearer than 1.0: $0.")


def test_what_costs_the_same_is_called_so(deployed: Deployed) -> None:
    """No verdict, and no dollars in the findings."""
    rolled_out(deployed, 10 * CENT, 10 * CENT)
    report = deployed.report()
    assert report.frame["verdict"].tolist() == ["no difference found"]
    assert report.findings == ("No difference was found between the versions of triage.",)


def test_few_tasks_say_nothing(deployed: Deployed) -> None:
    """29 of the new version: their number, and no more."""
    for number, cost in enumerate(costs(CENT, 129, 3)):
        deployed.task(cost, FIRST + number * 10**6, version="1.0" if number < 100 else "1.1")
    report = deployed.report()
    (row,) = report.frame.to_dict("records")
    assert (row["verdict"], row["after_tasks"]) == ("too few tasks", 29)
    assert report.frame[["ratio", "p_mean", "month_nanousd"]].isna().all().all()
    assert report.findings == ("Too few tasks to compare: triage.",)


def test_tasks_of_tenants_that_never_had_both_say_nothing(deployed: Deployed) -> None:
    """A version for each tenant: what differs may be the tenants."""
    for number, cost in enumerate(costs(CENT, 200, 4)):
        old = number < 100
        deployed.task(cost, FIRST + number * 10**6, version="1" if old else "2", tenant="a" if old else "b")
    assert deployed.report().frame["verdict"].tolist() == ["too few tasks"]


def test_the_newest_version_is_compared_with_the_one_before_it(deployed: Deployed) -> None:
    """By when their tasks started, not by their names; others can be named."""
    for number, cost in enumerate(costs(CENT, 160, 5)):
        deployed.task(cost, FIRST + number * 10**6, version=("9.9", "9.10", "10.0", "10.0-rc1")[number // 40])
    pairs = [
        (report.frame["before"].tolist(), report.frame["after"].tolist())
        for report in (
            deployed.report(),
            deployed.report(before="9.9"),
            deployed.report(after="9.10"),
            deployed.report(before="10.0-rc1", after="9.9"),
            deployed.report(after="11"),
        )
    ]
    assert pairs == [
        (["10.0"], ["10.0-rc1"]),
        (["9.9"], ["10.0-rc1"]),
        (["9.9"], ["9.10"]),
        (["10.0-rc1"], ["9.9"]),
        ([], []),
    ]


def test_tasks_that_were_stopped_or_go_on_are_left_out_and_that_is_said(deployed: Deployed) -> None:
    """They cost less than they would have, or than they will."""
    rolled_out(deployed, CENT, CENT)
    deployed.task(1, DAY, "refused", version="1.1")
    deployed.task(1, DAY, "paused", version="1.1")
    report = deployed.report()
    assert report.frame["after_tasks"].tolist() == [150]
    assert report.caveats[1:3] == (
        "1 task was stopped by a budget and left out: such a task costs less than it would have.",
        "1 task has not ended and is left out.",
    )


def test_versions_of_templates_are_compared_by_what_a_template_cost(deployed: Deployed) -> None:
    """Two templates in a task, one of which changed; the version of the feature hides it, and says so."""
    rng = random.Random(6)
    for number in range(120):
        draft = "t1" if number < 60 else "t2"
        started = FIRST + number * DAY_US // 10
        for template, version, cost in (("sort", "s1", 1), ("draft", draft, 1 if draft == "t1" else 3)):
            deployed.task(
                round(cost * CENT * rng.uniform(0.5, 1.5)), started, version="1", template=template, template_version=version
            )  # fmt: skip
    report = deployed.report(tag="template_version")
    (row,) = report.frame.to_dict("records")
    assert (row["feature"], row["template"], row["before"], row["after"]) == ("triage", "draft", "t1", "t2")
    assert row["verdict"] == "dearer"
    assert row["ratio"] == pytest.approx(3, abs=0.4)
    assert report.findings[-1] == "Without two versions to compare: triage sort."


def test_a_version_that_ran_with_several_templates_is_doubted(deployed: Deployed) -> None:
    """What differs may be the template's."""
    for number, cost in enumerate(costs(CENT, 120, 7)):
        version, template = ("1", "t1") if number < 40 else ("1", "t2") if number < 80 else ("2", "t2")
        deployed.task(
            cost, FIRST + number * 10**6, version=version, template="draft", template_version=template
        )
    assert deployed.report().caveats[1] == (
        "triage had several versions of its template, 1 with t1, t2 and 2 with t2: --tag template_version compares those."
    )


def test_only_the_features_that_are_asked_for_are_compared(deployed: Deployed) -> None:
    """The p value is adjusted for those alone."""
    rolled_out(deployed, CENT, CENT)
    rolled_out(deployed, CENT, CENT, feature="search")
    assert deployed.report(features=["search"]).frame["feature"].tolist() == ["search"]
    assert sorted(deployed.report().frame["feature"]) == ["search", "triage"]


def test_a_period_without_versions_has_no_row(deployed: Deployed) -> None:
    """Tasks without the tag are of no version."""
    deployed.task(CENT, DAY)
    report = deployed.report()
    assert report.is_empty
    assert report.findings == ("Nothing had two versions with ended tasks in this period.",)


CONTEXTS = [
    context_row(feature=feature, tenant=tenant, version=version)
    for feature in ("triage", "")
    for tenant in ("acme", "globex")
    for version in ("1", "2")
]


@st.composite
def tasks(draw: st.DrawFn) -> list[tuple[ContextRow, int, list[int]]]:
    """Payers, starts and the costs of the steps of tasks."""
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from(CONTEXTS),
                st.integers(DAY - 30 * DAY_US, DAY + 30 * DAY_US),
                st.lists(st.integers(0, 10**10), min_size=1, max_size=3),
            ),
            min_size=0,
            max_size=150,
        )
    )


@settings(max_examples=15)
@given(tasks(), st.booleans())
def test_tasks_and_means_are_those_of_the_ledger(
    drawn: list[tuple[ContextRow, int, list[int]]], roll: bool
) -> None:
    """Whatever is in it: of each pair, the tasks of the tenants that had both, and what these cost."""
    records: list[Any] = []
    for number, (context, started, paid) in enumerate(drawn):
        name = f"task-{number}"
        records.append(task(name, context_id=context.context_id, started_us=started))
        records += [
            step(f"{name}/{at}", task_id=name, context_id=context.context_id, started_us=started, ended_us=started, cost_nanousd=cost)
            for at, cost in enumerate(paid)
        ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        with Ledger.open(path) as ledger:
            ledger.post(*CONTEXTS, *(record for record in records if not isinstance(record, StepRow)))
            ledger.post(*(record for record in records if isinstance(record, StepRow)))
            if roll:
                ledger.upkeep.roll()
            for number in range(len(drawn)):
                ledger.post(TaskEnd(f"task-{number}", "finished", DAY + 90 * DAY_US))
        with Books(path) as books:
            report = versions(books, SEPTEMBER)
    mine = [(context, sum(paid)) for context, started, paid in drawn if started in SEPTEMBER]
    for row in report.frame.to_dict("records"):
        by = {
            version: [
                (context.tenant, cost)
                for context, cost in mine
                if (context.feature, context.version) == (row["feature"], version)
            ]
            for version in (row["before"], row["after"])
        }
        both = {tenant for tenant, _ in by[row["before"]]} & {tenant for tenant, _ in by[row["after"]]}
        after = [cost for tenant, cost in by[row["after"]] if tenant in both]
        if row["verdict"] != "too few tasks":
            assert row["after_tasks"] == len(after)
            assert row["after_mean_nanousd"] == pytest.approx(sum(after) / len(after), abs=1)
        else:
            assert min(row["before_tasks"], row["after_tasks"]) < 30
