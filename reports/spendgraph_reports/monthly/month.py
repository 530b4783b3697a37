"""What finance is told of a month: a summary, and the reports that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spendgraph_reports.amounts import change, dollars, percent, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.budgeting import variance
from spendgraph_reports.months import before, closed, month_of, named, year_to_date
from spendgraph_reports.plots import over_time
from spendgraph_reports.reconcile.compare import GOAL
from spendgraph_reports.reconcile.invoices import invoices
from spendgraph_reports.rendering import Fact
from spendgraph_reports.showback import drivers, showback

if TYPE_CHECKING:
    from spendgraph_reports.period import Period
    from spendgraph_reports.plots import Plot
    from spendgraph_reports.rendering import Section
    from spendgraph_reports.report import Report

Review = Callable[["Books", "Period"], "Section"]
"""A section more: what a detector or a forecast says of the month."""

REVIEWS: Final = {"Anomaly review": "no anomalies were looked for", "Forecast": "nothing was forecast"}
"""The sections that another package adds, and what was not done where it does not."""


@dataclass(frozen=True, slots=True)
class Monthly:
    """A month, as finance reads it.

    Attributes:
        period: The calendar month.
        zone: Its time zone.
        is_over: Whether it has ended; of a month that has not, everything is so far.
        summary: Sentences, the most important one first: what was spent beside the month before, and the three payers that moved it most.
        facts: A few figures to take along.
        plot: Spending by day and feature.
        reports: What it rests on, by the heading under which each stands, in order.
        reviews: Sections of other packages, by name.
    """

    period: Period
    zone: str
    is_over: bool
    summary: tuple[str, ...]
    facts: tuple[Fact, ...]
    plot: Plot
    reports: Mapping[str, Report]
    reviews: Mapping[str, Section]

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"AI spending of the month{'' if self.is_over else ', so far'}"

    @property
    def when(self) -> str:
        """The month and whose it is."""
        return f"{named(self.period, self.zone)} ({self.zone})"


@of_one_moment
def monthly(
    books: Books, period: Period, *, now_us: int, reviews: Mapping[str, Review] | None = None
) -> Monthly:
    """The report of a calendar month.

    Args:
        books: The ledger.
        period: The month, whole, in the books' time zone.
        now_us: When it is made: of a month that is not over yet, it says so.
        reviews: Sections that other packages add, by the names in `REVIEWS` or others.

    Raises:
        ValueError: The period is no calendar month.
        ReportsUnavailable: DuckDB or its SQLite reader is not installed.
    """
    since, until = closed(period)
    if period != month_of(since, books.zone):
        raise ValueError(f"expected a calendar month, found {named(period, books.zone)}")
    moved = drivers(books, period)
    budgets = variance(books, period, flagged=True, now_us=now_us)
    made = {
        "What moved it": moved,
        "Budgets": budgets,
        "Cost centers": showback(books, period, by=("cost_center",)),
        "Workspaces": showback(books, period, by=("workspace",)),
        "Features and teams": showback(books, period, by=("feature", "team")),
        "Invoices": invoices(books, period),
    }
    return Monthly(
        period=period,
        zone=books.zone,
        is_over=now_us >= until,
        summary=_summary(books, period, moved, budgets),
        facts=_facts(books, period),
        plot=over_time(books.series(["feature"], period, "day"), "feature", period, books.zone),
        reports=made,
        reviews={name: review(books, period) for name, review in (reviews or {}).items()},
    )


def _summary(books: Books, period: Period, moved: Report, budgets: Report) -> tuple[str, ...]:
    """What was spent, then who moved it most, then budgets, then what has no owner."""
    now = books.doubts(period)
    earlier = before(period, books.zone)
    past = books.doubts(earlier).cost_nanousd
    if not now.steps:
        return (f"Nothing was spent in {named(period, books.zone)}.",)
    beside = (
        f", {percent(change(now.cost_nanousd, past), signed=True)} beside {named(earlier, books.zone)}"
        if past > 0
        else f"; in {named(earlier, books.zone)} it was nothing"
    )
    said = [f"{dollars(now.cost_nanousd)} was spent in {named(period, books.zone)}{beside}."]
    said += moved.findings[1:4]
    said += budgets.findings[:1]
    without = share(now.unattributed_nanousd, now.cost_nanousd)
    if now.unattributed_nanousd:
        goal = percent(GOAL).replace(".0", "")
        verdict = f"within the goal of {goal}" if without <= GOAL else f"more than the goal of {goal}"
        said.append(f"{dollars(now.unattributed_nanousd)} has no owner: {percent(without)}, {verdict}.")
    return tuple(said)


def _facts(books: Books, period: Period) -> tuple[Fact, ...]:
    now = books.doubts(period)
    earlier = before(period, books.zone)
    past = books.doubts(earlier).cost_nanousd
    year = books.doubts(year_to_date(period, books.zone)).cost_nanousd
    saved = sum(row["saved_nanousd"] for row in books.rows((), period, sums=("saved_nanousd",)))
    return (
        Fact(
            "spent",
            dollars(now.cost_nanousd),
            f"{percent(change(now.cost_nanousd, past), signed=True)} beside {named(earlier, books.zone)}"
            if past > 0
            else "",
        ),
        Fact("this year so far", dollars(year)),
        Fact(
            "without an owner",
            percent(share(now.unattributed_nanousd, now.cost_nanousd)),
            f"{dollars(now.unattributed_nanousd)}; the goal is at most {percent(GOAL).replace('.0', '')}",
        ),
        Fact("saved by the prompt cache", dollars(saved)),
        Fact(
            "billable steps",
            f"{now.steps:,}",
            f"{now.unpriced_steps:,} without a price" if now.unpriced_steps else "",
        ),
    )


def caveats(reports: Sequence[Report]) -> tuple[str, ...]:
    """What is uncertain, each sentence once."""
    return tuple(dict.fromkeys(sentence for report in reports for sentence in report.caveats))
