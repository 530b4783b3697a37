"""What a running program's ledger can run into: refused by default, let out and booked later where the policy says so."""

# LangGraph's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from budgets.fanout import CALL_NANOUSD, PRICES
from budgets.test_traps import WAYS, counters
from faults.kit import (
    BOTH_WAYS,
    CLOCK,
    EVAL,
    EVERY_FAULT,
    EVERY_WAY,
    FAULTS,
    LENIENT,
    PRODUCTION,
    decisions,
    file_gone,
    files_beside,
    lenient,
    locked,
)
from scripted import ScriptedModel
from spendgraph import LedgerBusy, LedgerUnavailable, Meter
from spendgraph.ledger import DecisionRow
from spendgraph.policy import parse_policy


@EVERY_WAY
@EVERY_FAULT
def test_a_call_is_not_sent_and_goes_out_once_it_is_mended(
    meter: Meter, path: Path, model: ScriptedModel, fault: str, way: str
) -> None:
    """A typed error, zero provider calls, and afterwards everything is as if nothing had been."""
    WAYS[way](model, meter.config(PRODUCTION))
    meter.flush()
    with FAULTS[fault](path):
        for _ in range(2):
            with pytest.raises(LedgerUnavailable) as caught:
                WAYS[way](model, meter.config(PRODUCTION))
            assert (type(caught.value) is LedgerBusy) == (fault == "locked")
            assert str(path) in str(caught.value) or fault == "clock back"
        assert model.requests == 1
    WAYS[way](model, meter.config(PRODUCTION))
    assert model.requests == 2
    assert counters(meter) == (2 * CALL_NANOUSD, 0)
    assert meter.ledger.verify() == []
    assert files_beside(path) == []


@EVERY_WAY
@EVERY_FAULT
def test_a_call_that_the_policy_allows_is_sent_and_booked_once_it_is_mended(
    meter: Meter, path: Path, model: ScriptedModel, fault: str, way: str
) -> None:
    """Nothing was held; what it cost is in its window, once, and a decision says that it went out."""
    WAYS[way](model, meter.config(EVAL))
    meter.flush()
    with FAULTS[fault](path):
        for _ in range(2):
            WAYS[way](model, meter.config(EVAL))
            with pytest.raises(LedgerUnavailable):
                WAYS[way](model, meter.config(PRODUCTION))
        assert model.requests == 3
    if way.startswith(
        "a"
    ):  # an event loop gives a ledger that is known to fail 25 ms, which a busy machine may need
        meter.flush()
    WAYS[way](model, meter.config(EVAL))
    assert model.requests == 4
    assert counters(meter) == (4 * CALL_NANOUSD, 0)
    assert [row["reserved_nanousd"] for row in meter.ledger.steps()].count(None) == 2
    assert {row["environment"] for row in meter.ledger.steps()} == {"eval"}
    assert decisions(meter) == [("ledger", "allowed")] * 2
    assert meter.ledger.verify() == []
    assert files_beside(path) == []


@BOTH_WAYS
@pytest.mark.parametrize(
    "budgets",
    [
        "[]",
        "[{name: one, per: call, limit_usd: 1}]",
        "[{name: rolling, per: [tenant, feature], period: rolling 24h, limit_tokens: 99999}]",
    ],
)
def test_it_is_booked_whatever_the_budgets_are(
    path: Path, impatient: None, model: ScriptedModel, budgets: str, way: str
) -> None:
    """None at all, one that has no window, and one of many windows; in a block with a cap of its own, too."""
    policy = parse_policy(f"{PRICES}\nbudgets: {budgets}\n{LENIENT}")
    with Meter(path, policy=policy, clock=CLOCK) as meter:
        with file_gone(path):
            meter.ledger.defer(DecisionRow("d", "test", "test", "", "", None, None, "{}", 0))
            assert not meter.flush()
            WAYS[way](model, meter.config(EVAL))
            with meter.cap(usd=1, context=EVAL):
                WAYS[way](model, {})
            with meter.task(EVAL):
                meter.record("human_review", usd=1)
        meter.ledger.ready()
        assert [row["cost_nanousd"] for row in meter.ledger.steps()] == [CALL_NANOUSD] * 2 + [10**9]
        assert decisions(meter).count(("ledger", "allowed")) == 3
        spent = {row["budget"]: row["spent_nanousd"] for row in meter.ledger.windows()}
        assert spent.pop("meter.cap", CALL_NANOUSD) == CALL_NANOUSD
        assert set(spent.values()) <= {2 * CALL_NANOUSD + 10**9}
        assert meter.ledger.verify() == []
    assert model.requests == 2


def test_a_call_that_was_let_out_and_cancelled_is_booked_at_what_would_have_been_held(
    meter: Meter, path: Path
) -> None:
    """It may have been paid for."""
    slow = ScriptedModel(seconds=30)

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow.ainvoke("hi", meter.config(EVAL)), 1)

    with file_gone(path):
        asyncio.run(cancelled())
        gc.collect()  # asyncio's own exceptions may keep the run alive, whose end nobody will hear
    meter.ledger.ready()
    (step,) = meter.ledger.steps()
    assert (step["cost_basis"], step["cost_nanousd"]) == ("upper_bound", CALL_NANOUSD)
    assert counters(meter) == (CALL_NANOUSD, 0)
    assert meter.ledger.verify() == []


class State(TypedDict):
    """Two answers."""

    first: str
    second: str


def nothing() -> None:
    """Happens between two models."""


def flow(first: ScriptedModel, second: ScriptedModel, between: Callable[[], None]) -> Any:
    """Two models, and something between them."""

    def do_between(_: State) -> dict[str, str]:
        between()
        return {}

    def call_first(_: State) -> dict[str, str]:
        return {"first": str(first.invoke("hi").content)}

    def call_second(_: State) -> dict[str, str]:
        return {"second": str(second.invoke("hi").content)}

    builder: Any = StateGraph(State)
    builder.add_node("first", call_first)
    builder.add_node("between", do_between)
    builder.add_node("second", call_second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "between")
    builder.add_edge("between", "second")
    builder.add_edge("second", END)
    return builder.compile(checkpointer=InMemorySaver())


@BOTH_WAYS
@EVERY_FAULT
def test_a_graph_goes_on_where_it_was_stopped(meter: Meter, path: Path, fault: str, way: str) -> None:
    """What was paid is not paid again, and the task is the same."""
    first, second = ScriptedModel(), ScriptedModel()
    config = meter.config(PRODUCTION, thread_id="42")
    with ExitStack() as faults:

        def begin() -> None:
            meter.flush()
            faults.enter_context(FAULTS[fault](path))

        graph = flow(first, second, begin)

        def run(inputs: Any) -> Any:
            if way == "invoke":
                return graph.invoke(inputs, config)
            return asyncio.run(graph.ainvoke(inputs, config))

        with pytest.raises(LedgerUnavailable):
            run({"first": "", "second": ""})
        assert (first.requests, second.requests) == (1, 0)
    assert run(None) == {"first": "ok", "second": "ok"}
    assert (first.requests, second.requests) == (1, 1)
    assert len({row["task_id"] for row in meter.ledger.steps()}) == 1
    assert meter.ledger.verify() == []


@BOTH_WAYS
@EVERY_FAULT
def test_a_graph_that_the_policy_allows_runs_through(meter: Meter, path: Path, fault: str, way: str) -> None:
    """It begins on its thread while nothing can be written, and its task is in the books afterwards."""
    first, second = ScriptedModel(), ScriptedModel()
    graph = flow(first, second, nothing)
    config = meter.config(EVAL, thread_id="42")
    with FAULTS[fault](path):
        inputs = {"first": "", "second": ""}
        if way == "invoke":
            graph.invoke(inputs, config)
        else:
            asyncio.run(graph.ainvoke(inputs, config))
    meter.ledger.ready()
    assert [row["node"] for row in meter.ledger.steps()] == ["first", "second"]
    assert counters(meter) == (2 * CALL_NANOUSD, 0)
    assert meter.ledger.verify() == []
    assert files_beside(path) == []


def test_a_lock_is_waited_for_five_seconds_and_an_outage_only_once(path: Path, model: ScriptedModel) -> None:
    """Every way at once: what waits in threads five seconds, on event loops a quarter; the next call knows already."""
    waited: dict[str, float] = {}

    def call(way: str, meter: Meter) -> None:
        started = time.monotonic()
        with pytest.raises(LedgerBusy):
            WAYS[way](model, meter.config(PRODUCTION))
        waited[way] = time.monotonic() - started

    with Meter(path, policy=lenient(), clock=CLOCK) as meter, locked(path):
        threads = [threading.Thread(target=call, args=(way, meter)) for way in WAYS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for way in WAYS:
            assert (4.5 < waited[way] < 8) if way in {"invoke", "stream", "batch"} else (waited[way] < 4), (
                waited
            )
        call("invoke", meter)
        assert waited["invoke"] < 7
        started = time.monotonic()
        WAYS["invoke"](model, meter.config(EVAL))
        WAYS["invoke"](model, meter.config(EVAL))
        assert time.monotonic() - started < 7
    assert model.requests == 2
