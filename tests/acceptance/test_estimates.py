"""What the provider billed and could not report is booked once, close, and marked as an estimate."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import TimeoutPolicy

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.attach import Way, attached
from acceptance.books import Row, charges, steps
from acceptance.kit import Kit
from provider import Line, Provider
from spendgraph import CostContext, Meter

TAGS = {"feature": "acceptance", "team": "quality", "workload_class": "eval", "environment": "staging"}
ACME = CostContext.from_mapping({"tenant": "acme", **TAGS})
STORY = "Once upon a time there was a provider who counted every word it said to anybody. " * 12
WORDS = {"text": STORY, "input": 60, "output": 240, "chunks": 8}
"""An answer whose tokens are those a text of its length has, so that an estimate can be close."""
SLOW = {**WORDS, "chunk_delay": 0.05}


async def _broken_off(kit: Kit) -> None:
    """The reader of a stream stops after its second chunk."""
    stream = kit.openai().astream(kit.ask("cut", **SLOW), kit.config())
    seen = 0
    async for _ in stream:
        seen += 1
        if seen == 3:
            break
    await cast(Any, stream).aclose()


def _broken_off_in_sync(kit: Kit) -> None:
    stream = kit.anthropic().stream(kit.ask("cut", **SLOW), kit.config())
    next(stream)
    next(stream)
    cast(Any, stream).close()


def _dropped_by_the_provider(kit: Kit) -> None:
    with pytest.raises(Exception, match=r"(?i)incomplete|peer closed|connection"):
        list(kit.openai().stream(kit.ask("cut", **WORDS, drop_after=4), kit.config()))


def _without_usage(kit: Kit) -> None:
    list(kit.openai(stream_usage=False).stream(kit.ask("whole", **WORDS), kit.config()))


def _invoked_and_streamed(kit: Kit) -> None:
    """`streaming=True` makes a stream of a plain invoke."""
    kit.openai(stream_usage=False, streaming=True).invoke(kit.ask("whole", **WORDS), kit.config())


def _messages_of_a_graph(kit: Kit) -> None:
    """So does `stream_mode="messages"` of the graph around it."""
    model = kit.openai(stream_usage=False)

    def work(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("whole", **WORDS)).text]}

    list(line_of_nodes(work=work).stream(START_STATE, kit.config(), stream_mode="messages"))


async def _events_of_a_graph(kit: Kit) -> None:
    """And so do its events."""
    model = kit.openai(stream_usage=False)

    async def work(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("whole", **WORDS))).text]}

    graph = line_of_nodes(work=work)
    assert [event async for event in graph.astream_events(START_STATE, kit.config(), version="v2")]


async def _cancelled(kit: Kit) -> None:
    """A cancelled call has a start and no end."""

    async def work(state: State) -> Any:
        call = asyncio.create_task(kit.openai().ainvoke(kit.ask("whole", **WORDS, delay=0.5)))
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return START_STATE

    await line_of_nodes(work=work).ainvoke(START_STATE, kit.config())


async def _waited_for_too_long(kit: Kit) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kit.openai().ainvoke(kit.ask("whole", **WORDS, delay=0.5), kit.config()), 0.1)


async def _node_timed_out(kit: Kit) -> None:
    async def work(state: State) -> Any:
        return {"notes": [(await kit.openai().ainvoke(kit.ask("whole", **WORDS, delay=0.5))).text]}

    builder = StateGraph(State)
    builder.add_node("work", work, timeout=TimeoutPolicy(run_timeout=0.1))
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    with pytest.raises(Exception, match=r"(?i)time"):
        await builder.compile().ainvoke(START_STATE, kit.config())


def _client_timed_out(kit: Kit) -> None:
    with pytest.raises(Exception, match=r"(?i)timed out"):
        kit.openai(timeout=0.1).invoke(kit.ask("whole", **WORDS, delay=0.5), kit.config())


def _raw_stream_broken_off(kit: Kit) -> None:
    def work(state: State) -> Any:
        messages = [{"role": "user", "content": kit.ask("cut", **SLOW)}]
        with kit.anthropic_sdk() as sdk:
            stream: Any = kit.metering.call(
                sdk.messages.create,
                model="claude-sonnet-4-6",
                max_tokens=500,
                messages=messages,
                stream=True,
            )
            for event in stream:
                if event.type == "content_block_delta":
                    break
            stream.close()
        return START_STATE

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


UNREPORTED = (
    _broken_off,
    _broken_off_in_sync,
    _raw_stream_broken_off,
    _dropped_by_the_provider,
    _without_usage,
    _invoked_and_streamed,
    _messages_of_a_graph,
    _events_of_a_graph,
    _cancelled,
    _waited_for_too_long,
    _node_timed_out,
    _client_timed_out,
)


def _wait_for_the_bill(provider: Provider, account: str) -> Line:
    """The provider notices a reader's end when it sends the next chunk."""
    until = monotonic() + 5
    while not provider.invoice(account).lines and monotonic() < until:
        sleep(0.01)
    (line,) = provider.invoice(account).lines
    return line


@pytest.mark.parametrize("way", ["install", "config"])
@pytest.mark.parametrize("unreported", UNREPORTED, ids=lambda program: program.__name__.strip("_"))
def test_a_call_without_usage_is_one_marked_row(
    unreported: Callable[[Kit], Awaitable[None] | None],
    way: Way,
    kit: Kit,
    provider: Provider,
    meter: Meter,
    ledger: Path,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """One row, the payer's, marked as no exact figure, and within a factor of three where there was text."""
    with attached(meter, way, ACME) as metering:
        running = unreported(replace(kit, metering=metering))
        if running is not None:
            loop.run_until_complete(running)
    line = _wait_for_the_bill(provider, kit.account)
    meter.close()
    (row,) = _charged(ledger)
    assert row["cost_basis"] in {"estimated", "upper_bound"}
    assert (row["tenant"], row["missing_tags"], row["kind"]) == ("acme", "", "model")
    if row["cost_basis"] == "estimated" and row["output_tokens"]:
        assert line.amount / 3 <= row["cost_nanousd"] <= line.amount * 3


def _charged(ledger: Path) -> list[Row]:
    return charges(steps(ledger))
