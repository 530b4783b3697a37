"""The reports on what it costs to get something done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spendgraph_reports.cli.offering import offer

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.report import Report

Tags = Annotated[
    list[str] | None,
    typer.Option("--by", "-b", help="A tag of the tasks; repeat for more. The feature, when not given."),
]


def register(app: typer.Typer) -> None:
    """Add them."""
    offer(app, completion, "completion")
    offer(app, decisions, "decisions")
    offer(app, margin, "margin")
    offer(app, outcomes, "outcomes")
    offer(app, outliers, "outliers")
    offer(app, tenants, "tenants")
    offer(app, unit_economics, "unit-economics")


def completion(books: Books, period: Period, by: Tags = None) -> Report:
    """How tasks ended: finished, failed, refused, cut, denied, and what they cost."""
    from spendgraph_reports.economics import completion as report

    return report(books, period, by=by or ["feature"])


def decisions(books: Books, period: Period) -> Report:
    """What was decided other than to let a call out: refusals, cuts, overruns, breakers."""
    from spendgraph_reports.economics import decisions as report

    return report(books, period)


def margin(
    books: Books,
    period: Period,
    by: Annotated[
        Literal["tenant", "plan"], typer.Option("--by", "-b", help="Each tenant, or each plan.")
    ] = "tenant",
    thin: Annotated[
        float, typer.Option("--thin", help="The share of the revenue below which a margin is thin.")
    ] = 0.5,
) -> Report:
    """What tenants pay by the imported contracts, less what they cost."""
    from spendgraph_reports.economics import margin as report

    return report(books, period, by=by, thin=thin)


def outcomes(books: Books, period: Period, by: Tags = None) -> Report:
    """What a successful outcome costs, and what outcomes were worth."""
    from spendgraph_reports.economics import outcomes as report

    return report(books, period, by=by or ["feature"])


def outliers(
    books: Books,
    period: Period,
    per: Annotated[
        list[str] | None,
        typer.Option(
            "--per",
            help="task, tenant or user (their days), version or template_version; repeat for more. All but user, when not given.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many to tell of.")] = 20,
    each: Annotated[int, typer.Option("--each", help="How many of one sort and feature at most.")] = 5,
    times: Annotated[
        float, typer.Option("--times", help="How many times as much as usual is an outlier.")
    ] = 3.0,
) -> Report:
    """What costs far more than its like, and the likely cause."""
    from spendgraph_reports.outliers import USUAL
    from spendgraph_reports.outliers import outliers as report

    return report(books, period, per=per or USUAL, limit=limit, each=each, times=times)


def tenants(
    books: Books,
    period: Period,
    per: Annotated[Literal["tenant", "user"], typer.Option("--per", help="Whose spending.")] = "tenant",
    limit: Annotated[
        float, typer.Option("--limit", help="Flagged is who costs more than so many times the median.")
    ] = 10.0,
) -> Report:
    """What each tenant or user spent, beside the one in the middle."""
    from spendgraph_reports.economics import tenants as report

    return report(books, period, per=per, limit=limit)


def unit_economics(
    books: Books,
    period: Period,
    per: Annotated[
        Literal["task", "whole-task", "user", "tenant"],
        typer.Option("--per", help="Of what; child tasks are parts of a whole task."),
    ] = "task",
    by: Tags = None,
) -> Report:
    """What a task, a user or a tenant costs: median, p95, p99 and the dear end."""
    from spendgraph_reports.economics import unit_economics as report

    return report(books, period, per=per, by=by or ["feature"])
