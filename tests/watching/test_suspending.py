"""Suspending: who loops is stopped, in every process; nothing that comes late, and no new price, ever stops anybody."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from budgets.fanout import PRICES
from ledger.rows import rows
from scripted import ScriptedModel
from spendgraph import BreakerOpen, CostContext, Meter
from spendgraph.ledger import PriceRow
from watching.conftest import Make
from watching.kit import DAY, GRACE, HOUR, MINUTE, STOPPING, USD, World

ACME = CostContext(feature="triage", team="support", tenant="acme")
MONTH = 28 * 24


class State(TypedDict):
    """What the graph answers."""

    answer: str


def graph_of(model: ScriptedModel) -> Any:
    """A graph of one node that calls a model."""

    def ask(_: State) -> dict[str, str]:
        return {"answer": str(model.invoke("hi").content)}

    graph = StateGraph(State)
    graph.add_node("ask", RunnableLambda(ask))
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    return graph.compile()


@pytest.fixture
def world(make: Make) -> World:
    """Four usual weeks of two tenants, and a policy that stops who loops."""
    world = make(PRICES + STOPPING)
    world.usual(MONTH, ["acme", "globex"])
    world.now_us += GRACE
    world.look()
    return world


def test_a_graph_of_the_tenant_that_loops_is_refused_until_the_breaker_closes(world: World) -> None:
    """Other tenants go on; after an hour one call tries, is answered, and everything goes on."""
    for _ in range(40):
        world.burn(10, 1)
        if world.look().suspended:
            break
    assert world.stopped() == ["tenant=acme"]
    with Meter(world.path, policy=world.policy, clock=lambda: world.now_us) as meter:
        model = ScriptedModel()
        graph = graph_of(model)
        with pytest.raises(BreakerOpen) as refused:
            graph.invoke({}, meter.config(ACME))
        assert model.requests == 0
        assert (refused.value.breaker, refused.value.tripped_by) == ("suspended", "spendgraph watch")
        assert "more than usual is spent, and it goes on at" in refused.value.why
        assert graph.invoke({}, meter.config(ACME.replace(tenant="globex")))["answer"] == "ok"
        world.now_us += HOUR
        assert graph.invoke({}, meter.config(ACME))["answer"] == "ok"
        assert graph.invoke({}, meter.config(ACME))["answer"] == "ok"
    ((breaker, excess, severity),) = rows(
        world.path, "SELECT breaker, suspended_excess_nanousd, severity FROM incidents WHERE breaker <> ''"
    )
    assert (breaker, severity) == ("suspended", "high" if excess >= 250 * USD else "medium")
    assert excess >= 100 * USD
    assert world.ledger.verify() == []


def test_people_are_told_that_somebody_was_stopped(world: World) -> None:
    """At once, as critical, with how to let them go on; and only once."""
    told: list[dict[str, Any]] = []
    for _ in range(40):
        world.burn(10, 1)
        told += [dict(news.notice) for news in world.look().news]
    stopped = [notice for notice in told if "opened" in notice["title"]]
    assert len(stopped) >= 1
    assert len({notice["key"] for notice in stopped}) == len(stopped)
    assert {notice["severity"] for notice in stopped} == {"critical"}
    assert (
        "`spendgraph breakers reset suspended --scope tenant=acme` lets them go on." in stopped[0]["message"]
    )
    assert stopped[0]["to"] == ("growth",)
    assert len(rows(world.path, "SELECT * FROM decisions WHERE outcome = 'tripped'")) == 1


def test_on_the_first_day_three_thousand_dollars_an_hour_stop_their_tenant(make: Make) -> None:
    """Nothing is known of the tenant but that nobody can mean that."""
    world = make(STOPPING)
    begun_us = world.usual(6)
    while not world.look().suspended:
        world.burn(50, 1)
    assert world.now_us - begun_us <= 25 * MINUTE
    assert world.stopped() == ["tenant=acme"]


def test_what_is_over_stops_nobody(world: World) -> None:
    """A loop of half an hour that ended half an hour ago, as dear as it was."""
    world.burn(20, 30)
    world.now_us += 30 * MINUTE + GRACE
    look = world.look()
    assert len(look.news) == 1
    assert (look.suspended, world.stopped()) == ([], [])


def test_without_suspend_people_are_told_and_decide(make: Make) -> None:
    """The breaker stays closed."""
    world = make(STOPPING.replace(", suspend: true", ""))
    world.usual(MONTH)
    world.burn(20, 30)
    assert len(world.look().news) == 1
    assert world.stopped() == []


def test_little_money_stops_nobody(make: Make) -> None:
    """As unusual as it is: less than a hundred dollars, or less than a hundred an hour."""
    world = make(STOPPING)
    world.usual(MONTH, usd=0.1)
    for _ in range(60):
        world.burn(1.5, 1)
        world.look()
    assert world.incidents()
    assert world.stopped() == []


def late_rows(world: World) -> None:
    """Calls of the last hour that come hours after they were over, as from a spool of another machine."""
    for minute in range(15):
        world.spend(100, world.now_us - minute * MINUTE, recorded_us=world.now_us + 3 * HOUR)


def old_rows(world: World) -> None:
    """A journal of three days ago is folded in."""
    for minute in range(60):
        world.spend(100, world.now_us - 3 * DAY - minute * MINUTE)


def corrections(world: World) -> None:
    """Calls of the last minutes turn out to have cost a hundred times as much."""
    for minute in range(10):
        row = world.spend(1, world.now_us - minute * MINUTE)
        world.ledger.correct(row.step_id, reason="restated", cost_nanousd=100 * USD)


def an_import(world: World) -> None:
    """What another tool has kept of the last hours is brought in now."""
    for minute in range(120):
        world.spend(50, world.now_us - minute * MINUTE, recorded_us=world.now_us + DAY)


@pytest.mark.parametrize(
    "come", [late_rows, old_rows, corrections, an_import], ids=lambda each: each.__name__
)
def test_what_comes_late_stops_nobody(world: World, come: Callable[[World], None]) -> None:
    """It may be told; nobody is stopped, now or when its hour is scored."""
    come(world)
    suspended: list[str] = []
    for _ in range(8):
        world.now_us += 15 * MINUTE
        suspended += world.look().suspended
    assert (suspended, world.stopped()) == ([], [])


def test_what_comes_late_for_an_hour_that_was_scored_is_noted_and_judged_no_more(world: World) -> None:
    """The bin stands as it was; the note says what has changed, once."""
    before = world.incidents()
    states = world.states()
    hour_us = world.now_us - GRACE - 5 * HOUR
    world.spend(400, hour_us + MINUTE)
    world.spend(100, hour_us + 2 * MINUTE)
    look = world.look()
    assert (look.changed, look.late_nanousd, look.news) == (1, 500 * USD, [])
    assert (world.look().changed, world.incidents(), world.states()) == (0, before, states)
    (noted,) = world.ledger.watched.changes("tenants")
    assert (noted["scope"], noted["bin_us"], noted["rows"], noted["change_nanousd"]) == (
        "tenant=acme",
        hour_us,
        2,
        500 * USD,
    )


def priced(world: World, usd_per_minute: float, tokens: int, price: str) -> None:
    """A minute of calls at a price."""
    world.ledger.post(PriceRow(price, "openai", "gpt-5", "policy", "", "{}", ""))
    world.burn(usd_per_minute, 1, price_id=price, input_tokens=tokens)


def test_a_new_price_stops_nobody(make: Make) -> None:
    """The same calls cost thirty times as much from one minute to the next: that is told, and no reason to stop anybody."""
    world = make(STOPPING)
    world.usual(MONTH, usd=60)
    for _ in range(180):
        priced(world, 1, 1000, "old-price")
    news = 0
    for _ in range(60):
        priced(world, 30, 1000, "new-price")
        news += len(world.look().news)
    assert news > 0
    assert world.stopped() == []


def test_a_loop_at_a_new_price_is_counted_at_the_old_one(make: Make) -> None:
    """At twice the price ten thousand tokens a minute are twenty dollars, of which ten count; before it was a dollar."""
    world = make(STOPPING)
    world.usual(MONTH, usd=60)
    for _ in range(180):
        priced(world, 1, 1000, "old-price")
    for _ in range(60):
        priced(world, 20, 10_000, "new-price")
        if world.look().suspended:
            break
    (row,) = world.ledger.breakers()
    assert re.search(r"it goes on at \$5[0-9][0-9]\.[0-9]{2} an hour", row["reason"])


def test_whom_a_person_lets_go_on_is_not_stopped_again_for_the_same_incident(world: World) -> None:
    """The loop goes on, and so does the person's word."""
    for _ in range(40):
        world.burn(10, 1)
        if world.look().suspended:
            break
    world.ledger.switchboard.reset("suspended", "tenant=acme", by="ann", why="a launch")
    again: list[str] = []
    for _ in range(60):
        world.burn(10, 1)
        again += world.look().suspended
    assert again == []


def test_who_loops_on_after_the_breaker_has_closed_by_itself_is_stopped_again(world: World) -> None:
    """Once another hundred dollars are gone."""
    suspended = 0
    with Meter(world.path, policy=world.policy, clock=lambda: world.now_us) as meter:
        for _ in range(180):
            world.burn(10, 1)
            suspended += len(world.look().suspended)
            if meter.ledger.breakers() and meter.ledger.breakers()[0]["open_until_us"] <= world.now_us:
                ScriptedModel().invoke("hi", meter.config(ACME))
    assert suspended >= 2
    (row,) = world.ledger.breakers()
    assert row["trips"] == suspended
