"""Raw SDK streams grow and are cut off like LangChain's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from budgets.streaming import CHUNK
from spendgraph import BudgetExceeded, Meter
from spendgraph.policy import Policy, parse_policy

CALL: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
SENT_NANOUSD, CHUNK_NANOUSD = 5_000, 20_000


def policy(limit: str) -> Policy:
    """A thousand and two thousand nano-USD a token; ten tokens of an answer are expected."""
    return parse_policy(f"""
prices: {{models: [{{model: "*", input_usd_per_mtok: "1", output_usd_per_mtok: "2"}}]}}
estimates: {{default_output_tokens: 10}}
budgets: [{{name: cap, limit_usd: "{limit}"}}]
""")


class Wire(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Ten chunks of ten tokens, as server-sent events."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = False

    def _events(self) -> Iterator[bytes]:
        for n in range(10):
            self.sent += 1
            choice = {"index": 0, "delta": {"content": CHUNK}, "finish_reason": None if n < 9 else "stop"}
            body = {
                "id": "c",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "m",
                "choices": [choice],
            }
            yield b"data: " + json.dumps(body).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"

    def __iter__(self) -> Iterator[bytes]:
        yield from self._events()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for event in self._events():
            yield event

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def answer(wire: Wire) -> httpx2.MockTransport:
    """The provider."""
    return httpx2.MockTransport(
        lambda request: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=wire)
    )


def read(meter: Meter, wire: Wire, *, asynchronous: bool) -> int:
    """Read a raw stream to its end; how many chunks came."""
    if not asynchronous:
        client = OpenAI(api_key="k", http_client=httpx2.Client(transport=answer(wire)))
        return sum(1 for _ in meter.call(client.chat.completions.create, **CALL))

    async def main() -> int:
        aclient = AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=answer(wire)))
        seen = 0
        async for _ in await meter.acall(aclient.chat.completions.create, **CALL):
            seen += 1
        return seen

    return asyncio.run(main())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_raw_stream_with_room_gets_it(tmp_path: Path, asynchronous: bool) -> None:
    """Every chunk arrives; the row says what was held in the end."""
    with Meter(tmp_path / "ledger.db", policy=policy("1")) as meter:
        assert read(meter, Wire(), asynchronous=asynchronous) == 10
        (step,) = meter.ledger.steps()
        assert (step["status"], step["cost_nanousd"]) == ("ok", SENT_NANOUSD + 10 * CHUNK_NANOUSD)
        assert step["estimate_nanousd"] == SENT_NANOUSD + CHUNK_NANOUSD
        assert step["reserved_nanousd"] >= step["cost_nanousd"]
        assert meter.ledger.verify() == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_raw_stream_without_room_is_cut_off(tmp_path: Path, asynchronous: bool) -> None:
    """The provider is hung up on, and what came is booked."""
    wire = Wire()
    with Meter(tmp_path / "ledger.db", policy=policy("0.0001")) as meter:
        with pytest.raises(BudgetExceeded) as caught:
            read(meter, wire, asynchronous=asynchronous)
        assert caught.value.reason == "stream_cut"
        (step,) = meter.ledger.steps()
        assert (step["status"], step["cost_basis"], step["error_class"]) == (
            "cut",
            "estimated",
            "BudgetExceeded",
        )
        assert step["cost_nanousd"] == SENT_NANOUSD + 5 * CHUNK_NANOUSD
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (step["cost_nanousd"], 0)
        assert meter.ledger.verify() == []
    assert wire.sent == 5
    assert wire.closed
