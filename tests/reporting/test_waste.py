"""What was paid for twice or for nothing: each dollar once, and all of it the ledger's."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, RetryPolicy, interrupt

from hooks.graphs import State, graph_of
from ledger.rows import step
from reporting.kit import CONTEXTS, DAY, ZONES, cost, spending, write
from reporting.priced import prune
from scripted import STEP_NANOUSD, ScriptedModel, scripted_policy
from spendgraph import CostContext, Meter
from spendgraph.ledger import StepRow
from spendgraph_reports.books import Books
from spendgraph_reports.efficiency import waste
from spendgraph_reports.efficiency.waste import WASTED
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US, Period

SEPTEMBER = Period.month("2026-09")
ACME = CostContext(feature="triage", team="support", tenant="acme")
FAILED = {"error", "cut", "cancelled"}


@st.composite
def attempts(draw: st.DrawFn) -> list[StepRow]:
    """Random spending, some of it in later attempts of a few nodes."""
    namespaces: dict[str, tuple[str, int]] = {}

    def placed(row: StepRow) -> StepRow:
        first = row.corrects_step_id or row.step_id
        if first not in namespaces:
            namespaces[first] = draw(st.sampled_from(["", "a:1", "b:2"])), draw(st.integers(1, 3))
        ns, attempt = namespaces[first]
        return row._replace(checkpoint_ns=ns, attempt=attempt)

    return [placed(row) for row in draw(spending())]


def expected(rows: Sequence[StepRow], period: Period) -> dict[str, int]:
    """The columns, from the rows themselves."""
    sums = dict.fromkeys((*WASTED, "wasted_calls"), 0)
    charges = sorted(
        (row for row in rows if row.entry == "charge"), key=lambda row: (row.started_us, rows.index(row))
    )
    for row in charges:
        late = [each for each in rows if each.corrects_step_id == row.step_id]
        paid = row.cost_nanousd + sum(each.cost_nanousd for each in late)
        same = [
            each
            for each in charges
            if (each.task_id, each.checkpoint_ns, each.kind, each.name)
            == (row.task_id, row.checkpoint_ns, row.kind, row.name)
        ]
        nth = [each for each in same if each.attempt == row.attempt].index(row) + 1
        answered = 0
        for attempt in range(1, row.attempt):
            made = [each for each in same if each.attempt == attempt]
            answered = max([answered, *(at for at, each in enumerate(made, 1) if each.status == "ok")])
        if row.is_replay:
            kind = "replay_nanousd"
        elif row.checkpoint_ns and row.attempt > 1 and nth <= answered:
            kind = "retry_nanousd"
        elif row.status not in FAILED:
            continue
        else:
            kind = "unheard_nanousd" if row.cost_basis == "upper_bound" and not late else "failed_nanousd"
        if row.started_us in period:
            sums[kind] += paid
            sums["wasted_calls"] += paid != 0
    return sums


@settings(max_examples=12)
@given(
    attempts(),
    st.sampled_from(ZONES),
    st.booleans(),
    st.sampled_from([["feature"], ["team", "kind"], ["tenant"]]),
)
def test_each_dollar_is_wasted_once(rows: list[StepRow], zone: str, roll: bool, by: list[str]) -> None:
    """The columns add up to what the rows say, the waste to the columns, and the cost to the ledger's."""
    period = Period.month("2026-09", zone)
    with (
        tempfile.TemporaryDirectory() as folder,
        Books(write(Path(folder, "ledger.db"), rows, roll=roll), zone=zone) as books,
    ):
        report = waste(books, period, by=by)
    wanted = expected(rows, period)
    assert {name: int(report.frame[name].sum()) for name in wanted} == wanted
    assert report.frame["cost_nanousd"].sum() == cost(rows, *closed(period))
    assert (report.frame[list(WASTED)].sum(axis=1) == report.frame["waste_nanousd"]).all()


def booked(step_id: str, **columns: Any) -> StepRow:
    """A step of triage's, in September."""
    return step(
        step_id, **{"context_id": CONTEXTS[0].context_id, "started_us": DAY, "ended_us": DAY + 9, **columns}
    )


def wasted(path: Path) -> dict[str, Any]:
    """The totals of all there is, that are not zero."""
    with Books(path) as books:
        span = books.span()
        assert span is not None
        return {name: total for name, total in waste(books, span).totals.items() if total}


def test_a_graph_that_goes_on_pays_again_as_a_replay(tmp_path: Path) -> None:
    """The call before the interrupt is made twice; the second time is waste."""
    model = ScriptedModel()

    def work(state: State) -> State:
        model.invoke("before the question")
        interrupt("go on?")
        model.invoke("after the answer")
        return state

    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as meter:
        graph = graph_of(work, InMemorySaver())
        graph.invoke({"n": 0}, meter.config(ACME, thread_id="1"))
        graph.invoke(Command(resume="yes"), meter.config(thread_id="1"))
    assert wasted(tmp_path / "ledger.db") == {
        "cost_nanousd": 3 * STEP_NANOUSD,
        "waste_nanousd": STEP_NANOUSD,
        "replay_nanousd": STEP_NANOUSD,
        "wasted_calls": 1,
    }


def test_a_node_that_fails_after_its_call_pays_again_as_a_retry(tmp_path: Path) -> None:
    """The call had been answered, the node failed later: its second attempt makes it again, and a new one after it."""
    model, failures = ScriptedModel(), [ValueError("bug")]

    def work(state: State) -> State:
        model.invoke("first")
        if failures:
            raise failures.pop()
        model.invoke("second")
        return state

    with Meter(tmp_path / "ledger.db", policy=scripted_policy()) as meter:
        policy = RetryPolicy(initial_interval=0.001, max_attempts=2, retry_on=ValueError)
        graph_of(work, retry_policy=policy).invoke({"n": 0}, meter.config(ACME))
    assert wasted(tmp_path / "ledger.db") == {
        "cost_nanousd": 3 * STEP_NANOUSD,
        "waste_nanousd": STEP_NANOUSD,
        "retry_nanousd": STEP_NANOUSD,
        "wasted_calls": 1,
    }


def test_a_call_that_failed_is_waste_once(tmp_path: Path) -> None:
    """It cost 3 and was tried again for 5: the 3 are wasted, the 5 are not."""
    path = write(
        tmp_path / "ledger.db",
        [
            booked("a", cost_nanousd=3, status="error", checkpoint_ns="n:1"),
            booked("b", started_us=DAY + 9, ended_us=DAY + 9, cost_nanousd=5, checkpoint_ns="n:1", attempt=2),
        ],
    )
    assert wasted(path) == {"cost_nanousd": 8, "waste_nanousd": 3, "failed_nanousd": 3, "wasted_calls": 1}


@pytest.mark.parametrize(
    ("late", "column", "left"),
    [
        ({}, "unheard_nanousd", 100),
        ({"status": "cancelled"}, "failed_nanousd", 40),
        ({"status": "ok"}, "", 0),
    ],
    ids=["never heard of", "cancelled, and heard late", "answered, and heard late"],
)
def test_a_call_whose_end_was_not_heard_is_what_its_late_end_makes_it(
    tmp_path: Path, late: dict[str, str], column: str, left: int
) -> None:
    """Held at 100, really 40: an upper bound until it is corrected, and no waste where it was answered after all."""
    values: dict[str, Any] = {"cost_basis": "upper_bound", "status": "cancelled"}
    rows = [booked("a", cost_nanousd=100, **values)]
    if late:
        values |= {"entry": "correction", "corrects_step_id": "a", "cost_basis": "reported", **late}
        rows.append(booked("a/late", cost_nanousd=-60, **values))
    found = wasted(write(tmp_path / "ledger.db", rows))
    assert found.get("waste_nanousd", 0) == left
    assert not column or found[column] == left


def test_findings_say_where_most_is_wasted(tmp_path: Path) -> None:
    """In all, by kind, and whose."""
    dollar = 10**9
    path = write(
        tmp_path / "ledger.db",
        [
            booked("a", cost_nanousd=2 * dollar, is_replay=1),
            booked("b", cost_nanousd=dollar, status="cut"),
            booked("c", cost_nanousd=17 * dollar),
        ],
    )
    with Books(path) as books:
        (said,) = waste(books, SEPTEMBER).findings
    assert said == (
        "$3.00 was paid for twice or for nothing, 15.0 % of $20.00: $2.00 for replays after interrupts, $1.00 for calls that"
        " failed, were cut off or cancelled."
    )


def test_what_was_pruned_costs_and_can_not_be_told_apart(tmp_path: Path) -> None:
    """The cost is the ledger's, the waste that of the calls that are left."""
    rows = [
        booked("a", cost_nanousd=5, is_replay=1, started_us=DAY - DAY_US),
        booked("b", cost_nanousd=7, is_replay=1),
    ]
    path = write(tmp_path / "ledger.db", rows)
    prune(path, DAY)
    with Books(path) as books:
        report = waste(books, SEPTEMBER)
    assert (report.totals["cost_nanousd"], report.totals["replay_nanousd"]) == (12, 7)
    assert "may be pruned" in report.caveats[-1]


def test_an_empty_period_wastes_nothing(tmp_path: Path) -> None:
    """And has no row."""
    with Books(write(tmp_path / "ledger.db", [])) as books:
        report = waste(books, SEPTEMBER)
    assert report.is_empty
    assert report.findings == ("Nothing of $0.00 was paid for twice or for nothing.",)
