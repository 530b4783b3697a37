"""Calls that are cancelled, in every way in which a call can be: all that was held is spent, and the cap still holds."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from budgets.fanout import ACME, CALL_NANOUSD, capped
from budgets.test_traps import EVERY_WAY, WAYS, counters
from hooks.graphs import graph_of
from scripted import STEP_NANOUSD, ScriptedModel, scripted_policy
from spendgraph import BudgetExceeded, Meter

HELD_NANOUSD = 5 * 1_000 + 1_000 * 2_000
LIMIT_NANOUSD = 2_030_000
"""Room for the hold of `hi` and 1,000 tokens beside one call that cost 20,000, and not beside two."""


async def _stream(model: Any, config: Any) -> None:
    async for _ in model.astream("hi", config):
        pass


async def _in_a_graph(model: Any, config: Any) -> None:
    async def work(_: Any) -> Any:
        await model.ainvoke("hi")
        return {"n": 1}

    await graph_of(work).ainvoke({"n": 0}, config)


CALLS: dict[str, Callable[[Any, Any], Coroutine[Any, Any, Any]]] = {
    "ainvoke": lambda model, config: model.ainvoke("hi", config),
    "astream": _stream,
    "abatch": lambda model, config: model.abatch(["hi"], config),
    "in a graph": _in_a_graph,
}


async def _cancelled(call: Coroutine[Any, Any, Any], model: ScriptedModel) -> None:
    """Once its request is under way."""
    running = asyncio.create_task(call)
    while not model.sent["begun"]:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def _waited_for_too_long(call: Coroutine[Any, Any, Any], model: ScriptedModel) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, 0.05)


ENDS = {"cancel": _cancelled, "wait_for": _waited_for_too_long}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("way", CALLS)
def test_a_cancelled_call_keeps_what_was_held_and_the_next_is_refused(
    tmp_path: Path, way: str, end: str
) -> None:
    """It is settled in full, not released."""
    model = ScriptedModel(seconds=30)
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0.01")) as meter:
        asyncio.run(ENDS[end](CALLS[way](model, meter.config(ACME)), model))
        gc.collect()  # a cancelled call ends when nobody refers to it any more
        assert counters(meter) == (CALL_NANOUSD, 0)
        (step,) = meter.ledger.steps()
        assert (step["cost_basis"], step["cost_nanousd"], step["status"]) == (
            "upper_bound",
            CALL_NANOUSD,
            "cancelled",
        )
        for again in ("invoke", "abatch"):
            with pytest.raises(BudgetExceeded):
                WAYS[again](model, meter.config(ACME))
        assert model.requests == 0
        assert counters(meter) == (CALL_NANOUSD, 0)
        assert meter.ledger.verify() == []


@EVERY_WAY
def test_a_late_end_corrects_a_settled_call_and_the_cap_still_holds(tmp_path: Path, way: str) -> None:
    """Held 0.002005, cost 0.00002: until its end arrives nothing fits, afterwards one call does, and no more."""
    policy = scripted_policy(f"budgets: [{{name: cap, limit_usd: '{LIMIT_NANOUSD / 1e9:.9f}'}}]")
    slow, model = ScriptedModel(), ScriptedModel()
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:

        async def left_running() -> Any:
            slow.gate = asyncio.Event()
            left: list[asyncio.Task[Any]] = []

            async def work(_: Any) -> Any:
                left.append(asyncio.create_task(slow.bind(max_tokens=1000).ainvoke("hi")))
                while not slow.sent["begun"]:
                    await asyncio.sleep(0.001)
                return {"n": 1}

            await graph_of(work).ainvoke({"n": 0}, meter.config(ACME))
            await meter.aflush()
            settled = counters(meter)
            with pytest.raises(BudgetExceeded):
                await asyncio.to_thread(WAYS[way], model.bind(max_tokens=1000), meter.config(ACME))
            slow.gate.set()
            await left[0]
            await meter.aflush()
            return settled

        spent, held = asyncio.run(left_running())
        assert (spent, held) == (HELD_NANOUSD, 0)
        assert counters(meter) == (STEP_NANOUSD, 0)
        charge, correction = meter.ledger.steps()
        assert (charge["cost_nanousd"], charge["cost_basis"]) == (spent, "upper_bound")
        assert (correction["entry"], correction["cost_nanousd"]) == ("correction", STEP_NANOUSD - spent)
        WAYS[way](model.bind(max_tokens=1000), meter.config(ACME))
        assert counters(meter) == (2 * STEP_NANOUSD, 0)
        with pytest.raises(BudgetExceeded):
            WAYS[way](model.bind(max_tokens=1000), meter.config(ACME))
        assert model.requests == 1
        assert meter.ledger.verify() == []
