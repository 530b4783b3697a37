"""Agents: tools that call models, create_agent, supervisor, swarm, deep agent."""

# LangGraph's and its libraries' own types are partly unknown to pyright; mypy checks these files strictly.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from typing import Any

from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm

from acceptance.kit import Kit, app
from provider import ask


def _thinking_tool(kit: Kit, purpose: str) -> BaseTool:
    model = kit.openai()

    @tool
    def think(topic: str) -> str:
        """Think about a topic."""
        return model.invoke(kit.ask(purpose)).text

    return think


def _async_thinking_tool(kit: Kit, purpose: str) -> BaseTool:
    model = kit.openai()

    @tool
    async def think(topic: str) -> str:
        """Think about a topic."""
        return (await model.ainvoke(kit.ask(purpose))).text

    return think


def _user(kit: Kit, **script: Any) -> Any:
    return {"messages": [HumanMessage(ask(tenant=kit.tenant, **script))]}


THINK_TWICE = [[["think", {"topic": "a"}], ["think", {"topic": "b"}]]]
"""One turn of two parallel tool calls."""


@app({"in-tool": 2}, nodes={"in-tool": "tools"})
def tool_node_with_model_inside(kit: Kit) -> None:
    """Two parallel tool calls, each with a model inside."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([_thinking_tool(kit, "in-tool")]))
    builder.add_edge(START, "tools")
    calls = [{"name": "think", "args": {"topic": t}, "id": t, "type": "tool_call"} for t in ("a", "b")]
    builder.compile().invoke({"messages": [AIMessage("", tool_calls=calls)]}, kit.config())


@app({"agent": 2, "in-tool": 2}, nodes={"agent": "model", "in-tool": "tools"})
def agent_with_tool(kit: Kit) -> None:
    """An agent whose tools call a model."""
    agent = create_agent(kit.openai(), [_thinking_tool(kit, "in-tool")])
    agent.invoke(_user(kit, purpose="agent", tools=THINK_TWICE), kit.config())


@app({"agent": 2, "in-tool": 2}, nodes={"agent": "model", "in-tool": "tools"})
async def agent_with_tool_async(kit: Kit) -> None:
    """An agent on another provider, with coroutine tools."""
    agent = create_agent(kit.anthropic(), [_async_thinking_tool(kit, "in-tool")])
    await agent.ainvoke(_user(kit, purpose="agent", tools=THINK_TWICE), kit.config())


@app({"agent": 2, "in-tool": 2})
def agent_on_responses_api(kit: Kit) -> None:
    """An agent on the Responses API."""
    agent = create_agent(kit.responses(), [_thinking_tool(kit, "in-tool")])
    agent.invoke(_user(kit, purpose="agent", tools=THINK_TWICE), kit.config())


@app({"agent": 2, "in-tool": 1})
def agent_inside_graph(kit: Kit) -> None:
    """A named agent as the node of a graph."""
    agent = create_agent(kit.openai(), [_thinking_tool(kit, "in-tool")], name="helper")
    builder = StateGraph(MessagesState)
    builder.add_node("helper", agent)
    builder.add_edge(START, "helper")
    script = _user(kit, purpose="agent", tools=[[["think", {"topic": "a"}]]])
    builder.compile().invoke(script, kit.config())


@app({"boss": 2, "math": 2, "in-tool": 1})
def supervisor(kit: Kit) -> None:
    """A supervisor that hands over to an agent with a tool and takes the answer."""
    math = create_agent(
        kit.openai(),
        [_thinking_tool(kit, "in-tool")],
        name="math",
        system_prompt=ask(purpose="math", tools=[[["think", {"topic": "a"}]]]),
    )
    graph = create_supervisor(
        [math], model=kit.openai(), prompt=ask(purpose="boss", tools=[[["transfer_to_math", {}]]])
    )
    graph.compile().invoke(_user(kit), kit.config())


@app({"alice": 1, "bob": 1})
def swarm(kit: Kit) -> None:
    """Two agents of two providers, one handing over to the other."""
    alice = create_agent(
        kit.openai(),
        [create_handoff_tool(agent_name="bob")],
        name="alice",
        system_prompt=ask(purpose="alice", tools=[[["transfer_to_bob", {}]]]),
    )
    bob = create_agent(
        kit.anthropic(),
        [create_handoff_tool(agent_name="alice")],
        name="bob",
        system_prompt=ask(purpose="bob"),
    )
    create_swarm([alice, bob], default_active_agent="alice").compile().invoke(_user(kit), kit.config())


@app({"chief": 2, "helper": 2, "in-tool": 1})
def deep_agent(kit: Kit) -> None:
    """A deep agent that delegates to a sub-agent with a tool."""
    job = kit.ask("helper", tools=[[["think", {"topic": "a"}]]])
    agent = create_deep_agent(
        model=kit.openai(),
        tools=[],
        subagents=[
            {
                "name": "helper",
                "description": "Helps.",
                "system_prompt": "You help.",
                "tools": [_thinking_tool(kit, "in-tool")],
                "model": kit.openai(),
            }
        ],
    )
    delegate = [[["task", {"description": job, "subagent_type": "helper"}]]]
    agent.invoke(_user(kit, purpose="chief", tools=delegate), kit.config())


AGENTS = (
    tool_node_with_model_inside,
    agent_with_tool,
    agent_with_tool_async,
    agent_on_responses_api,
    agent_inside_graph,
    supervisor,
    swarm,
    deep_agent,
)
