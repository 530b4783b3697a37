"""Chains, batches, asyncio tasks, executors and raw threads."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.kit import Kit, app


def _asking(kit: Kit, purpose: str) -> RunnableLambda[str, str]:
    def ask(draft: str) -> str:
        return kit.ask(purpose)

    return RunnableLambda(ask)


@app({"draft": 1, "left": 1, "right": 1})
def lcel_chain(kit: Kit) -> None:
    """A prompt, a model, a parser and two models in parallel."""
    prompt = ChatPromptTemplate.from_messages([("user", "{text}")])
    draft = prompt | kit.openai() | StrOutputParser()
    left: Runnable[str, BaseMessage] = _asking(kit, "left") | kit.openai()
    right: Runnable[str, BaseMessage] = _asking(kit, "right") | kit.anthropic()
    chain = draft | RunnableParallel(left=left, right=right)
    chain.invoke({"text": kit.ask("draft")}, kit.config())


@app({"draft": 1, "inner": 1})
async def lcel_chain_async(kit: Kit) -> None:
    """A chain with a coroutine step that calls a model."""
    model = kit.openai()

    async def inner(message: BaseMessage) -> str:
        return (await model.ainvoke(kit.ask("inner"))).text

    await (model | RunnableLambda(inner)).ainvoke(kit.ask("draft"), kit.config())


@app({"batch": 6, "as-completed": 3})
def batch(kit: Kit) -> None:
    """Batches of a model, in order and as completed."""
    model = kit.openai()
    model.batch([kit.ask("batch") for _ in range(6)], kit.config(max_concurrency=3))
    list(model.batch_as_completed([kit.ask("as-completed") for _ in range(3)], kit.config()))


@app({"batch": 6, "as-completed": 3})
async def abatch(kit: Kit) -> None:
    """Batches awaited, in order and as completed."""
    model = kit.openai()
    await model.abatch([kit.ask("batch") for _ in range(6)], kit.config())
    inputs = [kit.ask("as-completed") for _ in range(3)]
    assert len([answer async for answer in model.abatch_as_completed(inputs, kit.config())]) == 3


@app({"batch": 4})
def batch_in_node(kit: Kit) -> None:
    """A batch inside a node."""
    model = kit.openai()

    def work(state: State) -> Any:
        return {"notes": [m.text for m in model.batch([kit.ask("batch") for _ in range(4)])]}

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


@app({"gather": 5, "group": 3, "detached": 1}, nodes={"gather": "work", "group": "work"})
async def asyncio_tasks(kit: Kit) -> None:
    """Models awaited by gather, a task group and a detached task of a node."""
    model = kit.openai()

    async def work(state: State) -> Any:
        await asyncio.gather(*[model.ainvoke(kit.ask("gather")) for _ in range(5)])
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(model.ainvoke(kit.ask("group")))
        await asyncio.create_task(model.ainvoke(kit.ask("detached")))
        return START_STATE

    await line_of_nodes(work=work).ainvoke(START_STATE, kit.config())


@app({"root": 4})
async def asyncio_tasks_without_a_graph(kit: Kit) -> None:
    """Models gathered outside of any graph."""
    model = kit.openai()
    await asyncio.gather(*[model.ainvoke(kit.ask("root"), kit.config()) for _ in range(4)])


@app({"to-thread": 2, "executor": 2}, nodes={"to-thread": "work"})
async def executor_threads(kit: Kit) -> None:
    """Models called in `to_thread` and in the event loop's executor."""
    model = kit.openai()

    async def work(state: State) -> Any:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[asyncio.to_thread(model.invoke, kit.ask("to-thread")) for _ in range(2)])
        call = kit.metering.carry(model.invoke)
        await asyncio.gather(*[loop.run_in_executor(None, call, kit.ask("executor")) for _ in range(2)])
        return START_STATE

    await line_of_nodes(work=work).ainvoke(START_STATE, kit.config())


@app({"thread": 3})
def raw_threads(kit: Kit) -> None:
    """Models called in threads a node started."""
    model = kit.openai()

    def work(state: State) -> Any:
        call = kit.metering.carry(model.invoke)
        threads = [threading.Thread(target=call, args=(kit.ask("thread"),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return START_STATE

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


@app({"pool": 6})
def thread_pool(kit: Kit) -> None:
    """Models called in a pool a node opened, by submit and by map."""
    model = kit.openai()

    def work(state: State) -> Any:
        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(kit.metering.carry(model.invoke), kit.ask("pool")) for _ in range(5)]
            notes = [future.result().text for future in futures]
            notes += [m.text for m in pool.map(kit.metering.carry(model.invoke), [kit.ask("pool")])]
        return {"notes": notes}

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


@app({"graph-in-thread": 2, "async-in-thread": 1})
def graphs_in_raw_threads(kit: Kit) -> None:
    """Graphs and an event loop run in the threads of a pool."""
    model = kit.openai()

    def inner(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("graph-in-thread")).text]}

    async def coroutine() -> None:
        # A client of its own: asyncio.run closes the loop that its connections belong to.
        async with kit.async_openai_sdk() as sdk:
            own = kit.openai(root_async_client=sdk, async_client=sdk.chat.completions)
            await own.ainvoke(kit.ask("async-in-thread"))

    nested = line_of_nodes(inner=inner)

    def whole() -> Any:
        return nested.invoke(START_STATE)

    def bare() -> Any:
        return nested.invoke(START_STATE, {"callbacks": []})

    def work(state: State) -> Any:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(kit.metering.carry(whole))
            second = pool.submit(kit.metering.carry(bare))
            third = pool.submit(kit.metering.carry(lambda: asyncio.run(coroutine())))
            for future in (first, second, third):
                future.result()
        return START_STATE

    line_of_nodes(work=work).invoke(START_STATE, kit.config())


CONCURRENCY = (
    lcel_chain,
    lcel_chain_async,
    batch,
    abatch,
    batch_in_node,
    asyncio_tasks,
    asyncio_tasks_without_a_graph,
    executor_threads,
    raw_threads,
    thread_pool,
    graphs_in_raw_threads,
)
