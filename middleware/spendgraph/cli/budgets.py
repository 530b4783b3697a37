"""`spendgraph budgets`: what is spent, held and left in every window that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli import drift
from spendgraph.cli.approvals import ByOption, WhyOption, shown
from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, misused
from spendgraph.cli.output import console, plain, print_json

if TYPE_CHECKING:
    from rich.table import Table

AllOption = Annotated[bool, typer.Option("--all", help="Windows that are over, too.")]

commands = typer.Typer(help="Show where every budget stands, and raise one.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    drift.register(commands)
    app.add_typer(commands, name="budgets")


@commands.callback()
def budgets(
    context: typer.Context,
    ledger: LedgerOption = DEFAULT_LEDGER,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what is spent, held and left of every budget."""
    if context.invoked_subcommand is not None:
        return
    from spendgraph.clock import utc_us
    from spendgraph.ledger import Ledger

    now_us = utc_us()
    with Ledger.open_readonly(ledger) as reader:
        windows = [status(row, now_us) for row in reader.windows(None if every else now_us)]
    if as_json:
        print_json(windows)
    elif windows:
        console().print(_table(windows))
    else:
        print(f"No budget has been used in {plain(str(ledger))}: budgets are declared in the policy file.")


@commands.command("raise")
def raise_limit(
    budget: Annotated[str, typer.Argument(help="The budget's name.")],
    amount: Annotated[str, typer.Option("--amount", help="How much more: dollars, tokens or calls.")],
    by: ByOption,
    why: WhyOption,
    scope: Annotated[str, typer.Option("--scope", help="Whose counter, such as tenant=acme.")] = "",
    ledger: LedgerOption = DEFAULT_LEDGER,
) -> None:
    """Give everybody more room in the window that is open now; the limit itself stays as the policy has it."""
    from spendgraph.hooks.asking import read_amount
    from spendgraph.ledger import Ledger

    if not by.strip() or not why.strip():
        misused("expected --by and --why with a name and a reason: both are kept with the grant")
    with Ledger.open(ledger) as books:
        units = {row["unit"] for row in books.windows() if row["budget"] == budget}
        try:
            more = read_amount(amount, units.pop() if units else "nanousd")
        except ValueError:
            misused(f"expected --amount above 0 such as 5 or 0.25, found {amount!r}")
        grant = books.inbox.raise_limit(budget, scope, more, by=by, why=why)
    print(f"{plain(budget)} has {shown(grant.amount, grant.unit)} more in this window, by {plain(by)}.")


def status(row: dict[str, Any], now_us: int) -> dict[str, Any]:
    """A window as it is shown: amounts in the budget's unit, and where its pace leads.

    `pace` compares the share of the limit that is spent with the share of the window that is over: 1.25 is a
    quarter faster than the limit lasts. `exhausted_us` is when the limit is reached at this pace, if that is within
    the window.
    """
    from spendgraph.clock import from_us

    unit, limit = row["unit"], row["limit_amount"]
    spent, held = row[f"spent_{unit}"], row[f"held_{unit}"]
    pace = exhausted_us = None
    start_us, end_us = row["start_us"], row["end_us"]
    if end_us is not None and limit and start_us < now_us:
        over_us = min(now_us, end_us) - start_us
        pace = round(spent / limit * (end_us - start_us) / over_us, 3)
        if spent:
            at_us = start_us + over_us * limit // spent
            exhausted_us = at_us if at_us < end_us else None
    return {
        "budget": row["budget"],
        "scope": row["scope"],
        "owner": row["owner"],
        "signed_off_by": row["signed_off_by"],
        "period": row["period"] or "total",
        "started": from_us(start_us).isoformat() if start_us else None,
        "ends": None if end_us is None else from_us(end_us).isoformat(),
        "unit": unit,
        f"limit_{unit}": limit,
        f"spent_{unit}": spent,
        f"held_{unit}": held,
        f"left_{unit}": limit - spent - held,
        "pace": pace,
        "exhausted": None if exhausted_us is None else from_us(exhausted_us).isoformat(timespec="minutes"),
    }


def _table(windows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in ("budget", "scope", "ends", "limit", "spent", "held", "left", "pace", "exhausted", "owner"):
        table.add_column(
            name, justify="right" if name in {"limit", "spent", "held", "left", "pace"} else "left"
        )
    for window in windows:
        unit = window["unit"]
        owner = plain(window["owner"]) or "nobody"
        table.add_row(
            plain(window["budget"]),
            plain(window["scope"]) or "all",
            (window["ends"] or "never").removesuffix("+00:00"),
            *(shown(window[f"{word}_{unit}"], unit) for word in ("limit", "spent", "held", "left")),
            "" if window["pace"] is None else f"{window['pace']:.0%}",
            (window["exhausted"] or "").removesuffix("+00:00"),
            owner if window["signed_off_by"] else f"{owner} (not signed off)",
        )
    return table
