"""The anomaly review as a section of the monthly page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph_anomaly.review.anomalies import reviewed
from spendgraph_anomaly.review.pictures import incident_plot
from spendgraph_anomaly.review.wording import too_new
from spendgraph_reports.rendering import Section

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

HEADING: Final = "Anomaly review"
PICTURES: Final = 2
"""So many incidents, the dearest, are drawn."""


def monthly_section(books: Books, period: Period) -> Section:
    """What stood out of a month, as the monthly page shows it: sentences, a table, and the dearest incidents drawn."""
    review = reviewed(books, period)
    # What is uncertain in the month stands on the page by itself.
    report = replace(review.report, title=HEADING, caveats=too_new(review.judge.too_new))
    drawn = [incident_plot(review, at).picture() for at in range(min(PICTURES, len(review.told)))]
    return Section(HEADING, (report, *drawn))
