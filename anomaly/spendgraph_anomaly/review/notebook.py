"""What the notebook `anomaly_review` says: sentences, figures and plots made from a review, true for every ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph_anomaly.review.anomalies import reviewed
from spendgraph_anomaly.review.pictures import BAND, incident_plot, whole_plot
from spendgraph_anomaly.review.section import ON_THE_PAGE
from spendgraph_reports.amounts import counted, percent
from spendgraph_reports.books import of_one_moment
from spendgraph_reports.notebooks.showing import table
from spendgraph_reports.notebooks.spend import nothing, owned
from spendgraph_reports.plots.scales import amount
from spendgraph_reports.rendering import Fact, Facts

if TYPE_CHECKING:
    from spendgraph_anomaly.review.anomalies import Review
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.plots import Plot
    from spendgraph_reports.report import Report

__all__ = ["conclusion", "facts", "incidents", "listed", "overall", "reviewed"]


@of_one_moment
def conclusion(books: Books, period: Period, review: Review) -> tuple[str, ...]:
    """What a reader should know who reads nothing else, the most important first."""
    doubts = books.doubts(period)
    if not doubts.steps:
        return (nothing(books, period),)
    return (*review.report.findings, owned(doubts.unattributed_nanousd, doubts.cost_nanousd))


def facts(review: Review) -> Facts:
    """The figures that go with it."""
    excess = review.report.totals["excess_nanousd"]
    of_it = f"{percent(excess / review.cost_nanousd)} of it" if review.cost_nanousd > 0 and excess else ""
    dearest = review.told[0] if review.told else None
    return Facts(
        (
            Fact("spent", amount(review.cost_nanousd)),
            Fact("incidents", f"{len(review.told):,}", f"of {review.report.settings['least']} or more"),
            Fact("too much", amount(excess), of_it),
            *(() if dearest is None else (Fact("the dearest", amount(dearest.excess_nanousd)),)),
        )
    )


def overall(review: Review) -> tuple[Plot | str, ...]:
    """The whole period by day beside what was to be expected; nothing where nothing was spent."""
    plot = whole_plot(review)
    if plot is None or not review.cost_nanousd:
        return ("There is nothing to draw.",)
    return (plot, BAND)


def incidents(review: Review, most: int = 6) -> tuple[Plot | str, ...]:
    """The dearest incidents, each drawn with the days before and after it, and explained."""
    if not review.told:
        return (f"No incident came to {review.report.settings['least']} or more.",)
    drawn: list[Plot | str] = []
    for at, why in enumerate(review.why[:most]):
        drawn += [incident_plot(review, at), why]
    rest = max(len(review.told) - most, 0)
    return (*drawn, f"{counted(rest, 'more incident')} not drawn.") if rest else tuple(drawn)


def listed(review: Review) -> Report:
    """The incidents as a table that fits on a page."""
    return table(review.report.only(*ON_THE_PAGE))
