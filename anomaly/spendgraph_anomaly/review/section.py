"""The anomaly review as a section of the monthly page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph_anomaly.review.anomalies import reviewed
from spendgraph_anomaly.review.pictures import incident_plot
from spendgraph_anomaly.review.wording import too_new
from spendgraph_reports.rendering import Prose, Section

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period
    from spendgraph_reports.rendering import Picture
    from spendgraph_reports.report import Report

HEADING: Final = "Anomaly review"
DRAWN: Final = 2
"""So many incidents, the dearest, are drawn and explained at length."""

ON_THE_PAGE: Final = (
    "began",
    "hours",
    "cut",
    "observed_nanousd",
    "expected_nanousd",
    "excess_nanousd",
    "carrier",
    "cause",
)
"""The columns that fit on a page, of a report with more."""


def monthly_section(books: Books, period: Period) -> Section:
    """What stood out of a month, as the monthly page shows it: sentences, a table, and the dearest incidents drawn."""
    review = reviewed(books, period)
    # What is uncertain in the month stands on the page by itself.
    report = replace(review.report.only(*ON_THE_PAGE), title=HEADING, caveats=too_new(review.judge.too_new))
    parts: list[Report | Picture | Prose] = [report]
    for at, why in enumerate(review.why[:DRAWN]):
        parts += [incident_plot(review, at).picture(), Prose((why,), leads=False)]
    return Section(HEADING, tuple(parts))
