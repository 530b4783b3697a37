"""Chargeback statements: per payer, line by line, what it pays for a period and what is restated of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from spendgraph_reports.amounts import dollars, share
from spendgraph_reports.books import Books, Doubts, of_one_moment
from spendgraph_reports.chargeback.closing import CLOSE_DAYS, Close, caveats, close_of
from spendgraph_reports.chargeback.findings import findings
from spendgraph_reports.chargeback.lines import (
    SUMS,
    TEAM,
    Line,
    lines_of,
    totals_of,
    written_late,
)
from spendgraph_reports.errors import FootingError
from spendgraph_reports.months import named
from spendgraph_reports.organisation import RULE
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

_WHAT: Final = (
    Column("section", "text", "`consumed` in the period, `restated` of an earlier one, or `provided` to others."),
    Column("month", "text", "The period or month in which the steps started."),
    Column("feature", "text", "The feature that spent it."),
    Column("kind", "text", "The kind of step: model, tool, retriever, embedding, rerank, other."),
    Column("item", "text", "The model that answered, or the name of the tool, the retriever or the cost."),
    Column("provided_by", "text", "The team that owns the step; empty where nobody is named."),
    Column(RULE, "text", "The mappings and splits that brought the line here; empty where it is as it was booked."),
    Column("missing_tags", "text", "The required tags that nobody gave: the line is unattributed.", label="lacks"),
)  # fmt: skip
_SUMS: Final = (
    Column("cost_nanousd", "money", "What the payer pays; of `provided` nothing.", adds=True),
    Column("steps", "count", "Billable steps.", adds=True),
    Column("corrections", "count", "Rows that correct a step; their amounts are differences.", adds=True),
    Column("not_reported_nanousd", "money", "The part that is estimated or an upper bound.", adds=True, label="estimated"),
    Column("estimated_share", "share", "That part of the line's cost."),
    Column("unattributed_nanousd", "money", "The part that lacks required tags.", adds=True, label="unattributed"),
    Column("unpriced_steps", "count", "Steps without a price, which cost nothing here.", adds=True, label="unpriced"),
)  # fmt: skip
_MEMO: Final = (
    Column("consumed_by", "text", "Of `provided`: the team that pays for it."),
    Column("provided_nanousd", "money", "Of `provided`: what others pay for it, in their statements.", label="provided"),
)  # fmt: skip


@of_one_moment
def chargeback(
    books: Books,
    period: Period,
    *,
    of: str = TEAM,
    payer: str | None = None,
    close_days: int = CLOSE_DAYS,
) -> Report:
    """What each payer pays for a period, line by line: statements that add up to the ledger's total.

    A statement holds the steps of its period that were written before the books closed, and, as `restated`, what was written
    since the close before for earlier months: late steps and corrections. What has no payer is nobody's, and stands last.

    Args:
        books: The ledger.
        period: A calendar month, or any period with a start and an end.
        of: The tag that says who pays: `team`, `cost_center`, `tenant`, `extra.<key>`, ...
        payer: Only the statement of this one; empty for what is nobody's.
        close_days: How many days after the period's end its books close.

    Returns:
        A row for each line. For teams there are memo lines too, `provided`: what others pay for what the team owns.

    Raises:
        ValueError: `of` is no tag, the period has no end, or the days are below 0.
    """
    close = close_of(books, period, close_days)
    lines = lines_of(books, period, of, close)
    sections = totals_of(books, period, close)
    totals = {name: sum(section[name] for section in sections.values()) for name in SUMS}
    _expect_footing(lines, sections, named(period, books.zone))
    if payer is not None:  # of lines that foot as a whole
        lines = [line for line in lines if line[of] == payer]
        totals = {name: sum(line[name] for line in lines) for name in SUMS}
    who = Column(of, "text", f"The {of.replace('_', ' ')} that pays; empty where nobody does.")
    what = tuple(column for column in _WHAT if column.name != of)
    columns = (who, *what, *_SUMS, *(_MEMO if of == TEAM else ()))
    late = written_late(books, period, close)
    return Report(
        name="chargeback",
        title=f"Statements by {of.replace('_', ' ')}"
        if payer is None
        else f"Statement of {payer or 'nobody'}",
        period=period,
        frame=frame_of([_cells(line) for line in lines], columns),
        columns=columns,
        totals=totals,
        findings=findings(lines, of, payer, named(period, books.zone), late),
        caveats=(
            *Doubts(*(totals[name] for name in Doubts._fields)).sentences(),
            *caveats(books, period, close),
        ),
        zone=books.zone,
        settings=settings(of, payer, close, books.zone),
    )


def settings(of: str, payer: str | None, close: Close, zone: str) -> dict[str, str]:
    """With what a statement was made: enough to make it again."""
    return {
        "of": of,
        **({} if payer is None else {"payer": payer}),
        "closes": close.text(zone),
        "rows": f"before {close.before_seq}, restated from {close.from_seq}",
    }


def _cells(line: Line) -> Line:
    """A line as the frame has it: what does not apply to it is missing."""
    return {
        **line,
        **{name: line[name] or None for name in (RULE, "missing_tags", "consumed_by")},
        "estimated_share": share(line["not_reported_nanousd"], line["cost_nanousd"]),
    }


def _expect_footing(lines: Sequence[Line], sections: dict[str, dict[str, int]], when: str) -> None:
    """See that each section adds up, not only their sum.

    Raises:
        FootingError: It does not.
    """
    for section, totals in sections.items():
        found = sum(line["cost_nanousd"] for line in lines if line["section"] == section)
        if found != totals["cost_nanousd"]:
            raise FootingError(
                f"the lines of the chargeback for {when} add up to {dollars(found, 9)} {section}, and the ledger says"
                f" {dollars(totals['cost_nanousd'], 9)}"
            )
