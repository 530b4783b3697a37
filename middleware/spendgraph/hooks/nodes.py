"""The nodes of a graph: where a run stands that LangGraph has started one with, and which attempt it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from spendgraph.hooks.places import Place

_MOST_KEPT: Final = 1_024


def entered(place: Place, ns: str, metadata: dict[str, Any]) -> Place:
    """The place of a node's run below a place, by its checkpoint namespace."""
    attempts = place.task.attempts
    if len(attempts) >= _MOST_KEPT:  # of nodes that failed for good, in a task that goes on
        for each in list(attempts)[: _MOST_KEPT // 2]:
            attempts.pop(each, None)
    attempt = attempts[ns] = attempts.get(ns, 0) + 1
    steps = ns.partition(":")[0] if "|" not in ns else _node_path(ns)
    inside = place.checkpoint_ns and not ns.startswith(f"{place.checkpoint_ns}|")
    thread_id = metadata.get("thread_id")
    node = place.moved()
    node.checkpoint_ns = ns
    node.node = str(metadata.get("langgraph_node") or "")
    node.path = f"{place.path}/{steps}" if inside and place.path else steps
    node.attempt = attempt
    if thread_id is not None:
        node.thread_id = str(thread_id)
    return node


def _node_path(ns: str) -> str:
    """`outer/inner` of the checkpoint namespace `outer:<id>|inner:<id>`."""
    return "/".join(part.partition(":")[0] for part in ns.split("|"))
