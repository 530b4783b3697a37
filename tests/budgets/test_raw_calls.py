"""Raw SDK calls reserve from the request, and an event loop does not wait for the ledger."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from spendgraph import BudgetExceeded, Meter, UnboundedCall
from spendgraph.policy import Policy, parse_policy

CALL = {"model": "m", "input": "hi"}


def policy(limit: str, reserve: str = "expected") -> Policy:
    """Each request costs a cent."""
    return parse_policy(f"""
prices:
  models:
    - {{model: "*", input_usd_per_mtok: 0, output_usd_per_mtok: "1", usd_per_request: "0.01"}}
budgets: [{{name: cap, limit_usd: "{limit}", reserve: {reserve}}}]
""")


class Server:
    """Answers every request in OpenAI's words, and counts them."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        body: dict[str, Any] = {
            "id": "r1", "object": "response", "created_at": 0, "model": "m", "status": "completed", "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "usage": {
                "input_tokens": 1, "output_tokens": 0, "total_tokens": 1,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
            },
        }  # fmt: skip
        return httpx2.Response(200, json=body)


@pytest.fixture
def server() -> Server:
    """A provider in this process."""
    return Server()


def client(server: Server) -> OpenAI:
    """The real SDK, with the provider for a transport."""
    transport = httpx2.MockTransport(server)
    return OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))


def aclient(server: Server) -> AsyncOpenAI:
    """Its asynchronous twin."""
    transport = httpx2.MockTransport(server)
    return AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=transport))


def test_the_call_beyond_the_limit_is_not_sent(tmp_path: Path, server: Server) -> None:
    """A cent fits, the next does not."""
    with Meter(tmp_path / "ledger.db", policy=policy("0.015")) as meter:
        meter.call(client(server).responses.create, **CALL)
        with pytest.raises(BudgetExceeded):
            meter.call(client(server).responses.create, **CALL)
        assert meter.ledger.verify() == []
    assert server.requests == 1


def test_strict_reads_the_limit_of_the_request(tmp_path: Path, server: Server) -> None:
    """`max_output_tokens` makes it bounded."""
    with Meter(tmp_path / "ledger.db", policy=policy("1", "strict")) as meter:
        with pytest.raises(UnboundedCall):
            meter.call(client(server).responses.create, **CALL)
        meter.call(client(server).responses.create, **CALL, max_output_tokens=100)
        (step,) = meter.ledger.steps()
    assert (step["cost_nanousd"], step["reserved_nanousd"]) == (10_000_000, 10_100_000)
    assert server.requests == 1


def test_strict_holds_the_limit_once_for_every_answer_asked_for(tmp_path: Path, server: Server) -> None:
    """Four answers of 100 tokens are 400, at a dollar a million, beside the cent of the request."""
    with Meter(tmp_path / "ledger.db", policy=policy("1", "strict")) as meter:
        meter.call(
            client(server).chat.completions.create,
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            max_tokens=100,
            n=4,
        )
        (step,) = meter.ledger.steps()
    assert step["reserved_nanousd"] == 10_400_000


@pytest.mark.parametrize("calls", [1, 50])
def test_a_loop_goes_on_while_calls_wait_for_another_process(
    tmp_path: Path, server: Server, calls: int
) -> None:
    """Longer than any of them could block it: `acall` awaits the reservation, and each goes out afterwards."""
    path = tmp_path / "ledger.db"

    async def main(meter: Meter) -> int:
        beats = 0
        async with aclient(server) as sdk:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                waiting = [
                    asyncio.create_task(meter.acall(sdk.responses.create, **CALL)) for _ in range(calls)
                ]
                for _ in range(20):
                    await asyncio.sleep(0.01)
                    beats += 1
                assert not any(call.done() for call in waiting)
                other.execute("COMMIT")
            await asyncio.gather(*waiting)
        return beats

    with Meter(path, policy=policy("1")) as meter:
        assert asyncio.run(main(meter)) == 20
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (calls * 10_000_000, 0)
    assert server.requests == calls


def test_a_call_cancelled_while_it_waits_gives_its_room_back(tmp_path: Path, server: Server) -> None:
    """Nothing was sent."""
    path = tmp_path / "ledger.db"

    async def main(meter: Meter) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            call = asyncio.create_task(meter.acall(aclient(server).responses.create, **CALL))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            other.execute("COMMIT")
        while not meter.ledger.windows() or meter.recorder.open_steps:
            await asyncio.sleep(0.01)

    with Meter(path, policy=policy("1")) as meter:
        asyncio.run(asyncio.wait_for(main(meter), 10))
        meter.flush()
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (0, 0)
        assert list(meter.ledger.steps()) == []
    assert server.requests == 0
