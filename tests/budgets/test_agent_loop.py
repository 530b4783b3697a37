"""Agents on an event loop: nothing blocks it, and cancelled at any moment they pay for what was sent and no more."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from budgets.agents import (
    Inner,
    agent_around,
    agent_of,
    ask,
    config,
    counters,
    is_clean,
    metered,
)
from budgets.talker import Talker, budget


def test_the_handler_needs_no_ledger_on_the_loop(tmp_path: Path) -> None:
    """Another process holds the write lock while the agent reserves: the loop goes on, nothing blocking is called on it."""
    model = Talker(max_tokens=10)
    with metered(tmp_path, budget("1")) as meter:
        agent = agent_of(meter, model)
        ask(agent, config(meter), asynchronous=True)
        locked, gaps = threading.Event(), [0.0]

        def lock() -> None:
            with closing(sqlite3.connect(str(meter.ledger.place.name), isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                locked.set()
                time.sleep(0.6)
                other.execute("ROLLBACK")

        async def main() -> None:
            beating = asyncio.create_task(beat(gaps))
            async with asyncio.timeout(20):
                await asyncio.gather(
                    *(agent.ainvoke({"messages": [("user", "hi")]}, config(meter)) for _ in range(3))
                )
            beating.cancel()

        thread = threading.Thread(target=lock)
        thread.start()
        locked.wait()
        blockbuster = BlockBuster()
        for function in blockbuster.functions.values():
            function.activate()
        try:
            asyncio.run(main())
        finally:
            blockbuster.deactivate()
        thread.join()
        assert model.requests == 4
        assert max(gaps) < 0.25
        assert is_clean(meter)


async def beat(gaps: list[float]) -> None:
    """Notes how late a heartbeat of the loop was."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        gaps.append(time.perf_counter() - before - 0.01)


def test_an_agent_that_is_cancelled_under_its_call_pays_for_it(tmp_path: Path) -> None:
    """The request was sent: all that was held is booked, and nothing is given back on the way out."""
    model = Talker(max_tokens=100)
    with metered(tmp_path, budget("1")) as meter:

        async def main() -> None:
            model.gate = asyncio.Event()
            agent = agent_of(meter, model)
            running = asyncio.create_task(agent.ainvoke({"messages": [("user", "hi")]}, config(meter)))
            while not model.sent["begun"]:
                await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        asyncio.run(main())
        (step,) = meter.ledger.steps()
        assert (step["cost_basis"], step["cost_nanousd"]) == ("upper_bound", 1_005_000)
        assert counters(meter) == (1_005_000, 0)
        assert is_clean(meter)


def test_a_cancelled_agent_gives_back_what_it_reserved(tmp_path: Path) -> None:
    """Cancelled before the model was called there was no spending."""
    policy = budget("1")
    with metered(tmp_path, policy) as meter:

        async def main() -> None:
            reached = asyncio.Event()

            async def act(request: Any, handler: Any) -> Any:
                reached.set()
                await asyncio.sleep(60)

            agent = agent_around(meter, Talker(max_tokens=100), Inner(act))
            running = asyncio.create_task(agent.ainvoke({"messages": [("user", "hi")]}, config(meter)))
            await reached.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        asyncio.run(main())
        assert counters(meter) == (0, 0)
        assert is_clean(meter)


def test_an_agent_cancelled_while_it_reserves_holds_nothing(tmp_path: Path) -> None:
    """The reservation is made in a thread that cannot be cancelled: what it brings is given back."""
    with metered(tmp_path, budget("1")) as meter:
        agent = agent_of(meter, Talker(max_tokens=100))
        ask(agent, config(meter))

        async def main() -> None:
            with closing(sqlite3.connect(str(meter.ledger.place.name), isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                running = asyncio.create_task(agent.ainvoke({"messages": [("user", "hi")]}, config(meter)))
                await asyncio.sleep(0.2)
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running
                other.execute("ROLLBACK")

        asyncio.run(main())  # returns when its threads have ended
        assert counters(meter) == (1_010_000, 0)
        assert is_clean(meter)
