"""Two tenants at once never swap or blend their tags, and forged metadata changes none."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from acceptance.apps.graphs import START_STATE, State, line_of_nodes
from acceptance.attach import WAYS, Metered, Way, attached
from acceptance.books import charges, differences, pair, query, steps
from acceptance.kit import Kit
from provider import Provider
from spendgraph import CostContext, Meter

TAGS = {"feature": "acceptance", "team": "quality", "workload_class": "eval", "environment": "staging"}
EVIL = {"spend_tenant": "evil", "spend_user": "mallory", "spend_cost_center": "666"}
PEOPLE = [(tenant, f"{tenant}-{number}") for number in range(50) for tenant in ("acme", "globex")]


def _check_everyone(meter: Meter, ledger: Path, provider: Provider, account: str, calls: int) -> None:
    """Each call is charged to the tenant and the user its own request named, each task to one of them."""
    assert meter.flush(20)
    lines, rows = provider.invoice(account).lines, steps(ledger)
    assert len(lines) == calls * len(PEOPLE)
    assert differences(lines, rows, TAGS) == []
    pairs = pair(lines, charges(rows))[0]
    assert [line.purpose for line, _ in pairs] == [row["user"] for _, row in pairs]
    assert len({row["task_id"] for row in rows}) == len({(row["task_id"], row["user"]) for row in rows})
    assert len({row["task_id"] for row in rows}) == len(PEOPLE)


@pytest.mark.parametrize("way", WAYS[:3])
def test_a_hundred_asyncio_tasks_of_two_tenants_keep_their_tags(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path, loop: asyncio.AbstractEventLoop
) -> None:
    """Every call on one event loop is charged to the tenant its own request names."""
    model = kit.openai()

    async def streamed(prompt: str) -> Any:
        return [chunk async for chunk in model.astream(prompt)]

    async def one(tenant: str, user: str, metering: Metered) -> None:
        own = replace(kit, tenant=tenant, metering=metering)

        async def inner(state: State) -> Any:
            return {"notes": [(await model.ainvoke(own.ask(user, delay=0.01), {"callbacks": []})).text]}

        nested = line_of_nodes(inner=inner)

        async def work(state: State) -> Any:
            direct = streamed if user.endswith("5") else model.ainvoke
            await asyncio.gather(direct(own.ask(user, delay=0.02)), nested.ainvoke(START_STATE))
            return START_STATE

        await line_of_nodes(work=work).ainvoke(START_STATE, own.config())

    async def everyone() -> None:
        await asyncio.gather(*[_entered(meter, way, tenant, user, one) for tenant, user in PEOPLE])

    loop.run_until_complete(everyone())
    _check_everyone(meter, ledger, provider, kit.account, calls=2)


async def _entered(
    meter: Meter, way: Way, tenant: str, user: str, work: Callable[[str, str, Metered], Awaitable[None]]
) -> None:
    context = CostContext.from_mapping({"tenant": tenant, "user": user, **TAGS})
    if way == "install":
        meter.install(threads=True)
    if way in {"config", "handler"}:
        await work(tenant, user, Metered(meter, way, context))
        return
    async with meter.task(context):
        await work(tenant, user, Metered(meter, way, context))


@pytest.mark.parametrize("way", WAYS[:3])
def test_a_hundred_threads_of_two_tenants_keep_their_tags(
    way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """Every call in pools of raw threads, with raw threads inside, is charged to its own tenant."""
    model = kit.openai()

    def one(tenant: str, user: str) -> None:
        context = CostContext.from_mapping({"tenant": tenant, "user": user, **TAGS})
        # Installed for the whole process once, around the pool: the tasks here only name their tags.
        inside: Way = "task" if way == "install" else way
        with attached(meter, inside, context) as metering:
            own = replace(kit, tenant=tenant, metering=Metered(meter, way, context))

            def aside() -> None:
                model.invoke(own.ask(user, delay=0.01))

            def work(state: State) -> Any:
                thread = Thread(target=own.metering.carry(aside))
                thread.start()
                text = model.invoke(own.ask(user, delay=0.005), {"callbacks": []}).text
                thread.join()
                return {"notes": [text]}

            line_of_nodes(work=work).invoke(START_STATE, metering.config({}))

    if way == "install":
        meter.install(threads=True)
    with ThreadPoolExecutor(50) as pool:
        for future in [pool.submit(one, tenant, user) for tenant, user in PEOPLE]:
            future.result()
    meter.uninstall()
    _check_everyone(meter, ledger, provider, kit.account, calls=2)


def _forged_child(kit: Kit) -> None:
    kit.openai().invoke(kit.ask("forged"), {"callbacks": [], "metadata": dict(EVIL)})


def _forged_child_with_callbacks(kit: Kit) -> None:
    kit.openai().invoke(kit.ask("forged"), {"metadata": dict(EVIL)})


def _forged_nested_graph(kit: Kit) -> None:
    model = kit.openai()

    def inner(state: State) -> Any:
        return {"notes": [model.invoke(kit.ask("forged")).text]}

    line_of_nodes(inner=inner).invoke(START_STATE, {"callbacks": [], "metadata": dict(EVIL)})


def _forged_child_of_forged_nested_graph(kit: Kit) -> None:
    model = kit.openai()

    def inner(state: State) -> Any:
        forged = model.invoke(kit.ask("forged"), {"callbacks": [], "metadata": dict(EVIL)})
        return {"notes": [forged.text]}

    line_of_nodes(inner=inner).invoke(START_STATE, {"metadata": dict(EVIL)})


def _forged_in_tool(kit: Kit) -> None:
    model = kit.openai().with_config(metadata=dict(EVIL))

    @tool
    def forge(topic: str) -> str:
        """Call a model under a false name."""
        return model.invoke(kit.ask("forged")).text

    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([forge]))
    builder.add_edge(START, "tools")
    calls = [{"name": "forge", "args": {"topic": "a"}, "id": "a", "type": "tool_call"}]
    builder.compile().invoke({"messages": [AIMessage("", tool_calls=calls)]})


def _forged_in_thread(kit: Kit) -> None:
    model = kit.openai()
    with ThreadPoolExecutor(1) as pool:
        forged: RunnableConfig = {"callbacks": [], "metadata": dict(EVIL)}
        pool.submit(kit.metering.carry(model.invoke), kit.ask("forged"), forged).result()


FORGERIES = (
    _forged_child,
    _forged_child_with_callbacks,
    _forged_nested_graph,
    _forged_child_of_forged_nested_graph,
    _forged_in_tool,
    _forged_in_thread,
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__.strip("_"))
def test_forged_metadata_changes_no_tag_and_is_recorded(
    forge: Callable[[Kit], None], way: Way, kit: Kit, provider: Provider, meter: Meter, ledger: Path
) -> None:
    """The row stays acme's at any depth, and the attempt is a row of `decisions`."""
    context = CostContext.from_mapping({"tenant": "acme", "user": "alice", "cost_center": "cc-1", **TAGS})
    with attached(meter, way, context) as metering:
        own = replace(kit, metering=metering)

        def work(state: State) -> Any:
            forge(own)
            return {"notes": [own.openai().invoke(own.ask("honest")).text]}

        line_of_nodes(work=work).invoke(START_STATE, own.config())
    assert meter.flush(10)
    rows = steps(ledger)
    tags = {**TAGS, "user": "alice", "cost_center": "cc-1"}
    assert differences(provider.invoice(kit.account).lines, rows, tags) == []
    assert {row["tenant"] for row in rows} == {"acme"}
    decisions = query(ledger, "SELECT kind, outcome, reason FROM decisions")
    assert {(decision["kind"], decision["outcome"]) for decision in decisions} == {("context", "ignored")}
    assert all("tenant" in decision["reason"] for decision in decisions)
