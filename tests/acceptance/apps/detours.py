"""What goes around the usual way: own callbacks, own config, retries, fallbacks, caches, raw SDK calls."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from typing import Any

import openai
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.kit import Kit, app


class Onlooker(BaseCallbackHandler):
    """A callback handler of the user's own."""


@app(
    {"no-callbacks": 2, "own-callbacks": 1, "own-metadata": 1, "run-name": 1}, nodes={"no-callbacks": "work"}
)
def own_config_in_node(kit: Kit) -> None:
    """Calls with emptied callbacks, foreign callbacks, own metadata and a bound config."""
    model = kit.openai()

    def work(state: State) -> Any:
        model.invoke(kit.ask("no-callbacks"), {"callbacks": []})
        list(model.stream(kit.ask("no-callbacks"), {"callbacks": []}))
        model.invoke(kit.ask("own-callbacks"), {"callbacks": [Onlooker()]})
        model.invoke(kit.ask("own-metadata"), {"metadata": {"mine": "yes"}, "tags": ["mine"]})
        model.with_config(run_name="mine", callbacks=[]).invoke(kit.ask("run-name"))
        return START_STATE

    line_of_nodes(work=work).invoke(START_STATE, kit.config(metadata={"host": "metadata"}, tags=["host"]))


@app({"no-callbacks": 2, "own-callbacks": 1})
async def own_config_in_async_node(kit: Kit) -> None:
    """Calls with emptied and foreign callbacks, awaited and streamed."""
    model = kit.openai()

    async def work(state: State) -> Any:
        await model.ainvoke(kit.ask("no-callbacks"), {"callbacks": []})
        assert [c async for c in model.astream(kit.ask("no-callbacks"), {"callbacks": []})]
        await model.ainvoke(kit.ask("own-callbacks"), {"callbacks": [Onlooker()]})
        return START_STATE

    await line_of_nodes(work=work).ainvoke(START_STATE, kit.config())


@app({"nested": 2})
def nested_graph_without_callbacks(kit: Kit) -> None:
    """A nested graph with emptied callbacks, and a call with them emptied again."""
    model = kit.openai()

    def inner(state: State) -> Any:
        model.invoke(kit.ask("nested"), {"callbacks": []})
        return {"notes": [model.invoke(kit.ask("nested")).text]}

    nested = line_of_nodes(inner=inner)

    def outer(state: State) -> Any:
        return nested.invoke(START_STATE, {"callbacks": []})

    line_of_nodes(outer=outer).invoke(START_STATE, kit.config())


@app({"sdk-retry": 2, "with-retry": 1})
def retries_of_refused_requests(kit: Kit) -> None:
    """The SDKs' own retries and `with_retry`, after 429 and 500."""
    for model in (kit.openai(max_retries=3), kit.anthropic(max_retries=3)):
        model.invoke(kit.ask("sdk-retry", fail=[429, 500]), kit.config())
    retrying = kit.openai().with_retry(stop_after_attempt=4, wait_exponential_jitter=False)
    retrying.invoke(kit.ask("with-retry", fail=[429, 500]), kit.config())


@app({"refused-first": 1, "paid-twice": 2}, nodes={"refused-first": "call", "paid-twice": "crash"})
def retried_nodes(kit: Kit) -> None:
    """A node retried before it paid, and one retried after."""
    model = kit.openai()
    crashes: list[str] = []

    def call(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("refused-first", fail=[500])).text]}

    def crash(state: State) -> Any:
        answer = model.invoke(kit.ask("paid-twice")).text
        if not crashes:
            crashes.append(answer)
            raise ConnectionError("the database went away")
        return {"notes": [answer]}

    policy = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=(openai.APIError, ConnectionError))
    builder = StateGraph(State)
    builder.add_node("call", call, retry_policy=policy)
    builder.add_node("crash", crash, retry_policy=policy)
    builder.add_edge(START, "call")
    builder.add_edge("call", "crash")
    builder.add_edge("crash", END)
    builder.compile().invoke(START_STATE, kit.config())


@app({"fallback": 1, "second": 1})
def fallbacks(kit: Kit) -> None:
    """A provider that fails and another that answers, outside and inside a node."""
    either = kit.openai().with_fallbacks([kit.anthropic()])
    either.invoke(kit.ask("fallback", fail=[500]), kit.config())

    def work(state: State) -> Any:
        return {"notes": [either.invoke(kit.ask("second", fail=[429])).text]}

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


@app({"cached": 1, "cached-other": 1}, hits=3)
async def cache_hits(kit: Kit) -> None:
    """LangChain's own cache answering three times."""
    model = kit.openai(cache=InMemoryCache())
    for _ in range(3):
        model.invoke(kit.ask("cached", cache_read=100), kit.config())
    await model.ainvoke(kit.ask("cached-other"), kit.config())
    await model.ainvoke(kit.ask("cached-other"), kit.config())


@app(
    {"chat": 1, "responses": 1, "messages": 1, "chat-stream": 1, "anthropic-stream": 1, "responses-stream": 1}
)
def raw_sdk_in_tool(kit: Kit) -> None:
    """Raw SDK calls of both providers in a tool, plain and streamed."""
    sdk, claude, call = kit.openai_sdk(), kit.anthropic_sdk(), kit.metering.call

    def user(purpose: str) -> Any:
        return [{"role": "user", "content": kit.ask(purpose)}]

    @tool
    def raw(topic: str) -> str:
        """Call the providers without LangChain."""
        call(sdk.chat.completions.create, model="gpt-4o", messages=user("chat"))
        call(sdk.responses.create, model="gpt-5", input=kit.ask("responses"))
        call(claude.messages.create, model="claude-sonnet-4-6", max_tokens=99, messages=user("messages"))
        usage = {"include_usage": True}
        chunks = call(
            sdk.chat.completions.create,
            model="gpt-4o",
            messages=user("chat-stream"),
            stream=True,
            stream_options=usage,
        )
        events = call(
            claude.messages.create,
            model="claude-sonnet-4-6",
            max_tokens=99,
            messages=user("anthropic-stream"),
            stream=True,
        )
        parts = call(sdk.responses.create, model="gpt-5", input=kit.ask("responses-stream"), stream=True)
        return str(len([*chunks, *events, *parts]))

    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([raw]))
    builder.add_edge(START, "tools")
    calls = [{"name": "raw", "args": {"topic": "a"}, "id": "a", "type": "tool_call"}]
    builder.compile().invoke({"messages": [AIMessage("", tool_calls=calls)]}, kit.config())
    sdk.close()
    claude.close()


@app({"chat": 1, "stream": 1, "embed": 1}, nodes={"chat": "work", "stream": "work", "embed": "work"})
async def raw_sdk_in_async_node(kit: Kit) -> None:
    """Raw asynchronous SDK calls in a node: plain, streamed and embeddings."""
    async with kit.async_openai_sdk() as sdk:

        async def work(state: State) -> Any:
            messages = [{"role": "user", "content": kit.ask("chat")}]
            await kit.metering.acall(sdk.chat.completions.create, model="gpt-4o", messages=messages)
            streamed: Any = await kit.metering.acall(
                sdk.chat.completions.create,
                model="gpt-4o",
                messages=[{"role": "user", "content": kit.ask("stream")}],
                stream=True,
                stream_options={"include_usage": True},
            )
            assert [chunk async for chunk in streamed]
            await kit.metering.acall(
                sdk.embeddings.create, model="text-embedding-3-small", input=[kit.ask("embed")]
            )
            return START_STATE

        await line_of_nodes(work=work).ainvoke(START_STATE, kit.config())


DETOURS = (
    own_config_in_node,
    own_config_in_async_node,
    nested_graph_without_callbacks,
    retries_of_refused_requests,
    retried_nodes,
    fallbacks,
    cache_hits,
    raw_sdk_in_tool,
    raw_sdk_in_async_node,
)
