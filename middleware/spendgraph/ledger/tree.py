"""One task as a tree: the nodes its steps ran in, steps inside steps, and the tasks it opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from spendgraph.ledger import columns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

_TASK = f"""\
SELECT t.task_id, t.parent_task_id, t.thread_id, t.graph, t.status, t.outcome, t.value_nanousd,
  t.started_us, t.ended_us, {", ".join(f"c.{tag}" for tag in columns.TAGS)}, c.extra
FROM tasks AS t JOIN contexts AS c ON c.context_id = t.context_id"""  # noqa: S608 - names are this package's own

_STEPS = f"SELECT {', '.join(columns.STEP_COLUMNS)} FROM steps WHERE task_id = ? ORDER BY started_us, seq"  # noqa: S608 - the same


@dataclass(frozen=True, slots=True)
class TaskTree:
    """A task, a node of its graph, or a step, with everything below it.

    Attributes:
        kind: What it is.
        label: The task's id, the node's name, or the step's name and model.
        row: The task with its tags, or the step; empty for a node.
        children: What is below it, in order of time.
        cost_nanousd: Of it and everything below it, corrections included.
        input_tokens: The same.
        output_tokens: The same.
        steps: How many steps were charged: itself and everything below it.
    """

    kind: Literal["task", "node", "step"]
    label: str
    row: Mapping[str, Any]
    children: tuple[TaskTree, ...]
    cost_nanousd: int
    input_tokens: int
    output_tokens: int
    steps: int


def read_tree(connection: sqlite3.Connection, task_id: str) -> TaskTree | None:
    """The tree of a task, or `None` where neither a task nor a step has that id.

    The connection gives rows by name.
    """
    known = connection.execute(f"{_TASK} WHERE t.task_id = ?", (task_id,)).fetchone()
    if known is None:
        steps = connection.execute(_STEPS, (task_id,)).fetchall()
        if not steps:
            return None
        return _total("task", task_id, {"task_id": task_id}, _nest(dict(step) for step in steps))
    return _task(connection, dict(known), {task_id})


def _task(connection: sqlite3.Connection, task: dict[str, Any], seen: set[str]) -> TaskTree:
    steps = connection.execute(_STEPS, (task["task_id"],)).fetchall()
    children = _nest(dict(step) for step in steps)
    opened = connection.execute(
        f"{_TASK} WHERE t.parent_task_id = ? ORDER BY t.started_us, t.task_id", (task["task_id"],)
    ).fetchall()
    for row in opened:
        if row["task_id"] not in seen:
            seen.add(row["task_id"])
            children.append(_task(connection, dict(row), seen))
    return _total("task", task["task_id"], task, children)


def _nest(steps: Iterable[dict[str, Any]]) -> list[TaskTree]:
    """Steps below the step they ran in, the others below the nodes of their path."""
    by_id = {step["step_id"]: step for step in steps}
    inside: dict[str, list[dict[str, Any]]] = {}
    outermost: list[dict[str, Any]] = []
    for step in by_id.values():
        parent = step["corrects_step_id"] or step["parent_step_id"]
        if parent in by_id and not _is_below(parent, step["step_id"], by_id):
            inside.setdefault(parent, []).append(step)
        else:
            outermost.append(step)
    return _by_node([(_path(step), step) for step in outermost], inside)


def _is_below(step_id: str | None, other: str, by_id: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a step is inside another one: rows that claim to be inside each other must not vanish."""
    seen: set[str] = set()
    while step_id is not None and step_id in by_id and step_id not in seen:
        if step_id == other:
            return True
        seen.add(step_id)
        step_id = by_id[step_id]["corrects_step_id"] or by_id[step_id]["parent_step_id"]
    return False


def _path(step: Mapping[str, Any]) -> tuple[str, ...]:
    path: str = step["path"] or step["node"]
    return tuple(part for part in path.split("/") if part)


def _by_node(
    placed: list[tuple[tuple[str, ...], dict[str, Any]]], inside: dict[str, list[dict[str, Any]]]
) -> list[TaskTree]:
    children: list[TaskTree] = []
    nodes: dict[str, list[tuple[tuple[str, ...], dict[str, Any]]]] = {}
    order: list[str | dict[str, Any]] = []
    for path, step in placed:
        if not path:
            order.append(step)
            continue
        if path[0] not in nodes:
            nodes[path[0]] = []
            order.append(path[0])
        nodes[path[0]].append((path[1:], step))
    for entry in order:
        if isinstance(entry, str):
            children.append(_total("node", entry, {}, _by_node(nodes[entry], inside)))
        else:
            children.append(_step(entry, inside))
    return children


def _step(step: dict[str, Any], inside: dict[str, list[dict[str, Any]]]) -> TaskTree:
    children = [_step(child, inside) for child in inside.get(step["step_id"], [])]
    label = " ".join(part for part in (step["name"] or step["kind"], step["model"]) if part)
    return _total("step", label, step, children)


def _total(
    kind: Literal["task", "node", "step"], label: str, row: Mapping[str, Any], children: list[TaskTree]
) -> TaskTree:
    own: Mapping[str, Any] = row if kind == "step" else {}
    return TaskTree(
        kind=kind,
        label=label,
        row=row,
        children=tuple(children),
        cost_nanousd=own.get("cost_nanousd", 0) + sum(child.cost_nanousd for child in children),
        input_tokens=own.get("input_tokens", 0) + sum(child.input_tokens for child in children),
        output_tokens=own.get("output_tokens", 0) + sum(child.output_tokens for child in children),
        steps=int(own.get("entry") == "charge") + sum(child.steps for child in children),
    )
