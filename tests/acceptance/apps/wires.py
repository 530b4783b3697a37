"""Every wire format, every stream surface, every token class."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from typing import Any

import openai
from langchain_core.tools import tool
from pydantic import BaseModel

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.kit import Kit, app


class Verdict(BaseModel):
    """A structured answer."""

    fine: bool


@app({"sync": 4}, nodes={"sync": "work"})
def streams(kit: Kit) -> None:
    """Every wire format streamed in a node, and a model that streams when it is invoked."""
    models = (kit.openai(), kit.responses(), kit.anthropic(), kit.openai(streaming=True))

    def work(state: State) -> Any:
        for model in models[:3]:
            assert "".join(chunk.text for chunk in model.stream(kit.ask("sync"))) != ""
        return {"notes": [models[3].invoke(kit.ask("sync")).text]}

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


@app({"async": 3}, nodes={"async": "work"})
async def async_streams(kit: Kit) -> None:
    """Every wire format streamed in a coroutine node."""
    models = (kit.openai(), kit.responses(), kit.anthropic())

    async def work(state: State) -> Any:
        for model in models:
            assert [chunk async for chunk in model.astream(kit.ask("async"))]
        return START_STATE

    await line_of_nodes(work=work).ainvoke(START_STATE, kit.config())


@app({"root": 3})
async def streams_without_a_graph(kit: Kit) -> None:
    """Every wire format streamed by itself."""
    for model in (kit.openai(), kit.responses(), kit.anthropic()):
        assert [chunk async for chunk in model.astream(kit.ask("root"), kit.config())]


@app({"messages": 3, "updates": 3})
def graph_stream_modes(kit: Kit) -> None:
    """A graph streamed by messages, updates and values."""
    models = (kit.openai(), kit.responses(), kit.anthropic())
    purpose = "messages"

    def work(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask(purpose)).text for model in models]}

    graph = line_of_nodes(work=work)
    assert list(graph.stream(START_STATE, kit.config(), stream_mode="messages"))
    purpose = "updates"
    assert list(graph.stream(START_STATE, kit.config(), stream_mode=["updates", "values"]))


@app({"messages": 3})
async def graph_messages_async(kit: Kit) -> None:
    """A graph streamed by messages, asynchronously."""
    models = (kit.openai(), kit.responses(), kit.anthropic())

    async def work(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("messages"))).text for model in models]}

    graph = line_of_nodes(work=work)
    assert [part async for part in graph.astream(START_STATE, kit.config(), stream_mode="messages")]


@app({"events": 3})
async def events_v2(kit: Kit) -> None:
    """A graph read through its events."""
    models = (kit.openai(), kit.responses(), kit.anthropic())

    async def work(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("events"))).text for model in models]}

    graph = line_of_nodes(work=work)
    assert [event async for event in graph.astream_events(START_STATE, kit.config(), version="v2")]


@app({"events": 3})
async def events_v3_of_models(kit: Kit) -> None:
    """Models read through stream protocol v3."""
    for model in (kit.openai(), kit.responses(), kit.anthropic()):
        stream = await model.astream_events(kit.ask("events"), kit.config(), version="v3")
        assert [event async for event in stream]


@app({"events": 2})
async def events_v3_of_graph(kit: Kit) -> None:
    """A graph read through stream protocol v3."""
    models = (kit.openai(), kit.anthropic())

    async def work(state: State) -> Any:
        return {"notes": [(await model.ainvoke(kit.ask("events"))).text for model in models]}

    graph = line_of_nodes(work=work)
    stream = await graph.astream_events(START_STATE, kit.config(), version="v3")
    assert [event async for event in stream]


@app({"plain": 2, "stream": 2, "tool": 2})
def responses_api(kit: Kit) -> None:
    """The Responses API: plain, streamed, with a tool call; cached and reasoning tokens."""
    model = kit.responses()

    @tool
    def look(where: str) -> str:
        """Look somewhere."""
        return "nothing"

    calls = [[["look", {"where": "here"}]]]
    for _ in range(2):
        model.invoke(kit.ask("plain", cache_read=400, reasoning=64), kit.config())
        list(model.stream(kit.ask("stream", cache_read=400, reasoning=64), kit.config()))
        model.bind_tools([look]).invoke(kit.ask("tool", tools=calls), kit.config())


@app({"plain": 1, "stream": 1, "async-stream": 1, "long": 1, "searches": 1})
async def anthropic_cache_and_searches(kit: Kit) -> None:
    """Both kinds of cache writes, reads, web searches and a long context, plain and streamed."""
    model = kit.anthropic()
    tokens = {"cache_read": 8_000, "write_5m": 1_000, "write_1h": 50_000}
    model.invoke(kit.ask("plain", searches=2, **tokens), kit.config())
    list(model.stream(kit.ask("stream", searches=3, **tokens), kit.config()))
    stream = model.astream(kit.ask("async-stream", searches=1, write_1h=50_000), kit.config())
    assert [chunk async for chunk in stream]
    await model.ainvoke(kit.ask("long", input=250_000, cache_read=40_000), kit.config())
    await model.ainvoke(kit.ask("searches", searches=5), kit.config())


@app({"flex": 3, "priority": 2, "reasoning": 2})
def tiers_and_reasoning(kit: Kit) -> None:
    """Service tiers plain and streamed, and reasoning at a price of its own."""
    for tier in ("flex", "priority"):
        model = kit.openai("gpt-5", service_tier=tier)
        model.invoke(kit.ask(tier, cache_read=300, reasoning=200), kit.config())
        list(model.stream(kit.ask(tier, cache_read=300, reasoning=200), kit.config()))
    kit.responses(service_tier="flex").invoke(kit.ask("flex", cache_read=300, reasoning=200), kit.config())
    thinker = kit.openai("o4-mini")
    thinker.invoke(kit.ask("reasoning", reasoning=777), kit.config())
    list(thinker.stream(kit.ask("reasoning", reasoning=777), kit.config()))


@app({"several": 2, "zero": 1})
def several_choices_and_explicit_zero(kit: Kit) -> None:
    """Three choices for one request, and a response that says it used nothing."""
    model = kit.openai(n=3)
    model.invoke(kit.ask("several"), kit.config())
    list(model.stream(kit.ask("several"), kit.config()))
    kit.openai().invoke(kit.ask("zero", input=0, output=0), kit.config())


@app({"fine": 1, "cut": 1}, fails=True)
def structured_output(kit: Kit) -> None:
    """A structured answer, and one cut off by its length, which raises and is billed."""
    model = kit.openai().with_structured_output(Verdict, method="json_schema")
    assert model.invoke(kit.ask("fine", text='{"fine": true}'), kit.config()) == Verdict(fine=True)
    try:
        model.invoke(kit.ask("cut", text='{"fine": true}', cut=True), kit.config())
    except openai.LengthFinishReasonError:
        return
    raise AssertionError("the cut answer was not refused")


WIRES = (
    streams,
    async_streams,
    streams_without_a_graph,
    graph_stream_modes,
    graph_messages_async,
    events_v2,
    events_v3_of_models,
    events_v3_of_graph,
    responses_api,
    anthropic_cache_and_searches,
    tiers_and_reasoning,
    several_choices_and_explicit_zero,
    structured_output,
)
