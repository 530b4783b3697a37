"""`spendgraph prune`: delete old steps that reports no longer need one by one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from spendgraph.cli.options import DEFAULT_LEDGER, JsonOption, LedgerOption, microseconds_of, misused
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.rollup import expect_ledger, shown_progress

if TYPE_CHECKING:
    from spendgraph.ledger.prune import Plan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prune")(prune)


def prune(
    before: Annotated[
        str,
        typer.Option(
            "--before",
            metavar="DATE",
            help="Steps that started earlier: 2026-01-31 (UTC), or an age such as 400d.",
        ),
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete them; without it they are only counted.")
    ] = False,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Delete old steps that are rolled up; sums, budgets and tasks stay."""
    from spendgraph.ledger import Ledger

    before_us = _time(before)
    expect_ledger(ledger)
    with Ledger.open(ledger) as books:
        try:
            plan = books.upkeep.plan_prune(before_us)
        except ValueError as error:
            misused(str(error))
        if not as_json:
            _say(plan)
        pruned = None
        if yes and plan.rows:
            with shown_progress("pruning") as progress:
                pruned = books.upkeep.prune(before_us, progress)
    if as_json:
        print_json(
            {
                "ledger": str(ledger),
                "plan": plan._asdict(),
                "deleted": None if pruned is None else pruned._asdict(),
            }
        )
    elif pruned is not None:
        print(
            f"Deleted {pruned.steps + pruned.corrections:,} rows from {plain(str(ledger))}; the file is as large as before,"
            " and what comes next takes the room."
        )
    elif plan.rows:
        print("Nothing was deleted: say --yes to delete them. They cannot be brought back.")


def _say(plan: Plan) -> None:
    from spendgraph.clock import from_us
    from spendgraph.money import format_usd

    until = f"{from_us(plan.before_us):%Y-%m-%d %H:%M} UTC"
    if plan.rows:
        first, last = (
            "" if at is None else f"{from_us(at):%Y-%m-%d}"
            for at in (plan.first_started_us, plan.last_started_us)
        )
        print(
            f"{plan.steps:,} steps and {plan.corrections:,} corrections that started before {until} ({first} to {last},"
            f" {format_usd(plan.cost_nanousd)}) are to be deleted; their sums stay."
        )
    else:
        print(f"There is nothing to delete before {until}.")
    if plan.not_rolled:
        print(
            f"{plan.not_rolled:,} rows that old are not rolled up yet and stay: run `spendgraph rollup` first."
        )
    if plan.kept:
        print(
            f"{plan.kept:,} rows that old stay: of tasks that are paused, or the latest step of the ledger."
        )


def _time(text: str) -> int:
    from spendgraph.clock import to_us, utc_us

    if re.fullmatch(r"[0-9]+[smhdw]", text.strip()):
        return utc_us() - microseconds_of(text)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        misused(f"expected --before with a date such as 2026-01-31 or an age such as 400d, found {text!r}")
    return to_us(found if found.tzinfo else found.replace(tzinfo=UTC))
