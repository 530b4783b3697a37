"""The monthly report as a page and as a JSON document."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.monthly.month import REVIEWS, caveats
from spendgraph_reports.rendering import Facts, Prose, Section, document, page
from spendgraph_reports.report import Report

if TYPE_CHECKING:
    from spendgraph_reports.monthly.month import Monthly

_OF_THE_WHOLE: Final = frozenset({"drivers", "showback"})
"""Reports whose first sentence is on the whole month."""

_ON_THE_PAGE: Final = {
    "variance": (
        "budget", "scope", "window", "flags", "limit_nanousd", "spent_nanousd", "variance", "refused", "owner", "next_action"
    )
}  # fmt: skip
"""The columns that fit on a page, of reports with more; the data has all."""


def monthly_page(month: Monthly) -> str:
    """One self-contained HTML document: the summary first, then what it rests on."""
    sections = [Section("", (Facts(month.facts), month.plot.picture()))]
    sections += [Section(heading, (_part(heading, report),)) for heading, report in month.reports.items()]
    sections += [
        month.reviews.get(name, Section(name, (Prose((f"This page was made without: {what}.",)),)))
        for name, what in {**REVIEWS, **dict.fromkeys(month.reviews, "")}.items()
    ]
    if said := caveats(list(month.reports.values())):
        sections.append(Section("What is uncertain", (Prose(said),)))
    return page(
        month.title,
        sections,
        when=month.when,
        findings=month.summary,
        foot={"period": month.period.text, "time zone": month.zone},
    )


def _part(heading: str, report: Report) -> Report:
    """A report as a section of the page, which has said before what several of them say: the whole, and what is uncertain."""
    report = report.only(*_ON_THE_PAGE[report.name]) if report.name in _ON_THE_PAGE else report
    findings = report.findings[1:] if report.name in _OF_THE_WHOLE else report.findings
    return replace(report, title=heading, findings=findings or report.findings, caveats=())


def monthly_document(month: Monthly) -> dict[str, Any]:
    """The same as JSON values: summary, figures, and each report with its columns, rows and totals."""
    return {
        "report": "monthly",
        "title": month.title,
        "since": month.period.since,
        "until": month.period.until,
        "timezone": month.zone,
        "is_over": month.is_over,
        "summary": list(month.summary),
        "facts": [{"label": fact.label, "value": fact.value, "note": fact.note} for fact in month.facts],
        "reports": {heading: document(report) for heading, report in month.reports.items()},
        "reviews": {
            name: [document(part) for part in section.parts if isinstance(part, Report)]
            for name, section in month.reviews.items()
        },
    }
