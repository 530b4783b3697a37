"""What retries, falls back or handles errors, run in every way: nothing of it sends a refused call or answers for it."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from budgets.fanout import ACME, CALL_NANOUSD, PRICES, capped
from budgets.test_traps import counters, metered
from scripted import ScriptedModel
from spendgraph import BudgetExceeded, Refusal, RefusalSwallowed
from spendgraph.policy import parse_policy


async def _astream(runnable: Any, inputs: Any, config: Any) -> list[Any]:
    return [chunk async for chunk in runnable.astream(inputs, config)]


WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda runnable, inputs, config: runnable.invoke(inputs, config),
    "ainvoke": lambda runnable, inputs, config: asyncio.run(runnable.ainvoke(inputs, config)),
    "stream": lambda runnable, inputs, config: list(runnable.stream(inputs, config)),
    "astream": lambda runnable, inputs, config: asyncio.run(_astream(runnable, inputs, config)),
    "batch": lambda runnable, inputs, config: runnable.batch([inputs], config),
    "abatch": lambda runnable, inputs, config: asyncio.run(runnable.abatch([inputs], config)),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def calling(model: Any) -> Any:
    """A node that calls the model, on an event loop or not."""

    def call(_: Any) -> Any:
        return {"messages": [model.invoke("hi")]}

    async def acall(_: Any) -> Any:
        return {"messages": [await model.ainvoke("hi")]}

    return RunnableLambda(call, acall)


def graph_of(node: Any, **options: Any) -> Any:
    """A graph of one node."""
    builder: Any = StateGraph(MessagesState)
    builder.add_node("call", node, **options)
    builder.add_edge(START, "call")
    builder.add_edge("call", END)
    return builder.compile()


def asking(model: ScriptedModel) -> BaseTool:
    """A tool that calls the model."""

    async def aask() -> str:
        return str((await model.ainvoke("hi")).content)

    @tool
    def ask() -> str:
        """Ask a model."""
        return str(model.invoke("hi").content)

    ask.coroutine = aask  # pyright: ignore[reportAttributeAccessIssue]
    return ask


SORRY: Any = RunnableLambda(lambda _: AIMessage("sorry"))
AT_ONCE = RetryPolicy(retry_on=Exception, max_attempts=3, initial_interval=0.001)
WRAPPERS: dict[str, Callable[[ScriptedModel], Any]] = {
    "with_retry": lambda model: model.with_retry(stop_after_attempt=3, wait_exponential_jitter=False),
    "with_retry in a graph": lambda model: graph_of(
        calling(model.with_retry(stop_after_attempt=3, wait_exponential_jitter=False))
    ),
    "RetryPolicy": lambda model: graph_of(calling(model), retry_policy=AT_ONCE),
    "ModelRetryMiddleware": lambda model: create_agent(
        model, [], middleware=[ModelRetryMiddleware(on_failure="continue", initial_delay=0.0)]
    ),
    "ToolNode": lambda model: graph_of(ToolNode([asking(model)], handle_tool_errors=True)),
    "a constant in with_fallbacks": lambda model: model.with_fallbacks([SORRY]),
    "a constant in a graph": lambda model: graph_of(calling(model.with_fallbacks([SORRY]))),
}
ONE_CALL = AIMessage("", tool_calls=[{"name": "ask", "args": {}, "id": "1"}])


def inputs_of(wrapper: str) -> Any:
    """What a model, or a graph, is run with."""
    if wrapper in {"with_retry", "a constant in with_fallbacks"}:
        return "hi"
    return {"messages": [ONE_CALL if wrapper == "ToolNode" else ("user", "hi")]}


@EVERY_WAY
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_refused_call_is_neither_sent_nor_answered_for(tmp_path: Path, wrapper: str, way: str) -> None:
    """The run ends with the refusal: where something has swallowed it, at its end."""
    model = ScriptedModel()
    with metered(tmp_path, capped(cap="0")) as meter:
        with pytest.raises(Refusal) as caught:
            WAYS[way](WRAPPERS[wrapper](model), inputs_of(wrapper), meter.config(ACME))
        expected = RefusalSwallowed if wrapper.startswith("a constant") else BudgetExceeded
        assert type(caught.value) is expected
        assert caught.value.budget == "cap"
        assert model.requests == 0
        assert counters(meter) == (0, 0)


DEAR_AND_CHEAPER = f"""{PRICES}
    - {{provider: "*", model: cheaper, input_usd_per_mtok: 0, output_usd_per_mtok: 0, usd_per_request: "0.00001"}}
budgets: [{{name: cap, limit_usd: "0.001"}}]
"""


class CheaperModel(ScriptedModel):
    """Costs less than what is left."""

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "scripted", "ls_model_name": "cheaper", "ls_model_type": "chat"}

    def _answer(self) -> AIMessage:
        answer = super()._answer()
        answer.response_metadata["model_name"] = "cheaper"
        return answer


@EVERY_WAY
@pytest.mark.parametrize("inside", [False, True], ids=["by itself", "in a graph"])
def test_a_fallback_that_was_reserved_itself_is_fine(tmp_path: Path, inside: bool, way: str) -> None:
    """A dear call is refused, a cheaper one admitted: an answer, one row, and what it cost."""
    model, cheaper = ScriptedModel(), CheaperModel()
    either = model.with_fallbacks([cheaper])
    runnable: Any = graph_of(calling(either)) if inside else either
    with metered(tmp_path, parse_policy(DEAR_AND_CHEAPER)) as meter:
        inputs: Any = {"messages": [("user", "hi")]} if inside else "hi"
        WAYS[way](runnable, inputs, meter.config(ACME))
        assert (model.requests, cheaper.requests) == (0, 1)
        (step,) = meter.ledger.steps()
        assert (step["model"], step["cost_nanousd"], step["status"]) == ("cheaper", 10_000, "ok")
        assert counters(meter) == (10_000, 0)
        assert meter.ledger.verify() == []


@EVERY_WAY
def test_a_node_that_handles_the_refusal_on_purpose_is_fine(tmp_path: Path, way: str) -> None:
    """The run ends with what the node says; only the admitted call is in the books."""
    model = ScriptedModel()

    def no(refusal: Refusal) -> Any:
        return {"messages": [AIMessage(refusal.handled().reason)]}

    def call(_: Any) -> Any:
        try:
            return {"messages": [model.invoke("hi"), model.invoke("hi")]}
        except Refusal as refusal:
            return no(refusal)

    async def acall(_: Any) -> Any:
        try:
            return {"messages": [await model.ainvoke("hi"), await model.ainvoke("hi")]}
        except Refusal as refusal:
            return no(refusal)

    with metered(tmp_path, capped(cap="0.01")) as meter:
        graph = graph_of(RunnableLambda(call, acall))
        said = WAYS[way](graph, {"messages": [("user", "hi")]}, meter.config(ACME))
        assert "budget_exceeded" in str(said)
        assert model.requests == 1
        assert counters(meter) == (CALL_NANOUSD, 0)
