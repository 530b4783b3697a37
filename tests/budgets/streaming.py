"""Models that stream a long answer in chunks of ten tokens, and every way of streaming from one."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from scripted import PRICES, ScriptedCompletion, ScriptedModel
from spendgraph import CostContext
from spendgraph.policy import Policy, parse_policy

ACME = CostContext(feature="triage", team="support", tenant="acme")
CHUNK = "x" * 40
CHUNK_TOKENS = 10
CHUNK_NANOUSD = 20_000
SENT_TOKENS = 5
"""What the message `hi` counts as."""


class LongModel(ScriptedModel):
    """Streams `chunks` chunks of ten tokens, and reports them all with the last."""

    chunks: int = 10

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any) -> Iterator[Any]:
        self.sent["requests"] += 1
        for n in range(self.chunks):
            self.sent["chunks"] += 1
            message = AIMessageChunk(content=CHUNK)
            if n == self.chunks - 1:
                message = AIMessageChunk(
                    content=CHUNK,
                    usage_metadata={
                        "input_tokens": SENT_TOKENS,
                        "output_tokens": CHUNK_TOKENS * self.chunks,
                        "total_tokens": SENT_TOKENS + CHUNK_TOKENS * self.chunks,
                    },
                    response_metadata={"model_name": "scripted", "finish_reason": "stop"},
                )
            yield ChatGenerationChunk(message=message)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> AsyncIterator[Any]:
        for chunk in self._stream(messages):
            await asyncio.sleep(0)
            yield chunk


class LongCompletion(ScriptedCompletion):
    """The same as a completion model, which is announced by `on_llm_start`."""

    chunks: int = 10

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **kw: Any) -> Iterator[Any]:
        for _ in range(self.chunks):
            chunk = GenerationChunk(text=CHUNK)
            if run_manager is not None:
                run_manager.on_llm_new_token(CHUNK, chunk=chunk)
            yield chunk


def limited(usd: str = "0.0001", *, reserve: str = "expected", more: str = "") -> Policy:
    """A budget of (by default) 100,000 nano-USD; ten tokens of an answer are expected."""
    return parse_policy(
        f"{PRICES}\nestimates: {{default_output_tokens: 10}}\n"
        f"budgets: [{{name: cap, owner: growth, limit_usd: '{usd}', reserve: {reserve}}}{more}]"
    )


class State(TypedDict):
    """One answer."""

    answer: str


def graph_of(model: Any, **options: Any) -> Any:
    """A graph of one node that invokes the model."""

    def call(_: State) -> State:
        return {"answer": str(model.invoke("hi").content)}

    builder: Any = StateGraph(State)
    builder.add_node("call", call, **options)
    builder.add_edge(START, "call")
    builder.add_edge("call", END)
    return builder.compile()


def agraph_of(model: Any, **options: Any) -> Any:
    """Its asynchronous twin."""

    async def call(_: State) -> State:
        return {"answer": str((await model.ainvoke("hi")).content)}

    builder: Any = StateGraph(State)
    builder.add_node("call", call, **options)
    builder.add_edge(START, "call")
    builder.add_edge("call", END)
    return builder.compile()


_EMPTY: State = {"answer": ""}


async def _all(stream: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in stream]


async def _v3(model: Any, config: Any) -> list[Any]:
    return await _all(aiter(await model.astream_events("hi", config, version="v3")))


async def _graph_v3(model: Any, config: Any) -> list[Any]:
    return await _all(aiter(await agraph_of(model).astream_events(_EMPTY, config, version="v3")))


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "stream": lambda model, config: list(model.stream("hi", config)),
    "astream": lambda model, config: asyncio.run(_all(model.astream("hi", config))),
    "astream_events v2": lambda model, config: asyncio.run(
        _all(model.astream_events("hi", config, version="v2"))
    ),
    "stream_events v3": lambda model, config: list(model.stream_events("hi", config, version="v3")),
    "astream_events v3": lambda model, config: asyncio.run(_v3(model, config)),
    "messages in a graph": lambda model, config: list(
        graph_of(model).stream(_EMPTY, config, stream_mode="messages")
    ),
    "messages in an async graph": lambda model, config: asyncio.run(
        _all(agraph_of(model).astream(_EMPTY, config, stream_mode="messages"))
    ),
    "v2 of a graph": lambda model, config: asyncio.run(
        _all(agraph_of(model).astream_events(_EMPTY, config, version="v2"))
    ),
    "v3 of a graph": lambda model, config: asyncio.run(_graph_v3(model, config)),
}
