"""`spendgraph budgets`: what is spent, held and left in every window that is open, and what was never used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli import budget_adding, drift
from spendgraph.cli.approvals import ByOption, WhyOption, shown
from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    PolicyOption,
    existing,
    misused,
    policy_path,
)
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.tables import Column, show, when

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spendgraph.policy import Budget

AllOption = Annotated[bool, typer.Option("--all", help="Windows that are over, too.")]

commands = typer.Typer(
    help="Show where every budget stands, add one, and raise one.", invoke_without_command=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    drift.register(commands)
    app.add_typer(commands, name="budgets")


budget_adding.register(commands)


@commands.callback()
def budgets(
    context: typer.Context,
    ledger: LedgerOption = DEFAULT_LEDGER,
    every: AllOption = False,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is spent, held and left of every budget, in the ledger and in the policy file."""
    if context.invoked_subcommand is not None:
        return
    from spendgraph.clock import utc_us
    from spendgraph.ledger import Ledger
    from spendgraph.policy import load_policy

    now_us, path = utc_us(), policy_path(policy)
    declared = None if path is None else load_policy(path).budgets
    windows, known = list[dict[str, Any]](), list[dict[str, Any]]()
    if declared is None or ledger.exists():  # before the first call a policy has budgets, and no ledger
        with Ledger.open_readonly(ledger) as reader:
            windows = [status(row, now_us) for row in reader.standing(now_us, every=every)]
            known = reader.budgets()
    windows += unused(known, declared, {window["budget"] for window in windows})
    windows.sort(key=lambda window: window["budget"])  # of one budget they stay in order
    if as_json:
        print_json(windows)
    elif windows:
        _show(windows)
    else:
        print(f"No budget is known in {plain(str(ledger))}: budgets are declared in the policy file.")


@commands.command("raise")
def raise_limit(
    budget: Annotated[str, typer.Argument(help="The budget's name.")],
    amount: Annotated[str, typer.Option("--amount", help="How much more: dollars, tokens or calls.")],
    by: ByOption,
    why: WhyOption,
    scope: Annotated[str, typer.Option("--scope", help="Whose counter, such as tenant=acme.")] = "",
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Give everybody more room in the window that is open now; the limit itself stays as the policy has it."""
    from spendgraph.hooks.asking import read_amount
    from spendgraph.ledger import Ledger

    if not by.strip() or not why.strip():
        misused("expected --by and --why with a name and a reason: both are kept with the grant")
    with Ledger.open(existing(ledger)) as books:
        units = {row["unit"] for row in books.windows() if row["budget"] == budget}
        try:
            more = read_amount(amount, units.pop() if units else "nanousd")
        except ValueError:
            misused(f"expected --amount above 0 such as 5 or 0.25, found {amount!r}")
        grant = books.inbox.raise_limit(budget, scope, more, by=by, why=why)
    if as_json:
        print_json(
            {
                "budget": budget,
                "scope": scope,
                "unit": grant.unit,
                f"more_{grant.unit}": grant.amount,
                "by": by,
                "why": why,
            }
        )
        return
    print(f"{plain(budget)} has {shown(grant.amount, grant.unit)} more in this window, by {plain(by)}.")


def unused(
    known: Iterable[dict[str, Any]], declared: Iterable[Budget] | None, used: set[str]
) -> list[dict[str, Any]]:
    """Budgets without a window that is shown, as `status` shows those that have one.

    Args:
        known: The ledger's budgets.
        declared: The policy's, if there is one: what it has dropped is not in force, and it knows better what is.
        used: Names of those that are shown.
    """
    found = {row["budget"]: {**row, "each_call": _is_each_call(row)} for row in known}
    if declared is not None:
        found = {
            budget.name: {
                "budget": budget.name,
                "owner": budget.owner or "",
                "signed_off_by": "" if budget.signed_off is None else budget.signed_off.by,
                "period": budget.period or "",
                "unit": budget.unit,
                "limit_amount": budget.limit,
                "each_call": "call" in budget.per,
            }
            for budget in declared
        }
    nothing = {f"{what}_{unit}": 0 for what in ("spent", "held") for unit in ("nanousd", "tokens", "calls")}
    granted = dict.fromkeys(("granted", "granted_to_tasks", "drawn_by_tasks"), 0)
    window = {"scope": "", "start_us": 0, "end_us": None, **nothing, **granted}
    return [
        {**status({**row, **window}, 0), "used": False} for name, row in found.items() if name not in used
    ]


def _is_each_call(row: dict[str, Any]) -> bool:
    return "call" in json.loads(row["definition"]).get("per", ())


def status(row: dict[str, Any], now_us: int) -> dict[str, Any]:
    """A window as it is shown: amounts in the budget's unit, and where its pace leads.

    `granted` is what people have given everybody beyond the limit. What they gave single tasks is `granted_to_tasks`:
    it is no room for others, but what is drawn of it takes nothing from them either. `pace` compares the share of the
    limit and of `granted` that is spent with the share of the window that is over: 1.25 is a quarter faster than it
    lasts. A rolling budget is the sum of its period up to now: it has no end, and no pace. `exhausted` is when all of it is spent at this pace, if that is within the window. A limit on each call has no
    window, so nothing is spent, held or left of it.
    """
    from spendgraph.clock import iso

    unit, limit, granted = row["unit"], row["limit_amount"], row["granted"]
    room = limit + granted
    spent, held = row[f"spent_{unit}"], row[f"held_{unit}"]
    pace = exhausted_us = None
    start_us, end_us = row["start_us"], row["end_us"]
    if end_us is not None and room and start_us < now_us:
        over_us = min(now_us, end_us) - start_us
        pace = round(spent / room * (end_us - start_us) / over_us, 3)
        if spent:
            at_us = start_us + over_us * room // spent
            exhausted_us = at_us if at_us < end_us else None
    is_each_call = row.get("each_call", False)
    amounts = {
        "granted": granted,
        "granted_to_tasks": row["granted_to_tasks"],
        "spent": spent,
        "held": held,
        "left": room + row["drawn_by_tasks"] - spent - held,
    }
    return {
        "budget": row["budget"],
        "scope": row["scope"],
        "owner": row["owner"],
        "signed_off_by": row["signed_off_by"],
        "period": row["period"] or "total",
        "started": iso(start_us) if start_us else None,
        "ends": None if end_us is None else iso(end_us),
        "unit": unit,
        f"limit_{unit}": limit,
        **{f"{word}_{unit}": None if is_each_call else amount for word, amount in amounts.items()},
        "each_call": is_each_call,
        "pace": pace,
        "used": True,
        "exhausted": None if exhausted_us is None else iso(exhausted_us // 1_000_000 * 1_000_000),
    }


def _show(windows: list[dict[str, Any]]) -> None:
    numbers = {"limit", "granted", "spent", "held", "left", "pace"}
    names = (
        "budget",
        "scope",
        "ends",
        "limit",
        "granted",
        "spent",
        "held",
        "left",
        "pace",
        "exhausted",
        "owner",
    )
    show(
        [Column(name, name in numbers, name in {"budget", "owner"}) for name in names], [*map(_row, windows)]
    )
    if not all(window["signed_off_by"] for window in windows):
        print("* not signed off")


def _row(window: dict[str, Any]) -> list[str]:
    unit = window["unit"]
    limit, granted, own, spent, held, left = (
        "-" if window[f"{word}_{unit}"] is None else shown(window[f"{word}_{unit}"], unit)
        for word in ("limit", "granted", "granted_to_tasks", "spent", "held", "left")
    )
    scope, ends = plain(window["scope"]) or "all", _time(window["ends"]) or "never"
    if window["period"].startswith("rolling "):
        ends = window["period"]
    if window["each_call"]:
        scope, ends = "each call", "-"
    elif not window["used"]:
        scope, ends = "not used", window["period"]
    return [
        plain(window["budget"]),
        scope,
        ends,
        limit,
        f"{granted} (and {own} to tasks)" if window[f"granted_to_tasks_{unit}"] else granted,
        spent,
        held,
        left,
        "" if window["pace"] is None else f"{window['pace']:.0%}",
        _time(window["exhausted"]),
        (plain(window["owner"]) or "nobody") + ("" if window["signed_off_by"] else " *"),
    ]


def _time(text: str | None) -> str:
    from datetime import datetime

    from spendgraph.clock import to_us

    return "" if text is None else when(to_us(datetime.fromisoformat(text)))
