"""Where a gate may send a graph: told to LangGraph, held against the graph's nodes, and nowhere else.

LangGraph ignores a `goto` that is no node of the graph, and ends it as if all were well. It compares what it knows of when a graph is
compiled; a gate that it cannot look into, in a chain for instance, is compared when it is first run.
"""

from __future__ import annotations

from difflib import get_close_matches
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Literal

from spendgraph.errors import GateError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

# LangGraph's names, which a test holds it to.
_SEND: Final = "__pregel_send"
_SENDS: Final = "__pregel_tasks"
_READ: Final = "__pregel_read"
_TO: Final = "branch:to:"
_BRANCHES: Final = (_TO, "join:")
_END: Final = "__end__"


def promise(gate: Any, node: str) -> None:
    """Tell LangGraph where a gate may go, by the return type of what it would call if the gate were a function.

    It then draws that edge, and refuses to compile a graph that has no such node.
    """
    from langgraph.types import Command

    def call(gate: Any, state: Any) -> Any:
        return gate.invoke(state)

    target: Any = Literal[node]
    call.__annotations__ = {"return": Command[target]}
    vars(gate)["__call__"] = MethodType(call, gate)


def require_node(config: RunnableConfig, node: str) -> None:
    """Check that the graph that runs has a node, or that nobody can tell.

    Raises:
        GateError: It has others.
    """
    nodes = _nodes(config)
    if nodes and node not in nodes and node != _END:
        near = get_close_matches(node, nodes, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise GateError(
            f"BudgetGate: expected on_deny='raise' or the name of a node of this graph ({', '.join(nodes)}), found"
            f" {node!r}{hint}",
            node=node,
            nodes=nodes,
        )


def go_nowhere_else(config: RunnableConfig, node: str) -> None:
    """Keep LangGraph from following the node's edges and branches beside `Command(goto=...)`, as it does by itself.

    Else what the gate has just refused would run beside what runs in its place.
    """
    configurable: dict[str, Any] = config.get("configurable", {})
    send = configurable.get(_SEND)
    if send is None:  # not a node of a graph
        return

    def send_there(writes: Any) -> None:
        send([each for each in writes if each[0] == f"{_TO}{node}" or not _leads_on(each[0])])

    configurable[_SEND] = send_there


def _nodes(config: RunnableConfig) -> tuple[str, ...]:
    """The nodes of the graph that runs, by the channels that lead to them; none outside of a graph."""
    read = config.get("configurable", {}).get(_READ)
    for argument in getattr(read, "args", ()):  # the channels are among what LangGraph reads the state with
        if isinstance(argument, dict):
            names = [str(name) for name in argument if str(name).startswith(_TO)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if names:
                return tuple(sorted(name.removeprefix(_TO) for name in names))
    return ()


def _leads_on(channel: str) -> bool:
    return channel == _SENDS or channel.startswith(_BRANCHES)
