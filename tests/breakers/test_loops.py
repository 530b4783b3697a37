"""Agents that are stuck: real graphs whose tools or models are called with the same again and again."""

# LangGraph's and LangChain's own types are partly unknown to pyright.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import InjectedState
from openai import OpenAI
from pydantic import Field
from typing_extensions import TypedDict

from breakers.kit import ACME, CALL_NANOUSD, MINUTE, Clock, decisions, meter, policy, state
from budgets.test_raw_calls import Server
from scripted import USAGE, ScriptedModel
from spendgraph import BreakerOpen, Meter
from spendgraph.budgets.loops import LoopDetector, RecentCalls

LOOP = "name: stuck loop, per: task, identical_calls: 5"


class StuckModel(ScriptedModel):
    """Calls the same tool with the same arguments for ever, with a new id and other words each time."""

    arguments: dict[str, Any] = Field(default_factory=lambda: {"query": "parcel", "limit": 3})

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any) -> ChatResult:
        self.sent["requests"] += 1
        n = self.requests
        items = list(self.arguments.items())
        arguments = dict(items if n % 2 else reversed(items))
        message = AIMessage(
            f"try {n}",
            tool_calls=[{"name": "search", "args": arguments, "id": f"call-{n}"}],
            usage_metadata=USAGE,
            response_metadata={"model_name": "scripted"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> ChatResult:
        return self._generate(messages)


RAN: list[str] = []


@tool
def search(
    query: str,
    limit: int,
    state: Annotated[dict[str, Any], InjectedState],
    call_id: Annotated[str, InjectedToolCallId],
) -> str:
    """Search."""
    RAN.append(call_id)
    return f"result {len(state['messages'])}"


@pytest.fixture(autouse=True)
def ran() -> Iterator[list[str]]:
    """The ids of the tool calls that were made."""
    RAN.clear()
    return iter([RAN])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_agent_that_calls_one_tool_with_the_same_arguments_is_stopped(
    tmp_path: Path, asynchronous: bool
) -> None:
    """The fifth call is not made, though the tool is free, the ids, the state and the order of the arguments differ."""
    model = StuckModel()
    with meter(tmp_path, LOOP) as metered:
        agent = create_agent(model, [search])
        inputs: Any = {"messages": [("user", "find my parcel")]}
        config = metered.config(ACME, {"recursion_limit": 100})
        with pytest.raises(BreakerOpen, match="it trips the breaker 'stuck loop'"):
            asyncio.run(agent.ainvoke(inputs, config)) if asynchronous else agent.invoke(inputs, config)
        assert (model.requests, len(RAN)) == (5, 4)
        assert metered.ledger.verify() == []
        (row,) = metered.ledger.breakers()
        assert row["scope"].startswith("task=")
    assert decisions(tmp_path) == [("breaker", "tripped")]
    for file in tmp_path.iterdir():
        assert b"parcel" not in file.read_bytes()


class State(TypedDict):
    """How often round."""

    n: int


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_graph_that_goes_round_on_free_tools_alone_is_stopped(tmp_path: Path, asynchronous: bool) -> None:
    """Nothing in it costs anything, and a tool that was never called before is refused too while it is open."""

    @tool
    def poll(job: str) -> str:
        """Ask how a job is."""
        RAN.append(job)
        return "running"

    @tool
    def clock() -> str:
        """Tell the time."""
        RAN.append("clock")
        return "noon"

    def node(state: State) -> State:
        try:
            poll.invoke({"job": "j1"})
        except BreakerOpen as refusal:
            with pytest.raises(BreakerOpen, match="is open"):
                clock.invoke({})
            refusal.handled()
            raise
        return {"n": state["n"] + 1}

    async def anode(state: State) -> State:
        await poll.ainvoke({"job": "j1"})
        return {"n": state["n"] + 1}

    builder: Any = StateGraph(State)
    builder.add_node("poll", anode if asynchronous else node)
    builder.add_edge(START, "poll")
    builder.add_edge("poll", "poll")
    graph = builder.compile()
    with meter(tmp_path, LOOP) as metered:
        config = metered.config(ACME, {"recursion_limit": 100})
        with pytest.raises(BreakerOpen):
            asyncio.run(graph.ainvoke({"n": 0}, config)) if asynchronous else graph.invoke({"n": 0}, config)
        assert RAN == ["j1"] * 4
        clock.invoke({}, metered.config(ACME))  # another task
        assert metered.ledger.verify() == []


def test_a_stuck_task_that_tries_the_same_again_stays_stopped_until_a_person_lets_it_go_on(
    tmp_path: Path,
) -> None:
    """After its time another call may try, the same may not; a person's reset counts from there."""
    clock = Clock()
    with meter(tmp_path, LOOP, clock) as metered, metered.task(ACME) as task:
        for _ in range(4):
            ScriptedModel().invoke("same")
            clock.pass_(1)
        for _ in range(2):
            with pytest.raises(BreakerOpen, match="it trips"):
                ScriptedModel().invoke("same")
            clock.pass_(15 * MINUTE)
        ScriptedModel().invoke("another")
        with pytest.raises(BreakerOpen, match="it trips"):
            ScriptedModel().invoke("same")
        clock.pass_(1)
        metered.ledger.switchboard.reset("stuck loop", f"task={task.task_id}", by="ann", why="it polls")
        for _ in range(4):
            clock.pass_(1)
            ScriptedModel().invoke("same")
        clock.pass_(1)
        with pytest.raises(BreakerOpen, match="it trips"):
            ScriptedModel().invoke("same")


def test_a_free_call_is_not_the_one_that_tries(tmp_path: Path) -> None:
    """It would hold nothing: it goes out once the time is over, and the next that costs something tries."""
    clock = Clock()
    with meter(tmp_path, LOOP, clock) as metered:

        @metered.tool(owner="search")
        def lookup(word: str) -> str:
            return word

        with metered.task(ACME):
            for _ in range(4):
                lookup("same")
            with pytest.raises(BreakerOpen):
                lookup("same")
            with pytest.raises(BreakerOpen, match="is open"):
                lookup("another")
            clock.pass_(15 * MINUTE)
            lookup("another")
            assert state(metered) == "open"
            ScriptedModel().invoke("hi")
            assert state(metered) == "closed"


def test_functions_that_are_tools_and_raw_calls_count(tmp_path: Path) -> None:
    """What LangChain does not announce can be stuck, too; ids of messages differ."""
    server = Server()
    client = OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(server)))
    with meter(tmp_path, LOOP) as metered:

        @metered.tool(owner="search")
        def lookup(word: str) -> str:
            return word

        with metered.task(ACME):
            for n in range(10):
                lookup(f"{n}")
            for _ in range(4):
                lookup("same")
            with pytest.raises(BreakerOpen):
                lookup("same")
        with metered.task(ACME):
            for n in range(5):
                said = [
                    {"role": "user", "content": f"{n}"},
                    {"type": "function_call_output", "call_id": f"c{n}", "output": "same"},
                ]
                if n == 4:
                    with pytest.raises(BreakerOpen):
                        metered.call(client.responses.create, model="m", input=said)
                else:
                    metered.call(client.responses.create, model="m", input=said)
    assert server.requests == 4


class Loud:
    """Cannot be written down."""

    def __str__(self) -> str:
        raise RuntimeError


CASES: dict[str, tuple[tuple[str, str, Any], tuple[str, str, Any], bool]] = {
    "keys in another order": (("tool", "t", {"a": 1, "b": [2]}), ("tool", "t", {"b": [2], "a": 1}), True),
    "another argument": (("tool", "t", {"a": 1}), ("tool", "t", {"a": 2}), False),
    "another tool": (("tool", "t", {"a": 1}), ("tool", "u", {"a": 1}), False),
    "another kind": (("tool", "t", "x"), ("retriever", "t", "x"), False),
    "another model": (("model", "m", [[HumanMessage("x")]]), ("model", "n", [[HumanMessage("x")]]), False),
    "the last message alone": (
        ("model", "m", [[HumanMessage("a"), HumanMessage("x", id="1")]]),
        ("model", "m", [[HumanMessage("b"), HumanMessage("x", id="2")]]),
        True,
    ),
    "what a tool said, whatever its id": (
        ("model", "m", [[ToolMessage("x", tool_call_id="1")]]),
        ("model", "m", [[ToolMessage("x", tool_call_id="2")]]),
        True,
    ),
    "a tool's words are not a person's": (
        ("model", "m", [[ToolMessage("x", tool_call_id="1")]]),
        ("model", "m", [[HumanMessage("x")]]),
        False,
    ),
    "prompts": (("model", "m", ["x", "y"]), ("model", "m", ["x", "y"]), True),
    "other prompts": (("model", "m", ["x", "y"]), ("model", "m", ["z", "y"]), False),
    "raw messages": (
        (
            "model",
            "m",
            {"messages": [1, {"role": "user", "content": [{"tool_use_id": "1", "content": "x"}]}]},
        ),
        (
            "model",
            "m",
            {"messages": [2, {"role": "user", "content": [{"tool_use_id": "2", "content": "x"}]}]},
        ),
        True,
    ),
    "no arguments at all": (("tool", "t", {}), ("tool", "t", {}), True),
    "a number beyond 64 bits": (("tool", "t", {"n": 2**70}), ("tool", "t", {"n": 2**70}), True),
    "nobody says": (("model", "m", None), ("model", "m", None), False),
    "what cannot be written down": (("tool", "t", {"a": Loud()}), ("tool", "t", {"a": Loud()}), False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_makes_two_calls_identical(case: str) -> None:
    """Kind, name and arguments; model and last message."""
    first, second, are_identical = CASES[case]
    loops, recent = LoopDetector(b"k" * 32), RecentCalls()
    loops.note(recent, *first, 1)
    assert (len(loops.note(recent, *second, 2)) == 2) is are_identical


def test_hashes_are_keyed_and_short() -> None:
    """Who does not know the ledger's secret cannot test a guess."""
    marks: list[bytes] = []
    for key in (b"a" * 32, b"b" * 32):
        recent = RecentCalls()
        LoopDetector(key).note(recent, "tool", "t", "x", 1)
        marks.append(recent.calls[0][0])
    assert [len(mark) for mark in marks] == [8, 8]
    assert marks[0] != marks[1]


def test_a_policy_without_loops_keeps_no_calls(tmp_path: Path) -> None:
    """Nothing is hashed, nothing is kept."""
    with meter(tmp_path, "name: velocity, usd_per_minute: 5") as metered, metered.task(ACME):
        ScriptedModel().invoke("hi")
        task = metered.attribution.current_task()
        assert task is not None
        assert task.recent is None


def test_a_breaker_of_loops_alone_writes_nothing_for_a_call(tmp_path: Path) -> None:
    """Neither windows nor holds: the ledger is only asked whether it is closed."""
    with Meter(tmp_path / "ledger.db", policy=policy(LOOP)) as metered:
        ScriptedModel(before_answer=lambda: None).invoke("hi", metered.config(ACME))
        (step,) = metered.ledger.steps()
        assert (step["reserved_nanousd"], step["estimate_nanousd"]) == (None, CALL_NANOUSD)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        for table in ("windows", "holds", "step_windows", "breakers", "decisions"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
