"""`spendgraph approvals`: what waits for a person, and saying yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    existing,
    microseconds_of,
    misused,
)
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.tables import Column, show, when

if TYPE_CHECKING:
    from spendgraph.ledger.approvals import Decision

AllOption = Annotated[bool, typer.Option("--all", help="What is decided or expired, too.")]
IdArgument = Annotated[str, typer.Argument(help="The approval's id, or enough of its beginning.")]
ByOption = Annotated[str, typer.Option("--by", help="Who decides.")]
WhyOption = Annotated[str, typer.Option("--why", help="Why: kept with the decision.")]
AmountOption = Annotated[
    str | None,
    typer.Option("--amount", help="How much is granted, if not what was asked: dollars, tokens or calls."),
]

ForOption = Annotated[
    str | None,
    typer.Option(
        "--for", help="How long the room may be drawn on, such as 2h; with its window, if not given."
    ),
]

commands = typer.Typer(help="List what waits for a person, and decide.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="approvals")


@commands.callback()
def approvals(
    context: typer.Context,
    ledger: LedgerOption = DEFAULT_LEDGER,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what waits for a person."""
    if context.invoked_subcommand is not None:
        return
    from spendgraph.ledger import Ledger

    with Ledger.open_readonly(ledger) as reader:
        rows = reader.approvals(pending=not every)
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows)
    else:
        print(f"Nothing waits for a person in {plain(str(ledger))}.")


@commands.command()
def approve(
    approval_id: IdArgument,
    by: ByOption,
    why: WhyOption,
    amount: AmountOption = None,
    within: ForOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Say yes: give one task more room in one window, or take note."""
    from spendgraph.clock import utc_us
    from spendgraph.ledger.approvals import Decision

    until_us = None if within is None else utc_us() + microseconds_of(within)
    _decide(
        ledger, approval_id, Decision(yes=True, by=by, why=why, until_us=until_us), amount, as_json=as_json
    )


@commands.command()
def deny(
    approval_id: IdArgument,
    by: ByOption,
    why: WhyOption,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Say no: the task is refused without being asked again."""
    from spendgraph.ledger.approvals import Decision

    _decide(ledger, approval_id, Decision(yes=False, by=by, why=why), None, as_json=as_json)


def _decide(path: Any, approval_id: str, decision: Decision, amount: str | None, *, as_json: bool) -> None:
    from spendgraph.hooks.asking import read_amount
    from spendgraph.ledger import Ledger

    if not decision.by.strip() or not decision.why.strip():
        misused("expected --by and --why with a name and a reason: both are kept with the decision")
    with Ledger.open(existing(path)) as ledger:
        if amount is not None:
            units = {row["unit"] for row in ledger.approvals() if row["approval_id"].startswith(approval_id)}
            try:
                decision = decision._replace(amount=read_amount(amount, units.pop() if units else "nanousd"))
            except ValueError:
                misused(f"expected --amount above 0 such as 5 or 0.25, found {amount!r}")
        decided = ledger.inbox.decide(approval_id, decision)
    if as_json:
        print_json(decided._asdict())
        return
    if decided.granted is not None:
        what = f"{shown(decided.granted, decided.unit)} granted to task {plain(decided.task_id)}"
    else:
        what = "noted" if decided.state == "approved" else f"denied to task {plain(decided.task_id)}"
    print(f"{decided.approval_id}: {what} by {plain(decision.by)}.")


def shown(count: int, unit: str) -> str:
    """An amount for people: dollars, tokens or calls."""
    from spendgraph.money import format_amount

    return format_amount(count, unit)


def _show(rows: list[dict[str, Any]]) -> None:
    numbers, folded = {"limit", "spent", "asked"}, {"budget", "feature", "by", "why"}
    names = (
        "id",
        "scope",
        "kind",
        "state",
        "budget",
        "feature",
        "limit",
        "spent",
        "asked",
        "until",
        "thread",
        "by",
        "why",
    )
    show([Column(name, name in numbers, name in folded) for name in names], [*map(_row, rows)])


def _row(row: dict[str, Any]) -> list[str]:
    return [
        row["approval_id"][:8],
        plain(row["scope"]) or "all",
        row["kind"],
        row["state"],
        plain(row["budget"]),
        plain(row["feature"]),
        *(shown(row[name], row["unit"]) for name in ("limit_amount", "spent", "asked")),
        when(row["expires_us"]),
        plain(row["thread_id"]),
        plain(row["decided_by"]),
        plain(row["decided_why"]),
    ]
