"""`spendgraph breakers`: what is stopped and why, stopping a scope, and letting it go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgraph.cli.approvals import ByOption, WhyOption
from spendgraph.cli.options import (
    DEFAULT_LEDGER,
    JsonOption,
    LedgerOption,
    PolicyOption,
    existing,
    microseconds_of,
    misused,
    policy_path,
)
from spendgraph.cli.output import plain, print_json
from spendgraph.cli.tables import Column, show, when

if TYPE_CHECKING:
    from spendgraph.policy import Breaker

AllOption = Annotated[bool, typer.Option("--all", help="Those that are closed again, too.")]
NameArgument = Annotated[str, typer.Argument(help="The breaker's name, as in the policy.")]
ScopeOption = Annotated[
    str, typer.Option("--scope", help="Whose calls, such as tenant=acme; without it those of everybody.")
]
ForOption = Annotated[
    str | None,
    typer.Option("--for", help="How long it stays open, such as 1h; else as the policy has it, or 15m."),
]
UncheckedOption = Annotated[
    bool,
    typer.Option("--unchecked", help="Without a policy here, take the name and the scope as they are given."),
]

commands = typer.Typer(
    help="Show what is stopped, stop a scope, or let it go on.", invoke_without_command=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="breakers")


@commands.callback()
def breakers(
    context: typer.Context,
    ledger: LedgerOption = DEFAULT_LEDGER,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show which breakers are open, for whom, and why."""
    if context.invoked_subcommand is not None:
        return
    from spendgraph.ledger import Ledger

    with Ledger.open_readonly(ledger) as reader:
        rows = reader.breakers(closed=every)
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows)
    else:
        print(f"No breaker {'has tripped' if every else 'is open'} in {plain(str(ledger))}.")


@commands.command()
def trip(
    name: NameArgument,
    by: ByOption,
    why: WhyOption,
    scope: ScopeOption = "",
    open_for: ForOption = None,
    unchecked: UncheckedOption = False,
    policy: PolicyOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Stop the calls of a scope, in every process that shares the ledger."""
    from spendgraph.clock import from_us
    from spendgraph.ledger import Ledger
    from spendgraph.policy.periods import duration_us

    _expect_reason(by, why)
    breaker = _known(name, scope, policy_path(policy), unchecked=unchecked)
    if open_for is not None:
        open_for_us = microseconds_of(open_for)
    else:
        open_for_us = duration_us("15m" if breaker is None else breaker.open_for)
    owner, to = ("", ()) if breaker is None else (breaker.owner or "", breaker.to)
    with Ledger.open(existing(ledger)) as books:
        until_us = books.switchboard.trip(
            name, scope, by=by, why=why, open_for_us=open_for_us, owner=owner, to=to
        )
    if as_json:
        print_json({"breaker": name, "scope": scope, "state": "open", "open_until_us": until_us})
        return
    until = from_us(until_us).isoformat(timespec="seconds")
    print(f"{plain(name)} is open for {plain(scope) or 'everybody'} until {until}, by {plain(by)}.")


@commands.command()
def reset(
    name: NameArgument,
    by: ByOption,
    why: WhyOption,
    scope: ScopeOption = "",
    ledger: LedgerOption = DEFAULT_LEDGER,
    as_json: JsonOption = False,
) -> None:
    """Close a breaker at once; what it has counted so far counts no more."""
    from spendgraph.ledger import Ledger

    _expect_reason(by, why)
    with Ledger.open(existing(ledger)) as books:
        books.switchboard.reset(name, scope, by=by, why=why)
    if as_json:
        print_json({"breaker": name, "scope": scope, "state": "closed"})
        return
    print(f"{plain(name)} is closed for {plain(scope) or 'everybody'}, by {plain(by)}.")


def _expect_reason(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        misused("expected --by and --why with a name and a reason: both are kept with the breaker")


def _known(name: str, scope: str, path: Path | None, *, unchecked: bool) -> Breaker | None:
    """The policy's breaker, or `None` where nothing is checked; a name or a scope that stops nothing ends with exit code 2."""
    from spendgraph.policy import load_policy

    if path is None:
        if unchecked:
            return None
        misused(
            "there is no policy here to check the name and the scope with, and a breaker of another name stops nothing:"
            " give --policy, or --unchecked if you are sure of both"
        )
    found = {breaker.name: breaker for breaker in load_policy(path).breakers}
    breaker = found.get(name)
    if breaker is None:
        misused(f"expected a breaker of {path} ({', '.join(found) or 'it has none'}), found {name!r}")
    given = tuple(part.partition("=")[0] for part in scope.split(",")) if scope else ()
    if given != breaker.scope_names:
        wanted = ",".join(f"{each}=..." for each in breaker.scope_names)
        expected = f"expected --scope {wanted}" if wanted else "expected no --scope"
        misused(f"{expected} for the breaker {name!r}, found {scope!r}")
    return breaker


def _show(rows: list[dict[str, Any]]) -> None:
    names = ("breaker", "scope", "state", "tripped", "until", "trips", "by", "why")
    folded = {"breaker", "by", "why"}
    show([Column(name, name == "trips", name in folded) for name in names], [*map(_row, rows)])


def _row(row: dict[str, Any]) -> list[str]:
    is_closed = row["state"] == "closed"
    return [
        plain(row["breaker"]),
        plain(row["scope"]) or "all",
        row["state"].replace("_", " "),
        when(row["tripped_us"]),
        when(row["closed_us"] if is_closed else row["open_until_us"]),
        str(row["trips"]),
        plain(row["closed_by"] if is_closed else row["tripped_by"]) or "itself",
        plain(row["closed_why"] if is_closed else row["reason"]),
    ]
