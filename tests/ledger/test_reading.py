"""What a ledger answers: steps, sums, trees, tasks to go on with, corrections, times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.rows import ACME, GLOBEX, START_US, context_row, rows, step, task
from spendgraph.errors import LedgerError, LedgerUnavailable
from spendgraph.ledger import Ledger, TaskEnd, TaskTree

if TYPE_CHECKING:
    from pathlib import Path

HOUR_US = 3_600_000_000


def outline(tree: TaskTree, depth: int = 0) -> list[str]:
    """A tree as indented lines with costs."""
    lines = [f"{'  ' * depth}{tree.kind} {tree.label}: {tree.cost_nanousd}"]
    for child in tree.children:
        lines += outline(child, depth + 1)
    return lines


def test_steps_are_filtered_by_columns_tags_and_time(ledger: Ledger) -> None:
    """A value, several values, and a half-open span of starts."""
    ledger.post(
        step("a", model="gpt-5"),
        step("b", model="gpt-4o", context_id=GLOBEX.context_id),
        step("c", model="sonnet", started_us=START_US + HOUR_US, ended_us=START_US + HOUR_US),
    )
    moment = datetime(2026, 9, 21, 15, 13, 20, tzinfo=UTC)

    assert [row["step_id"] for row in ledger.steps(tenant="globex")] == ["b"]
    assert [row["step_id"] for row in ledger.steps(model=["gpt-5", "sonnet"])] == ["a", "c"]
    assert [row["step_id"] for row in ledger.steps(since=moment)] == ["c"]
    assert [row["step_id"] for row in ledger.steps(until=moment)] == ["a", "b"]
    assert [row["step_id"] for row in ledger.steps(price_id=None, tenant="acme")] == ["a", "c"]


def test_steps_are_read_in_pages(ledger: Ledger) -> None:
    """More steps than a page holds come out once each, in order."""
    ledger.post(*[step(f"s{number:04}") for number in range(2500)])

    assert [row["step_id"] for row in ledger.steps()] == [f"s{number:04}" for number in range(2500)]


@pytest.mark.parametrize("name", ["nope", "cost_nanousd); DROP TABLE steps; --", "extra.BAD"])
def test_unknown_column_is_refused(ledger: Ledger, name: str) -> None:
    """Only names of the ledger become SQL."""
    filters: dict[str, Any] = {name: "x"}
    with pytest.raises(ValueError, match="the ledger has no column"):
        ledger.spend([name])
    with pytest.raises(ValueError, match="the ledger has no column"):
        ledger.steps(**filters)


def test_spend_sums_by_tag_and_day_with_the_dearest_first(ledger: Ledger) -> None:
    """Two tenants on one day, and what is unattributed, estimated or unpriced among it."""
    ledger.post(
        step(cost_nanousd=5, missing_tags="team"),
        step(cost_nanousd=7, context_id=GLOBEX.context_id, cost_basis="estimated"),
        step(cost_nanousd=11, context_id=GLOBEX.context_id),
        step(cost_nanousd=0, cost_basis="unpriced"),
    )
    found = ledger.spend(["day", "tenant"])

    assert [(row["day"], row["tenant"], row["cost_nanousd"], row["steps"]) for row in found] == [
        ("2026-09-21", "globex", 18, 2),
        ("2026-09-21", "acme", 5, 2),
    ]
    assert (found[0]["not_reported_nanousd"], found[1]["unattributed_nanousd"]) == (7, 5)
    assert (found[0]["unpriced_steps"], found[1]["unpriced_steps"]) == (0, 1)


def test_spend_by_extra_tag(ledger: Ledger) -> None:
    """Extra tags group like the standard ones."""
    squad = context_row(feature="triage", extra={"squad": "blue"})
    ledger.post(squad, step(context_id=squad.context_id, cost_nanousd=3), step(cost_nanousd=2))

    assert [(row["extra.squad"], row["cost_nanousd"]) for row in ledger.spend(["extra.squad"])] == [
        ("blue", 3),
        ("", 2),
    ]
    blue: dict[str, Any] = {"extra.squad": "blue"}
    assert ledger.spend([], **blue)[0]["cost_nanousd"] == 3


def test_spend_of_an_empty_ledger_is_no_row(ledger: Ledger) -> None:
    """Nothing spent is an empty list, not a row of nulls."""
    assert ledger.spend() == []


def test_a_million_tiny_steps_sum_exactly(ledger: Ledger) -> None:
    """1,000,000 steps of $0.0000002 are $0.20: here 2,000 rows of 500 such steps' cost."""
    ledger.post(*[step(cost_nanousd=500 * 200) for _ in range(2000)])

    assert ledger.spend()[0]["cost_nanousd"] == 200_000_000


def test_task_tree_has_nodes_steps_inside_steps_and_child_tasks(ledger: Ledger) -> None:
    """The fan-out of one task with sums at every level, corrections under what they correct."""
    ledger.post(
        task("child", parent_task_id="task-1"),
        step("plan", path="supervisor", name="ChatOpenAI", model="gpt-5", cost_nanousd=100),
        step("search", path="supervisor/research", kind="tool", name="web_search", cost_nanousd=20),
        step("inner", path="supervisor/research", parent_step_id="search", name="m", cost_nanousd=3),
        step("other", task_id="child", kind="retriever", name="kb", cost_nanousd=1000),
    )
    ledger.correct("plan", reason="invoice", cost_nanousd=-40)

    assert outline(ledger.task("task-1")) == [
        "task task-1: 1083",
        "  node supervisor: 83",
        "    step ChatOpenAI gpt-5: 60",
        "      step ChatOpenAI gpt-5: -40",
        "    node research: 23",
        "      step web_search: 23",
        "        step m: 3",
        "  task child: 1000",
        "    step kb: 1000",
    ]
    assert ledger.task("task-1").steps == 4


def test_steps_that_claim_to_be_inside_each_other_do_not_vanish(ledger: Ledger) -> None:
    """Contradictory parents never hide a cost."""
    ledger.post(step("a", parent_step_id="b", cost_nanousd=1), step("b", parent_step_id="a", cost_nanousd=2))

    assert ledger.task("task-1").cost_nanousd == 3


def test_unknown_task_is_an_error(ledger: Ledger) -> None:
    """The error names the task."""
    with pytest.raises(LedgerError, match="has no task 'nope'"):
        ledger.task("nope")


def test_views_show_dollars_and_iso_times(ledger: Ledger, path: Path) -> None:
    """A person reads $0.02248625 and 2026-09-21T14:13:20Z."""
    ledger.post(step("s1", cost_nanousd=22_486_250, missing_tags="tenant"))
    ledger.post(TaskEnd("task-1", "finished", START_US + 2_000_000))

    assert rows(path, "SELECT started, seconds, cost_usd, unattributed, tenant FROM spend") == [
        ("2026-09-21T14:13:20.000000Z", 1.5, 0.02248625, 1, "acme")
    ]
    assert rows(path, "SELECT task_id, ended, steps, cost_usd FROM task_costs") == [
        ("task-1", "2026-09-21T14:13:22.000000Z", 1, 0.02248625)
    ]
    assert rows(path, "SELECT day, tenant, cost_usd, unattributed_usd FROM daily_spend") == [
        ("2026-09-21", "acme", 0.02248625, 0.02248625)
    ]


def test_paused_task_is_found_with_its_tags_and_paid_places(ledger: Ledger) -> None:
    """A thread's one unfinished task goes on with the context it began with."""
    ledger.post(task("t", thread_id="42", graph="g"), TaskEnd("t", "paused", None))
    ledger.post(step("s1", task_id="t", checkpoint_ns="n:1"), step("s2", task_id="t", checkpoint_ns="n:1"))
    found = ledger.unfinished_task("g", "42")

    assert found is not None
    assert (found.task_id, found.context, found.paid) == ("t", ACME, {("n:1", "model"): 2})
    assert ledger.unfinished_task("g", "43") is None
    assert ledger.unfinished_task("other", "42") is None
    assert ledger.unfinished_task("g", "") is None


def test_new_message_on_a_thread_supersedes_its_unfinished_tasks(ledger: Ledger, path: Path) -> None:
    """What was under way is cancelled, what failed stays failed; neither can be resumed."""
    thread = {"thread_id": "42", "graph": "g"}
    ledger.post(task("running", **thread), task("inner", parent_task_id="running", **thread))
    ledger.post(TaskEnd("running", "failed", START_US + 1))
    ledger.post(task("new", started_us=START_US + 5, **thread))
    found = ledger.unfinished_task("g", "42")

    assert found is not None
    assert found.task_id == "new"
    assert rows(path, "SELECT task_id, status, resumable, ended_us FROM tasks WHERE graph = 'g'") == [
        ("running", "failed", 0, START_US + 1),
        ("inner", "cancelled", 0, START_US + 5),
        ("new", "running", 1, None),
    ]


def test_child_task_does_not_supersede_the_task_that_opened_it(ledger: Ledger) -> None:
    """A nested task on the same thread leaves its parent to be resumed."""
    thread = {"thread_id": "42", "graph": "g"}
    ledger.post(task("root", **thread))
    ledger.post(task("nested", parent_task_id="root", started_us=START_US + 1, **thread))
    found = ledger.unfinished_task("g", "42")

    assert found is not None
    assert found.task_id == "root"


def test_resumed_task_keeps_its_first_start_and_context(ledger: Ledger, path: Path) -> None:
    """A second start of one id only sets it running again."""
    ledger.post(TaskEnd("task-1", "paused", None))
    ledger.post(task(context_id=GLOBEX.context_id, started_us=START_US + 7))

    assert rows(path, "SELECT context_id, started_us, status FROM tasks") == [
        (ACME.context_id, START_US, "running")
    ]


def test_correction_is_a_new_row_with_signed_differences(ledger: Ledger, path: Path) -> None:
    """The step stays as it was; sums follow the correction."""
    ledger.post(step("s1", cost_nanousd=100, output_tokens=50))
    row = ledger.correct("s1", reason="late end", cost_nanousd=-30, output_tokens=-10)

    assert rows(path, "SELECT cost_nanousd FROM steps WHERE step_id = 's1'") == [(100,)]
    assert (row.entry, row.corrects_step_id, row.usage_note) == ("correction", "s1", "late end")
    found = ledger.spend()[0]
    assert (found["cost_nanousd"], found["output_tokens"], found["steps"]) == (70, 40, 1)
    assert ledger.verify() == []


def test_correction_delivered_twice_counts_once(ledger: Ledger) -> None:
    """A correction with an id of its own is idempotent like a step."""
    ledger.post(step("s1", cost_nanousd=100))
    for _ in range(2):
        ledger.correct("s1", reason="late end", correction_id="c1", cost_nanousd=-30)

    assert ledger.spend()[0]["cost_nanousd"] == 70


def test_correction_of_nothing_is_refused(ledger: Ledger) -> None:
    """The step must exist, and the differences must be of its amounts."""
    ledger.post(step("s1"))
    with pytest.raises(LedgerError, match="has no step 'nope' to correct"):
        ledger.correct("nope", reason="x", cost_nanousd=1)
    with pytest.raises(ValueError, match="found 'task_id'"):
        ledger.correct("s1", reason="x", task_id=1)
    with pytest.raises(ValueError, match="expected a difference"):
        ledger.correct("s1", reason="x")
    with pytest.raises(TypeError, match="expected a whole number"):
        ledger.correct("s1", reason="x", cost_nanousd=True)


def test_clock_is_clamped_and_then_refused(path: Path) -> None:
    """Up to five seconds back count as no time passed; more is an error that names both times."""
    times = iter([START_US + 2_000_000, START_US - 3_000_000, START_US - 3_000_001])
    with Ledger.open(path, clock=lambda: next(times)) as ledger:
        assert ledger.now() == START_US + 2_000_000
        assert ledger.now() == START_US + 2_000_000
        with pytest.raises(LedgerUnavailable, match=r"clock says 2026-09-21T14:13:16\.999999"):
            ledger.now()


def test_clock_is_compared_with_the_ledgers_last_row(path: Path) -> None:
    """A machine whose clock was set back does not write into closed windows after a restart."""
    with Ledger.open(path) as ledger:
        ledger.post(ACME, task(), step())
    with (
        Ledger.open(path, clock=lambda: START_US - HOUR_US) as again,
        pytest.raises(LedgerUnavailable, match="set the clock right"),
    ):
        again.now()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deliveries=st.lists(st.tuples(st.integers(0, 15), st.integers(-(2**40), 2**40)), min_size=1, max_size=60),
    size=st.integers(1, 40),
)
def test_any_redelivery_leaves_the_first_of_each_step(deliveries: list[tuple[int, int]], size: int) -> None:
    """However steps are repeated and grouped, the ledger's sum is that of each id's first delivery."""
    first: dict[int, int] = {}
    for number, cost in deliveries:
        first.setdefault(number, cost)
    with Ledger.open(":memory:") as ledger:
        ledger.post(ACME, task())
        for at in range(0, len(deliveries), size):
            ledger.post(*[step(f"s{n}", cost_nanousd=cost) for n, cost in deliveries[at : at + size]])
        total = ledger.spend()[0]

    assert (total["steps"], total["cost_nanousd"]) == (len(first), sum(first.values()))
