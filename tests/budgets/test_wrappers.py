"""Every way in is gated, and nothing around a refused call sends it or makes an answer of the refusal."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportArgumentType=false
from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolRetryMiddleware,
)
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from approvals.asking import WAYS, go
from budgets.fanout import ACME, CALL_NANOUSD, capped
from scripted import USAGE, ScriptedModel
from spendgraph import BudgetExceeded, Meter, Refusal

EITHER = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
HELLO: dict[str, Any] = {"messages": [("user", "hi")]}


class State(TypedDict):
    """One answer."""

    answer: str


class Sized(BaseModel):
    """A structured answer."""

    size: int


def run(runnable: Any, inputs: Any, config: Any, *, asynchronous: bool) -> Any:
    """Invoke it, on an event loop or not."""
    return asyncio.run(runnable.ainvoke(inputs, config)) if asynchronous else runnable.invoke(inputs, config)


@pytest.fixture
def model() -> ScriptedModel:
    """Each answer costs $0.0075."""
    return ScriptedModel()


@pytest.fixture
def spent(tmp_path: Path) -> Iterator[Meter]:
    """A meter whose budget lets nothing paid in."""
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0")) as meter:
        yield meter


async def _events(runnable: Any, config: Any) -> list[Any]:
    return [event async for event in runnable.astream_events("hi", config, version="v2")]


WAYS_IN: dict[str, Callable[[ScriptedModel, Any], Any]] = {
    "bind_tools": lambda model, config: model.bind_tools([]).invoke("hi", config),
    "bind": lambda model, config: model.bind(stop=["x"]).invoke("hi", config),
    "with_structured_output": lambda model, config: model.with_structured_output(Sized).invoke("hi", config),
    "with_config": lambda model, config: model.with_config(tags=["t"]).invoke("hi", config),
    "generate": lambda model, config: model.generate([[HumanMessage("hi")]], callbacks=config["callbacks"]),
    "batch_as_completed": lambda model, config: list(model.batch_as_completed(["hi", "ho"], config)),
    "astream_events": lambda model, config: asyncio.run(_events(model, config)),
    "a lambda": lambda model, config: _chain(model).invoke("hi", config),
}


def _chain(model: ScriptedModel) -> Any:
    from langchain_core.runnables import RunnableLambda

    return RunnableLambda(lambda text: model.invoke(text))


@pytest.mark.parametrize("way", WAYS_IN)
def test_every_way_in_is_gated(spent: Meter, model: ScriptedModel, way: str) -> None:
    """Whatever wraps the model, its call is refused before it is sent."""
    with warnings.catch_warnings():
        # LangChain drops the coroutines of its own handlers, unawaited, when an inline handler raises.
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(BudgetExceeded):
            WAYS_IN[way](model, spent.config(ACME))
        gc.collect()
    assert model.requests == 0


def _graph(node: Callable[..., Any], **options: Any) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("call", node, **options)
    builder.add_edge(START, "call")
    builder.add_edge("call", END)
    return builder.compile()


@tool
def ask() -> str:
    """Ask a model."""
    return str(ScriptedModel().invoke("hi").content)


class CallingModel(ScriptedModel):
    """Free: calls the tool `ask`, once, and answers with what it said."""

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "free", "ls_model_name": "free", "ls_model_type": "chat"}

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        self.sent["requests"] += 1
        calls = [] if messages[-1].type == "tool" else [{"name": "ask", "args": {}, "id": "1"}]
        metadata = {"model_name": "free"}
        answer = AIMessage("ok", tool_calls=calls, usage_metadata=USAGE, response_metadata=metadata)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any) -> Any:
        return self._generate(messages)


WRAPPERS: dict[str, Callable[[ScriptedModel], Any]] = {
    "ModelFallbackMiddleware": lambda model: create_agent(
        model, [], middleware=[ModelFallbackMiddleware(model, model)]
    ),
    "ModelRetryMiddleware": lambda model: create_agent(
        model, [], middleware=[ModelRetryMiddleware(max_retries=3, on_failure="continue")]
    ),
    "SummarizationMiddleware": lambda model: create_agent(
        CallingModel(),
        [],
        middleware=[SummarizationMiddleware(model, trigger=("messages", 1), keep=("messages", 1))],
    ),
    "error_handler": lambda model: _graph(
        lambda _: {"answer": str(model.invoke("hi").content)}, error_handler=lambda _: {"answer": "sorry"}
    ),
    "RetryPolicy": lambda model: _graph(
        lambda _: {"answer": str(model.invoke("hi").content)},
        retry_policy=RetryPolicy(retry_on=Exception, max_attempts=3, initial_interval=0.01),
    ),
}


@EITHER
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_no_wrapper_sends_a_refused_model_call(
    spent: Meter, model: ScriptedModel, wrapper: str, asynchronous: bool
) -> None:
    """Middleware, error handlers, retries and tasks let the refusal through."""
    inputs = {**HELLO, "answer": ""}
    if wrapper == "SummarizationMiddleware":
        inputs["messages"] = [("user", "one"), ("assistant", "two"), ("user", "three")]
    with pytest.raises(BudgetExceeded):
        run(WRAPPERS[wrapper](model), inputs, spent.config(ACME), asynchronous=asynchronous)
    assert model.requests == 0


def test_a_functional_task_lets_the_refusal_through(spent: Meter, model: ScriptedModel) -> None:
    """It is the entrypoint's, too."""

    @task
    def call(text: str) -> str:
        return str(model.invoke(text).content)

    @entrypoint()
    def workflow(_: Any) -> str:
        answer: str = call("hi").result()
        return answer

    with pytest.raises(BudgetExceeded):
        workflow.invoke({}, spent.config(ACME))
    assert model.requests == 0


TOOLS: dict[str, Callable[[], Any]] = {
    "create_agent": lambda: create_agent(CallingModel(), [ask]),
    "ToolRetryMiddleware": lambda: create_agent(
        CallingModel(), [ask], middleware=[ToolRetryMiddleware(max_retries=3, on_failure="continue")]
    ),
}


@EITHER
@pytest.mark.parametrize("agent", TOOLS)
def test_no_tool_message_reads_like_an_answer(spent: Meter, agent: str, asynchronous: bool) -> None:
    """A model inside a tool is refused; the agent does not go on with a ToolMessage about it."""
    with pytest.raises(BudgetExceeded):
        run(TOOLS[agent](), HELLO, spent.config(ACME), asynchronous=asynchronous)


@pytest.mark.parametrize("handles", [True, "an error", (Exception,), lambda error: "an error"])
def test_a_tool_node_lets_refusals_through_whatever_it_handles(spent: Meter, handles: Any) -> None:
    """True, a text, classes or a function."""
    node = ToolNode([ask], handle_tool_errors=handles)
    call = {"name": "ask", "args": {}, "id": "1", "type": "tool_call"}
    with pytest.raises(BudgetExceeded):
        _graph(lambda _: {"answer": str(node.invoke([call]))}).invoke({"answer": ""}, spent.config(ACME))


@EITHER
def test_the_graph_goes_on_from_the_refused_node(tmp_path: Path, asynchronous: bool) -> None:
    """What is finished is not paid for again once there is room."""
    first, second = ScriptedModel(), ScriptedModel()
    builder: Any = StateGraph(State)
    builder.add_node("one", lambda _: {"answer": str(first.invoke("hi").content)})
    builder.add_node("two", lambda _: {"answer": str(second.invoke("hi").content)})
    builder.add_edge(START, "one")
    builder.add_edge("one", "two")
    graph = builder.compile(checkpointer=InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0.0075")) as meter:
        with pytest.raises(BudgetExceeded) as caught:
            run(graph, {"answer": ""}, meter.config(ACME, thread_id="t"), asynchronous=asynchronous)
        assert isinstance(caught.value, Refusal)
        meter.ledger.inbox.raise_limit("cap", "tenant=acme", CALL_NANOUSD, by="cfo", why="launch")
        run(graph, None, meter.config(thread_id="t"), asynchronous=asynchronous)
    assert (first.requests, second.requests) == (1, 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_paid_and_was_interrupted_pays_again_and_the_budget_shows_both(
    tmp_path: Path, model: ScriptedModel, way: str
) -> None:
    """Both were billed; the second is marked. Going back in time changes nothing in the ledger."""

    def node(_: State) -> State:
        said = str(model.invoke("hi").content)
        interrupt("go on?")
        return {"answer": said}

    builder: Any = StateGraph(State)
    builder.add_node("call", node)
    builder.add_edge(START, "call")
    graph = builder.compile(checkpointer=InMemorySaver())
    with Meter(tmp_path / "ledger.db", policy=capped(cap="0.03")) as meter:
        go(graph, {"answer": ""}, meter.config(ACME, thread_id="t"), way=way)
        go(graph, Command(resume="yes"), meter.config(thread_id="t"), way=way)
        assert [step["is_replay"] for step in meter.ledger.steps()] == [0, 1]
        (window,) = meter.ledger.windows()
        assert (window["spent_nanousd"], window["held_nanousd"]) == (2 * CALL_NANOUSD, 0)
        before = [dict(step) for step in meter.ledger.steps()]
        history = list(graph.get_state_history(meter.config(thread_id="t")))
        graph.update_state(history[-1].config, {"answer": "rewound"})
        assert [dict(step) for step in meter.ledger.steps()] == before
        go(
            graph,
            None,
            {**history[-1].config, **meter.config(ACME), "configurable": history[-1].config["configurable"]},
            way=way,
        )
        assert len(list(meter.ledger.steps())) == 3
        assert meter.ledger.windows()[0]["spent_nanousd"] == 3 * CALL_NANOUSD
        assert meter.ledger.verify() == []
