"""What the demo shows at its end: who spent what, what nobody claimed, who provided it, and one task's steps."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from spendgraph.cli.output import plain
from spendgraph.ledger import TaskTree
from spendgraph.money import format_usd
from spendgraph_demo.books import Books
from spendgraph_demo.cases import FEATURES, TENANTS
from spendgraph_demo.limits import APPROVED_USD, LEAD, Limits

MIN_PLACES = 4
NANO_PLACES = 9


def places(amounts: Iterable[int]) -> int:
    """How many decimals show every one of these nano-USD amounts exactly, and at least four.

    A column that is shown exactly adds up on paper, too.

    >>> places([5_000_000, 843_600])
    7
    """
    needed = MIN_PLACES
    for amount in amounts:
        written = f"{abs(amount) % 10**NANO_PLACES:09d}".rstrip("0")
        needed = max(needed, len(written))
    return needed


def digits(amount: int, decimals: int) -> str:
    """Nano-USD as dollars with a fixed number of decimals, exact when `places` chose it.

    >>> digits(5_000_000, 7)
    '0.0050000'
    """
    whole, fraction = divmod(abs(amount), 10**NANO_PLACES)
    exact = f"{'-' if amount < 0 else ''}{whole:,}.{fraction:09d}"
    return exact[: len(exact) - NANO_PLACES + decimals]


def share(part: int, whole: int) -> str:
    """A part in percent of the whole."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"


def show(console: Console, books: Books, limits: Limits, *, ledger: Path, seconds: float) -> None:
    """Print the whole report."""
    total = format_usd(books.total_nanousd)
    console.print(f"{books.tasks} tasks, {books.steps} steps, {total} in {seconds:.0f} s\n")
    console.print(_who_spent(books))
    console.print(
        f"Unattributed: {share(books.unattributed_nanousd, books.total_nanousd)} of the dollars, "
        f"{books.unattributed_steps} of {books.steps} steps. "
        "The demo makes one call without tags, on purpose.\n",
        style="dim",
    )
    console.print(_who_provided(books))
    console.print(_tree(books.tree))
    console.print()
    _show_limits(console, limits)
    _show_way_on(console, books, limits, ledger)


def _who_spent(books: Books) -> Table:
    decimals = places([*books.spend.values(), books.unattributed_nanousd])
    table = _table("Who spent what, in dollars")
    table.add_column("feature", footer="total", no_wrap=True)
    for tenant in TENANTS:
        column = sum(books.spend.get((feature.name, tenant), 0) for feature in FEATURES)
        table.add_column(tenant, footer=digits(column, decimals), justify="right")
    table.add_column("nobody", footer=digits(books.unattributed_nanousd, decimals), justify="right")
    table.add_column("total", footer=digits(books.total_nanousd, decimals), justify="right")
    for feature in FEATURES:
        row = [books.spend.get((feature.name, tenant), 0) for tenant in TENANTS]
        cells = [digits(amount, decimals) for amount in row]
        table.add_row(feature.name, *cells, "", digits(sum(row), decimals))
    unattributed = digits(books.unattributed_nanousd, decimals)
    table.add_row("unattributed", *[""] * len(TENANTS), unattributed, unattributed, style="yellow")
    return table


def _who_provided(books: Books) -> Table:
    decimals = places(books.owners.values())
    table = _table("Who provided it")
    table.add_column("team", footer="total")
    table.add_column("dollars", footer=digits(sum(books.owners.values()), decimals), justify="right")
    table.add_column("share", justify="right")
    for team, amount in sorted(books.owners.items(), key=lambda item: -item[1]):
        table.add_row(team or "nobody", digits(amount, decimals), share(amount, books.total_nanousd))
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
        show_footer=True,
        header_style="dim",
        footer_style="bold",
        pad_edge=False,
    )


def _tree(root: TaskTree) -> Tree:
    decimals = places(node.cost_nanousd for node in _walk(root))
    tree = Tree(_line(root, decimals, title="One task, step by step: "), guide_style="dim")
    _grow(tree, root, decimals)
    return tree


def _walk(node: TaskTree) -> Iterator[TaskTree]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _grow(tree: Tree, node: TaskTree, decimals: int) -> None:
    for child in node.children:
        _grow(tree.add(_line(child, decimals)), child, decimals)


def _line(node: TaskTree, decimals: int, title: str = "") -> Text:
    is_step = node.kind == "step"
    line = Text(title, style="bold").append(plain(node.label), style="not bold" if is_step else "bold")
    if is_step and node.row["input_tokens"]:
        tokens = f"{node.row['input_tokens']} in"
        if node.row["cache_read_tokens"]:
            tokens += f" ({node.row['cache_read_tokens']} cached)"
        if node.row["output_tokens"]:
            tokens += f", {node.row['output_tokens']} out"
        line.append(f"  {tokens}", style="dim not bold")
    if node.cost_nanousd:
        return line.append(f"  ${digits(node.cost_nanousd, decimals)}", style="cyan not bold")
    return line.append("  free", style="dim not bold")


def _show_limits(console: Console, limits: Limits) -> None:
    """What the budget and the breaker of the demo's second part did."""
    console.print("When the money runs out", style="bold")
    limit, asked = format_usd(limits.limit_nanousd), limits.inbox.get("asked", 0)
    lines = [f"market-research may spend {limit} a task, and had {limits.questions} questions to answer:"]
    if limits.degraded:
        lines.append(
            f"  from question {limits.degraded} on its calls were made cheaper: half of the budget was used"
        )
    if limits.inbox:
        waited = f"it asked for {format_usd(asked)} more, and waited in the inbox ({limits.inbox['approval_id'][:8]})"
        lines.append(f"  after {limits.before_pause} answers the graph paused: {waited}")
        lines.append(f"  {LEAD} approved ${APPROVED_USD}, and it went on where it was, paying nothing twice")
    end = "finished" if limits.is_finished else "did not finish"
    lines.append(f"  it {end}, at {format_usd(limits.spent_nanousd)} in all")
    lines.append("price-watch looked up the same price again and again:")
    lines.append(f"  {limits.looped} searches went out, then: {limits.stopped_by.partition(' From ')[0]}")
    for line in lines:
        console.print(plain(line), style="dim" if line.startswith(" ") else "")
    console.print()


def _show_way_on(console: Console, books: Books, limits: Limits, ledger: Path) -> None:
    if books.problems:
        console.print(f"The ledger {ledger} has {len(books.problems)} problems:", style="bold red")
        for problem in books.problems:
            console.print(f"  {problem}")
    else:
        console.print(f"The ledger is {ledger}, and every sum in it is right. Go on with:", style="bold")
    at = f"--ledger {shlex.quote(str(ledger))}"
    own = ("budgets", "approvals --all", "breakers", f"task {limits.task_id}")
    for command in ("top --once", f"task {books.task_id}", *own, "verify"):
        console.print(f"  {_program()} {command} {at}", style="green")


def _program() -> str:
    """How to call us from here: by name, or by path where the environment is not activated."""
    beside = Path(sys.executable).with_name("spendgraph")
    if shutil.which("spendgraph") or not beside.exists():
        return "spendgraph"
    return shlex.quote(os.path.relpath(beside))
