"""`spendgraph budgets add`: a budget more in the policy file."""

from __future__ import annotations

from typing import Annotated

import typer

from spendgraph.cli.options import DEFAULT_POLICY, JsonOption, PolicyOption, misused
from spendgraph.cli.output import plain, print_json


def register(commands: typer.Typer) -> None:
    """Add the command to those of `spendgraph budgets`."""
    commands.command("add")(add)


def add(
    name: Annotated[str, typer.Argument(help="The budget's name.")],
    limit_usd: Annotated[
        str | None, typer.Option("--limit-usd", help="The most it may cost, in dollars.")
    ] = None,
    limit_tokens: Annotated[str | None, typer.Option("--limit-tokens", help="Or the most tokens.")] = None,
    limit_calls: Annotated[str | None, typer.Option("--limit-calls", help="Or the most calls.")] = None,
    per: Annotated[
        list[str] | None,
        typer.Option(
            "--per",
            help="A counter for each tenant, task, thread or other tag, or a limit on each call; repeat for more.",
        ),
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="hour, day, week, month, quarter, total or 'rolling 24h'.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="Where its days begin, such as Europe/Berlin.")
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            "--match", metavar="TAG=VALUE", help="Only calls with this tag; repeat for more tags or values."
        ),
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it.")] = None,
    reserve: Annotated[str | None, typer.Option("--reserve", help="expected, or strict.")] = None,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a budget to the policy file; everything else in it stays as it is."""
    from spendgraph.policy.editing import add_budget

    path = policy or DEFAULT_POLICY
    if not path.exists():
        misused(f"there is no policy file at {path}: `spendgraph init {path}` writes one")
    entry: dict[str, str | list[str] | dict[str, str | list[str]]] = {"name": name}
    texts = {
        "owner": owner,
        "match": _matched(match),
        "per": per,
        "period": period,
        "timezone": timezone,
        "limit_usd": limit_usd,
        "limit_tokens": limit_tokens,
        "limit_calls": limit_calls,
        "reserve": reserve,
    }
    entry.update({key: value for key, value in texts.items() if value is not None and value != []})
    added = add_budget(path, entry)
    if as_json:
        budget = added.budget
        print_json(
            {
                "policy": str(path),
                "line": added.line,
                "budget": budget.name,
                "unit": budget.unit,
                f"limit_{budget.unit}": budget.limit,
                "definition": budget.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            }
        )
        return
    print(f"Added {plain(name)} to {path}, line {added.line}. Programs read it when they start.")
    print("Nobody has signed it off: add `signed_off: {by: ..., on: ...}` when somebody has.")


def _matched(pairs: list[str] | None) -> dict[str, str | list[str]] | None:
    """`TAG=VALUE`, where a tag that comes again may have any of its values."""
    found: dict[str, str | list[str]] = {}
    for pair in pairs or []:
        tag, equals, value = pair.partition("=")
        if not equals or not tag:
            misused(f"expected --match TAG=VALUE such as environment=production, found {pair!r}")
        before = found.get(tag)
        found[tag] = value if before is None else [*([before] if isinstance(before, str) else before), value]
    return found or None
