"""The reports on what the money brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spendgraph_reports.cli.offering import offer

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report

ByOption = Annotated[
    list[str] | None,
    typer.Option(
        "--by", "-b", help="A tag or dimension to report by; repeat for more. The feature, when not given."
    ),
]


def register(app: typer.Typer) -> None:
    """Add them."""
    offer(app, cache, "cache")
    offer(app, drift, "drift")
    offer(app, versions, "versions")
    offer(app, waste, "waste")
    offer(app, whatif, "whatif")


def cache(
    books: Books,
    period: Period,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", "-b", help="A tag or dimension, or day; repeat for more. The feature, when not given."
        ),
    ] = None,
) -> Report:
    """What the prompt cache held of the input, what it saved, and where it fell."""
    from spendgraph_reports.efficiency import cache as report

    return report(books, period, by=by or ["feature"])


def drift(books: Books, period: Period) -> Report:
    """How far estimates are from what calls then cost."""
    from spendgraph_reports.efficiency import drift as report

    return report(books, period)


def versions(
    books: Books,
    period: Period,
    tag: Annotated[
        Literal["version", "template_version"],
        typer.Option("--tag", help="Versions of features, or of their templates."),
    ] = "version",
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", help="Only this one; repeat for more. All, when not given."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", help="The version to compare with; the one before, when not given."),
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", help="The version to compare; the newest, when not given.")
    ] = None,
) -> Report:
    """What a task costs before and after a deploy, and whether chance explains it."""
    from spendgraph_reports.efficiency import versions as report

    return report(books, period, tag=tag, features=feature or (), before=before, after=after)


def waste(books: Books, period: Period, by: ByOption = None) -> Report:
    """What was paid for twice or for nothing: replays, retries, failed calls."""
    from spendgraph_reports.efficiency import waste as report

    return report(books, period, by=by or ["feature"])


def whatif(
    books: Books,
    period: Period,
    model: Annotated[
        str, typer.Option("--model", help="The model that answered; its dated names are meant too.")
    ],
    as_: Annotated[str, typer.Option("--as", help="The model whose prices are taken.")],
    provider: Annotated[
        str, typer.Option("--provider", help="Who would answer; whoever did, when not given.")
    ] = "",
    by: ByOption = None,
) -> Report:
    """What the same tokens would have cost on another model."""
    from spendgraph_reports.efficiency import whatif as report

    return report(books, period, model=model, as_=as_, provider=provider, by=by or ["feature"])
