"""Steps and tools that end without saying what they bought keep what is held for them, or give it back."""

# LangChain's own types are partly unknown to pyright.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from langchain_core.tools import tool

from budgets.fanout import ACME
from scripted import scripted_policy
from spendgraph import BudgetExceeded, Meter
from spendgraph.policy import Policy

DOLLAR = 10**9
REQUEST = httpx.Request("POST", "http://provider")
RETURNED = httpx.Response(503, request=REQUEST)


def policy(reserve: str = "expected") -> Policy:
    """Room for two dollars."""
    return scripted_policy(f'budgets: [{{name: cap, limit_usd: "2", reserve: {reserve}}}]\n')


def refused_connection() -> requests.ConnectionError:
    """What requests raises where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        requests.get(f"http://127.0.0.1:{port}", timeout=5)
    except requests.ConnectionError as error:
        return error
    raise AssertionError("somebody listens")


LOST: dict[str, Callable[[], BaseException]] = {
    "cancelled": asyncio.CancelledError,
    "timeout": TimeoutError,
    "read timeout": lambda: httpx.ReadTimeout("no answer"),
    "reset": ConnectionResetError,
    "requests timeout": requests.ReadTimeout,
    "requests lost": lambda: requests.ConnectionError("connection aborted"),
    "interrupted": KeyboardInterrupt,
}
NOT_SENT: dict[str, Callable[[], BaseException]] = {
    "its own": lambda: ValueError("no such page"),
    "no connection": lambda: httpx.ConnectError("nobody there"),
    "no connection, requests": refused_connection,
    "a status": lambda: httpx.HTTPStatusError("503", request=REQUEST, response=RETURNED),
}
OWN: dict[str, Callable[[], BaseException]] = {"a bug": lambda: KeyError("page")}


def stepped(meter: Meter, kind: str, error: BaseException) -> None:
    """A step that holds a dollar fails."""
    with meter.step(kind, name="gpu", reserve="1"):
        raise error


def decorated(meter: Meter, error: BaseException) -> None:
    """A tool of a dollar fails, called as a function."""

    @meter.tool(price="1")
    def buy() -> None:
        raise error

    buy()


def announced(meter: Meter, error: BaseException) -> None:
    """A tool of a dollar fails, run by LangChain."""

    @tool
    @meter.tool(price="1")
    def buy() -> None:
        """Buy something."""
        raise error

    buy.invoke({})


WORK: dict[str, Callable[[Meter, BaseException], None]] = {
    "step": lambda meter, error: stepped(meter, "other", error),
    "tool step": lambda meter, error: stepped(meter, "tool", error),
    "decorated": decorated,
    "announced": announced,
}


def fail(meter: Meter, way: str, error: BaseException) -> dict[str, Any]:
    """The row of work that failed, when it is booked and nothing is held any more."""
    with meter.task(ACME), contextlib.suppress(type(error)):
        WORK[way](meter, error)
    meter.flush()
    (row,) = meter.ledger.steps()
    (window,) = meter.ledger.windows()
    assert (window["spent_nanousd"], window["held_nanousd"]) == (row["cost_nanousd"], 0)
    assert meter.ledger.verify() == []
    return row


@pytest.mark.parametrize("reserve", ["strict", "expected"])
@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("way", WORK)
def test_work_that_may_have_paid_keeps_what_is_held(tmp_path: Path, way: str, how: str, reserve: str) -> None:
    """Nobody heard of what was bought."""
    with Meter(tmp_path / "ledger.db", policy=policy(reserve)) as meter:
        row = fail(meter, way, LOST[how]())
        assert (row["cost_nanousd"], row["cost_basis"]) == (DOLLAR, "upper_bound")


@pytest.mark.parametrize("how", NOT_SENT)
@pytest.mark.parametrize("way", WORK)
def test_work_that_bought_nothing_gives_it_back(tmp_path: Path, way: str, how: str) -> None:
    """Nothing was sent, or the provider said no."""
    with Meter(tmp_path / "ledger.db", policy=policy()) as meter:
        assert fail(meter, way, NOT_SENT[how]())["cost_nanousd"] == 0


@pytest.mark.parametrize("how", OWN)
@pytest.mark.parametrize("way", WORK)
def test_a_tool_that_raises_is_charged_nothing_and_a_step_of_no_tool_all(
    tmp_path: Path, way: str, how: str
) -> None:
    """A tool's own code failed; what a step's block did before, nobody knows."""
    with Meter(tmp_path / "ledger.db", policy=policy()) as meter:
        assert fail(meter, way, OWN[how]())["cost_nanousd"] == (DOLLAR if way == "step" else 0)


def test_a_step_that_told_its_cost_before_it_failed_costs_that(tmp_path: Path) -> None:
    """What is told is believed."""
    with Meter(tmp_path / "ledger.db", policy=policy()) as meter:

        def work() -> None:
            with meter.step("other", name="gpu", reserve="1") as step:
                step.cost(usd="0.25")
                raise TimeoutError

        with meter.task(ACME), pytest.raises(TimeoutError):
            work()
        (row,) = meter.ledger.steps()
        assert (row["cost_nanousd"], row["cost_basis"]) == (DOLLAR // 4, "configured")


def test_a_strict_cap_ends_steps_and_tools_that_are_cancelled(tmp_path: Path) -> None:
    """Two dollars are two tries, however many are made."""
    begun: list[str] = []
    with Meter(tmp_path / "ledger.db", policy=policy("strict")) as meter:

        @meter.tool(price="1")
        async def buy() -> None:
            begun.append("tool")
            await asyncio.sleep(30)

        async def work() -> None:
            async with meter.step("other", name="gpu", reserve="1"):
                begun.append("step")
                await asyncio.sleep(30)

        async def run() -> None:
            with meter.task(ACME):
                for i in range(6):
                    with contextlib.suppress(TimeoutError, BudgetExceeded):
                        await asyncio.wait_for(work() if i % 2 else buy(), 0.05)

        with contextlib.suppress(BudgetExceeded):
            asyncio.run(run())
        assert begun == ["tool", "step"]
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("budgets", ["", 'budgets: [{name: cap, limit_usd: "2", reserve: strict}]\n'])
def test_a_model_step_that_is_cancelled_is_as_long_as_it_may_be(tmp_path: Path, budgets: str) -> None:
    """At all that is held; without budgets at its `max_output_tokens`."""

    async def work(meter: Meter) -> None:
        async with meter.step("model", model="scripted", inputs="hello", max_output_tokens=1000):
            await asyncio.sleep(30)

    async def run(meter: Meter) -> None:
        with meter.task(ACME):
            await asyncio.wait_for(work(meter), 0.05)

    with Meter(tmp_path / "ledger.db", policy=scripted_policy(budgets)) as meter:
        with pytest.raises(TimeoutError):
            asyncio.run(run(meter))
        (row,) = meter.ledger.steps()
        assert (row["status"], row["cost_basis"]) == ("cancelled", "upper_bound")
        assert row["cost_nanousd"] >= 2_000_000
        if budgets:
            assert row["cost_nanousd"] == row["reserved_nanousd"]
