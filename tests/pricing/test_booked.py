"""The amounts of the providers' invoices in the ledger's rows, by the real clients, whichever way they are called."""

# LangChain's own types are partly unknown to pyright; the answers are those of the tests beside.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportPrivateUsage=false
from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from pricing import test_langchain_openai as chat
from pricing import test_langchain_others as messages
from pricing.conftest import CLAUDE, GPT_4O, Heard, Wire
from spendgraph import CostContext, Meter
from spendgraph.policy import Policy, PricesPolicy

ACME = CostContext(feature="triage", tenant="acme")


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    """A meter with the prices of the trap list."""
    policy = Policy(prices=PricesPolicy(models=(CLAUDE, GPT_4O)))
    with Meter(tmp_path / "ledger.db", policy=policy) as meter:
        yield meter


async def _astream(model: Any, config: Any) -> None:
    async for _ in model.astream("hi", config):
        pass


ASYNC: dict[str, Callable[[Any, Any], Coroutine[Any, Any, Any]]] = {
    "ainvoke": lambda model, config: model.ainvoke("hi", config),
    "astream": _astream,
    "abatch": lambda model, config: model.abatch(["hi"], config),
}
SYNC: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda model, config: model.invoke("hi", config),
    "stream": lambda model, config: list(model.stream("hi", config)),
    "batch": lambda model, config: model.batch(["hi"], config),
}
EVERY_WAY = pytest.mark.parametrize("way", [*SYNC, *ASYNC])


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for all: the clients share their connections, which belong to a loop."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def call(model: Any, config: Any, way: str, loop: asyncio.AbstractEventLoop) -> None:
    """Ask it something."""
    if way in SYNC:
        SYNC[way](model, config)
    else:
        loop.run_until_complete(ASYNC[way](model, config))


def counted(prompt: int, cached: int, completion: int) -> dict[str, Any]:
    """OpenAI's usage."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


@EVERY_WAY
@pytest.mark.parametrize(
    ("usage", "nano"),
    [((17_903, 17_817, 0), 22_486_250), ((2_006, 1_920, 300), 5_615_000)],
    ids=["$0.02248625", "$0.005615"],
)
def test_cached_tokens_are_inside_of_openais_input(
    wire: Wire,
    heard: Heard,
    meter: Meter,
    usage: tuple[int, int, int],
    nano: int,
    way: str,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Charged once, at the price of cached ones; the counts are kept as they were said."""
    if "stream" in way:
        wire.answer = [
            chat._chunk([{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]),
            chat._chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
            chat._chunk([], usage=counted(*usage)),
        ]
    else:
        wire.answer = chat._completion(usage=counted(*usage))
    call(chat._model(wire, heard, stream_usage=True), meter.config(ACME), way, loop)
    (row,) = meter.ledger.steps()
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == usage
    assert (row["cost_nanousd"], row["cost_basis"]) == (nano, "reported")
    assert (row["model_requested"], row["model"]) == ("gpt-4o", "gpt-4o-2024-08-06")


@EVERY_WAY
@pytest.mark.parametrize(
    ("usage", "counts", "nano"),
    [
        ({**messages.RAW, "server_tool_use": None}, (10_000, 8_000, 1_000, 0, 500), 16_650_000),
        (messages.ONE_HOUR, (60_000, 0, 0, 50_000, 2_000), 360_000_000),
    ],
    ids=["$0.01665", "$0.360"],
)
def test_anthropics_cache_is_charged_once_by_its_term(
    wire: Wire,
    heard: Heard,
    meter: Meter,
    usage: dict[str, Any],
    counts: tuple[int, ...],
    nano: int,
    way: str,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Streamed too, where only the wire says that 50,000 tokens were written for an hour."""
    wire.answer = messages._stream(usage) if "stream" in way else messages._message(usage)
    call(messages._model(wire, heard), meter.config(ACME), way, loop)
    (row,) = meter.ledger.steps()
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    assert tuple(row[name] for name in (*names, "output_tokens")) == counts
    assert (row["cost_nanousd"], row["cost_basis"], row["response_id"]) == (nano, "reported", "msg_1")
    assert (row["model_requested"], row["model"]) == ("claude-sonnet-4-6", "claude-sonnet-4-5-20250929")
