"""Each kind of breaker trips at exactly the call that it is there for, and at none before."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from langchain_core.tools import tool
from openai import OpenAI

from breakers.kit import (
    ACME,
    CALL_NANOUSD,
    GLOBEX,
    MINUTE,
    SECOND,
    WAYS,
    Clock,
    call,
    decisions,
    meter,
    policy,
    state,
)
from budgets.test_raw_calls import CALL, Server
from scripted import ScriptedModel
from spendgraph import BreakerOpen, BudgetExceeded, CostContext, Meter, Refusal
from spendgraph.policy import parse_policy

EVERY_WAY = pytest.mark.parametrize("way", WAYS)
VELOCITY = "name: velocity, owner: growth, per: tenant, usd_per_minute: '0.03'"


@EVERY_WAY
def test_more_than_so_much_within_a_minute_trips(tmp_path: Path, way: str) -> None:
    """Four calls are three cents; the fifth trips the breaker and is not sent. Other tenants go on."""
    clock = Clock()
    with meter(tmp_path, VELOCITY, clock) as metered:
        for _ in range(4):
            call(metered, way=way)
        with pytest.raises(BreakerOpen) as caught:
            call(metered, way=way)
        refusal = caught.value
        assert (refusal.breaker, refusal.scope, refusal.owner) == ("velocity", "tenant=acme", "growth")
        assert (refusal.reason, refusal.tripped_by) == ("breaker_open", "")
        assert refusal.why == (
            "more than $0.03 within a minute: $0.03 is spent, $0.00 is held by calls under way,"
            " and a call asked for $0.0075"
        )
        assert isinstance(refusal, Refusal)
        assert refusal.until in str(refusal)
        assert "spendgraph breakers reset velocity --scope tenant=acme" in refusal.hint
        assert call(metered, GLOBEX, way).requests == 1
        assert metered.ledger.verify() == []
        assert metered.ledger.windows() == []
    assert decisions(tmp_path) == [("breaker", "tripped")]


def test_a_trip_is_announced_with_whom_to_tell(tmp_path: Path) -> None:
    """One row, written with the trip itself, which has everything a notification needs."""
    with (
        meter(tmp_path, f"{VELOCITY}, to: [team-lead]", more="notify: {team-lead: ['json://x']}") as metered,
        metered.task(ACME) as task,
    ):
        for _ in range(4):
            ScriptedModel().invoke("hi")
        with pytest.raises(BreakerOpen):
            ScriptedModel().invoke("hi")
        task_id = task.task_id
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        query = "SELECT task_id, tenant, outcome, reason, detail FROM decision_log WHERE kind = 'breaker'"
        (row,) = connection.execute(query).fetchall()
    assert row[:3] == (task_id, "acme", "tripped")
    assert row[3].startswith("more than $0.03 within a minute")
    detail = json.loads(row[4])
    assert detail.pop("until") > "2026"
    assert detail == {
        "breaker": "velocity", "scope": "tenant=acme", "owner": "growth", "to": ["team-lead"], "by": "",
        "limit_nanousd": 30_000_000, "spent_nanousd": 30_000_000, "held_nanousd": 0, "asked_nanousd": CALL_NANOUSD,
    }  # fmt: skip


def test_the_same_spread_over_more_than_a_minute_does_not_trip(tmp_path: Path) -> None:
    """What is older than a minute, and the part of it that counts whole, is forgotten."""
    clock = Clock()
    with meter(tmp_path, VELOCITY, clock) as metered:
        for _ in range(30):
            call(metered)
            clock.pass_(16 * SECOND)
    assert decisions(tmp_path) == []


def test_a_loop_that_would_spend_three_thousand_dollars_an_hour_is_stopped_within_its_first_five(
    tmp_path: Path,
) -> None:
    """Ten calls a second at $0.0834 each."""
    clock, model = Clock(), ScriptedModel()
    prices = """
prices:
  models:
    - {provider: "*", model: scripted, input_usd_per_mtok: 0, output_usd_per_mtok: 0, usd_per_request: "0.0834"}
breakers:
  - {name: velocity, per: [tenant], usd_per_minute: "5", open_for: 15m}
"""
    refused = 0
    with Meter(tmp_path / "ledger.db", policy=parse_policy(prices), clock=clock) as metered:
        for _ in range(36_000 // 60):  # a minute
            try:
                model.invoke("hi", metered.config(ACME))
            except BreakerOpen:
                refused += 1
            clock.pass_(SECOND // 10)
        (row,) = metered.ledger.spend()
        assert metered.ledger.verify() == []
    assert model.requests == 59
    assert refused == 541
    assert row["cost_nanousd"] == 4_920_600_000


@pytest.mark.parametrize("period", ["hour", "day", "total"])
@EVERY_WAY
def test_more_than_so_much_in_a_period_trips(tmp_path: Path, way: str, period: str) -> None:
    """And still after the breaker's time, until the period is over: the probe would pass the limit, too."""
    clock = Clock()
    clock.now_us -= clock.now_us % (86_400 * SECOND) - 86_400 * SECOND  # tomorrow, at midnight
    with meter(tmp_path, f"name: c, per: tenant, limit_usd: '0.015', period: {period}", clock) as metered:
        for _ in range(2):
            call(metered, way=way)
        for _ in range(2):
            with pytest.raises(BreakerOpen, match=r"more than \$0.015"):
                call(metered, way=way)
        clock.pass_(15 * MINUTE)
        with pytest.raises(BreakerOpen, match="it trips"):
            call(metered, way=way)
        clock.pass_(86_400 * SECOND)
        if period == "total":
            with pytest.raises(BreakerOpen, match="it trips"):
                call(metered, way=way)
        else:
            assert call(metered, way=way).requests == 1
            assert state(metered) == "closed"
        assert metered.ledger.verify() == []


def test_branches_at_once_pass_no_limit(tmp_path: Path) -> None:
    """Twenty threads, room for four; what is under way counts."""
    with meter(tmp_path, VELOCITY) as metered, metered.task(ACME):

        def one(_: int) -> str:
            try:
                return str(ScriptedModel().invoke("hi", metered.config(ACME)).content)
            except BreakerOpen:
                return "refused"

        with ThreadPoolExecutor(20) as pool:
            said = list(pool.map(one, range(20)))
        assert said.count("ok") == 4
        assert metered.ledger.verify() == []
    assert decisions(tmp_path).count(("breaker", "tripped")) == 1


def finished_tasks(metered: Meter, calls: list[int], context: CostContext = ACME) -> None:
    """One finished task of so many calls each."""
    for count in calls:
        with metered.task(context):
            for n in range(count):
                ScriptedModel().invoke(f"{n}")
    metered.flush()


MEDIAN = "name: task cost, per: feature, times_median: 3, min_history: 4"


@EVERY_WAY
def test_a_task_that_costs_many_times_the_median_trips_for_itself(tmp_path: Path, way: str) -> None:
    """Of 1, 1, 2, 2 and 9 calls the median is 2; a task may make 6. Only the seventh is refused, and only there."""
    with meter(tmp_path, MEDIAN) as before:
        finished_tasks(before, [1, 1, 2, 2, 4])
    with meter(tmp_path, MEDIAN) as metered:

        async def known() -> None:
            async with metered.task(ACME.replace(user="first")):
                await ScriptedModel().ainvoke("hi")  # on a loop the first call only asks for the median
                until = time.monotonic() + 10
                while not metered.recorder.reservations._guarding._authority._medians._known:  # type: ignore[union-attr]  # pyright: ignore
                    assert time.monotonic() < until
                    await asyncio.sleep(0.005)

        if way == "ainvoke":
            asyncio.run(known())
        with metered.task(ACME) as task:
            for n in range(6):
                call(metered, way=way, text=str(n))
            with pytest.raises(BreakerOpen) as caught:
                call(metered, way=way)
            assert caught.value.scope == f"task={task.task_id}"
            assert "3 times $0.015, the median of 5 finished tasks of feature=triage" in caught.value.why
            with pytest.raises(BreakerOpen, match="is open"):
                call(metered, way=way)
        with metered.task(ACME):
            assert call(metered, way=way).requests == 1
        assert metered.ledger.verify() == []


def test_tasks_of_other_features_and_free_ones_are_no_history(tmp_path: Path) -> None:
    """Three tasks are fewer than four, whatever else there is."""
    with meter(tmp_path, MEDIAN) as metered:
        finished_tasks(metered, [1, 1, 1])
        finished_tasks(metered, [1, 1, 1], ACME.replace(feature="search"))
        for _ in range(3):
            with metered.task(ACME):
                _clock.invoke({})
    with meter(tmp_path, MEDIAN) as metered, metered.task(ACME):
        for n in range(20):
            ScriptedModel().invoke(str(n))


def test_a_correction_counts_in_the_median(tmp_path: Path) -> None:
    """A task whose step was corrected is compared with at what it cost after all."""
    with meter(tmp_path, MEDIAN) as metered:
        finished_tasks(metered, [1, 1, 1, 1])
        for step in list(metered.ledger.steps()):
            metered.ledger.correct(step["step_id"], reason="credit", cost_nanousd=CALL_NANOUSD)
        found = metered.ledger.median_task_cost({"feature": ["triage"]})
        assert found == (2 * CALL_NANOUSD, 4)
        assert metered.ledger.median_task_cost({"x_region": ["eu"]}) == (0, 0)


def test_a_task_is_compared_exactly_across_processes_and_meters(tmp_path: Path) -> None:
    """Its cost so far is a counter of the ledger's."""
    with meter(tmp_path, MEDIAN) as metered:
        finished_tasks(metered, [1, 1, 1, 1])
    context = ACME.replace(task_id="long")
    for _ in range(3):
        with meter(tmp_path, MEDIAN) as metered, metered.task(context):
            ScriptedModel().invoke("hi")
    with meter(tmp_path, MEDIAN) as metered, metered.task(context), pytest.raises(BreakerOpen):
        ScriptedModel().invoke("hi")


@tool
def _clock() -> str:
    """Tell the time."""
    return "noon"


@EVERY_WAY
def test_the_nth_identical_call_of_a_model_trips(tmp_path: Path, way: str) -> None:
    """Others in between or not, in any number of tasks: each task has its own count."""
    with meter(tmp_path, "name: stuck loop, per: task, identical_calls: 3, owner: growth") as metered:
        for _ in range(5):
            call(metered, way=way)
        with metered.task(ACME) as task:
            for text in ("a", "b", "a", "c"):
                call(metered, way=way, text=text)
            with pytest.raises(BreakerOpen) as caught:
                call(metered, way=way, text="a")
            assert caught.value.scope == f"task={task.task_id}"
            assert caught.value.why == "3 identical calls among the task's latest"
            with pytest.raises(BreakerOpen):
                call(metered, way=way, text="d")
        assert metered.ledger.verify() == []


def test_only_the_last_sixty_four_calls_are_looked_at(tmp_path: Path) -> None:
    """Two identical calls with 63 others in between are no loop of two."""
    with meter(tmp_path, "name: stuck loop, identical_calls: 2") as metered, metered.task(ACME):
        for n in range(64):
            ScriptedModel().invoke(str(n))
        ScriptedModel().invoke("0")
        with pytest.raises(BreakerOpen):
            ScriptedModel().invoke("2")


def test_a_call_that_its_budget_refuses_trips_nothing(tmp_path: Path) -> None:
    """It would not have been spent."""
    budgets = "budgets: [{name: cap, per: tenant, limit_usd: '0.015'}]"
    with meter(tmp_path, VELOCITY.replace("0.03", "0.02"), more=budgets) as metered:
        for _ in range(2):
            call(metered)
        with pytest.raises(BudgetExceeded):
            call(metered)
        assert [row["budget"] for row in metered.ledger.windows()] == ["cap"]
        assert metered.ledger.verify() == []
    assert decisions(tmp_path) == [("budget", "refused")]


def test_what_was_recorded_counts_and_is_never_refused(tmp_path: Path) -> None:
    """The money is gone already; what comes next trips."""
    with meter(tmp_path, VELOCITY) as metered, metered.task(ACME):
        metered.record("human_review", usd="2.50")
        with pytest.raises(BreakerOpen):
            ScriptedModel().invoke("hi")
        metered.record("human_review", usd="2.50")
        assert metered.ledger.verify() == []


def test_raw_calls_and_priced_tools_are_guarded(tmp_path: Path) -> None:
    """Whatever makes the call."""
    server = Server()
    client = OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(server)))
    prices = """
tools: {search: {usd_per_call: "0.01"}}
prices: {models: [{model: "*", input_usd_per_mtok: 0, output_usd_per_mtok: "1", usd_per_request: "0.01"}]}
breakers: [{name: velocity, usd_per_minute: "0.02"}]
"""
    ran: list[str] = []

    @tool
    def search() -> str:
        """Search."""
        ran.append("search")
        return "found"

    with Meter(tmp_path / "ledger.db", policy=parse_policy(prices)) as metered:
        metered.call(client.responses.create, **CALL)
        search.invoke({}, metered.config(ACME))
        with pytest.raises(BreakerOpen):
            search.invoke({}, metered.config(ACME))
        with pytest.raises(BreakerOpen):
            metered.call(client.responses.create, **CALL)
        assert _clock.invoke({}, metered.config(ACME)) == "noon"
    assert (ran, server.requests) == (["search"], 1)


def test_a_free_model_trips_nothing_and_is_stopped_by_a_person(tmp_path: Path) -> None:
    """Zero is not much, but open is open."""
    free = parse_policy(
        "prices: {models: [{model: scripted, input_usd_per_mtok: 0, output_usd_per_mtok: 0}]}\n"
        "breakers: [{name: velocity, per: tenant, usd_per_minute: 0}]"
    )
    with Meter(tmp_path / "ledger.db", policy=free) as metered:
        call(metered)
        metered.ledger.switchboard.trip(
            "velocity", "tenant=acme", by="ann", why="leaked key", open_for_us=MINUTE
        )
        with pytest.raises(BreakerOpen, match=r"tripped by ann \(leaked key\)"):
            call(metered)


@pytest.mark.parametrize("has_breakers", [False, True])
def test_nothing_is_asked_of_a_ledger_without_breakers_or_budgets(tmp_path: Path, has_breakers: bool) -> None:
    """Such a policy takes no reservation at all."""
    made = policy(VELOCITY) if has_breakers else parse_policy("")
    with Meter(tmp_path / "ledger.db", policy=made) as metered:
        assert metered.recorder.reserves is has_breakers
