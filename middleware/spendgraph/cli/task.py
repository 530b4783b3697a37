"""`spendgraph task ID`: the whole fan-out of one user action as a tree, with costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption
from spendgraph.cli.output import amounts, console, plain, print_json, say
from spendgraph.cli.tables import counted
from spendgraph.clock import from_us

if TYPE_CHECKING:
    from rich.tree import Tree

    from spendgraph.ledger.reader import LedgerReader
    from spendgraph.ledger.tree import TaskTree

TAGS_SHOWN = ("feature", "team", "tenant", "workload_class", "environment", "user", "cost_center")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("task")(task)


def task(
    task_id: Annotated[
        str, typer.Argument(metavar="ID", help="The task's id or its beginning; `latest` for the last.")
    ],
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Show one task as a tree of its steps, with costs."""
    from spendgraph.ledger import Ledger

    with Ledger.open_readonly(ledger) as reader:
        found = reader.task(resolve(reader, task_id))
    if as_json:
        print_json(document(found))
    else:
        console().print(drawn(found))


def resolve(reader: LedgerReader, wanted: str) -> str:
    """The one task meant by a full id, the beginning of one, or `latest`; exit code 1 when there is none."""
    from spendgraph.ledger.finding import find_tasks, latest_task

    if wanted == "latest":
        latest = latest_task(reader)
        if latest is None:
            say("the ledger has no task yet")
            raise typer.Exit(1)
        return latest
    found = find_tasks(reader, wanted)
    if not found or found[0] == wanted or len(found) == 1:
        return (
            found[0] if found else wanted
        )  # an unknown id may still have steps; the ledger says if it has none
    say(
        f"{wanted!r} begins the ids of several tasks: {', '.join(found)}{', ...' if len(found) == 10 else ''}"
    )
    raise typer.Exit(1)


def document(tree: TaskTree) -> dict[str, Any]:
    """The tree as plain data."""
    return {
        "kind": tree.kind,
        "label": tree.label,
        "cost_nanousd": tree.cost_nanousd,
        "steps": tree.steps,
        "input_tokens": tree.input_tokens,
        "output_tokens": tree.output_tokens,
        "row": dict(tree.row),
        "children": [document(child) for child in tree.children],
    }


def drawn(tree: TaskTree) -> Tree:
    """The tree for a terminal; every line ends with what it and all below it cost."""
    from rich.text import Text
    from rich.tree import Tree

    costs = iter(amounts([each.cost_nanousd for each in walk(tree)]))

    def line(each: TaskTree) -> Text:
        text = Text(f"{next(costs)}  ", style="bold" if each.kind == "task" else "")
        text.append(plain(each.label), style="cyan" if each.kind == "node" else "")
        text.append(f"  {_about(each)}", style="dim")
        return text

    def grow(each: TaskTree, branch: Tree) -> Tree:
        for child in each.children:
            grow(child, branch.add(line(child)))
        return branch

    return grow(tree, Tree(line(tree)))


def walk(tree: TaskTree) -> Iterator[TaskTree]:
    """The tree and everything below it, in the order of reading."""
    yield tree
    for child in tree.children:
        yield from walk(child)


def _about(tree: TaskTree) -> str:
    row = tree.row
    if tree.kind == "node":
        return ""
    if tree.kind == "step":
        parts = [str(row["kind"])]
        if row["input_tokens"] or row["output_tokens"]:
            parts.append(f"{row['input_tokens']:,} in, {row['output_tokens']:,} out")
        if row["quantity"] is not None:
            parts.append(f"{row['quantity']:g} {row['unit']}")
        if row["entry"] == "correction":
            parts.append("correction")
        parts += [row["status"]] if row["status"] != "ok" else []
        parts += [row["cost_basis"]] if row["cost_basis"] not in ("reported", "configured") else []
        parts += ["replay"] if row["is_replay"] else []
        parts += ["unattributed"] if row["missing_tags"] else []
        return plain(", ".join(parts))
    tags = [f"{name}={row[name]}" for name in TAGS_SHOWN if row.get(name)]
    facts = (
        [str(row["status"]), f"{from_us(row['started_us']):%Y-%m-%d %H:%M:%S}Z"] if "status" in row else []
    )
    counts = f"{counted(tree.steps, 'step')}, {tree.input_tokens:,} in, {tree.output_tokens:,} out"
    return plain("; ".join([counts, *facts, " ".join(tags) or "no tags"]))
