"""The first page of a chargeback: a row for each payer, with what its statement comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import share
from spendgraph_reports.books import Books, Doubts, of_one_moment
from spendgraph_reports.chargeback.closing import CLOSE_DAYS, caveats, close_of
from spendgraph_reports.chargeback.findings import findings
from spendgraph_reports.chargeback.lines import (
    CONSUMED,
    PROVIDED,
    RESTATED,
    SUMS,
    TEAM,
    Line,
    lines_of,
    totals_of,
    written_late,
)
from spendgraph_reports.chargeback.statements import settings
from spendgraph_reports.months import named
from spendgraph_reports.report import Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

_SECTIONS: Final = (CONSUMED, RESTATED)

COLUMNS: Final = (
    Column("consumed_nanousd", "money", "What it pays for the period.", adds=True),
    Column("restated_nanousd", "money", "What it pays, or gets back, for earlier months.", adds=True),
    Column("cost_nanousd", "money", "What it pays in all.", adds=True, label="pays"),
    Column("share", "share", "Of what all pay."),
    Column("not_reported_nanousd", "money", "The part that is estimated or an upper bound.", adds=True, label="estimated"),
    Column("unattributed_nanousd", "money", "The part that lacks required tags.", adds=True, label="unattributed"),
    Column("steps", "count", "Billable steps.", adds=True),
    Column("corrections", "count", "Rows that correct a step.", adds=True),
    Column("unpriced_steps", "count", "Steps without a price, which cost nothing here.", adds=True, label="unpriced"),
)  # fmt: skip
"""What `payers` says of each payer, after its name."""

_MEMO: Final = Column(
    "provided_nanousd", "money", "What others pay for what the team owns, in their rows.", label="provided"
)


@of_one_moment
def payers(books: Books, period: Period, *, of: str = TEAM, close_days: int = CLOSE_DAYS) -> Report:
    """What each payer pays for a period in all: the sums of the statements of `chargeback`.

    Args:
        books: The ledger.
        period: As in `chargeback`.
        of: The same.
        close_days: The same.

    Raises:
        ValueError: `of` is no tag, the period has no end, or the days are below 0.
    """
    close = close_of(books, period, close_days)
    lines = lines_of(books, period, of, close)
    sections = totals_of(books, period, close)
    totals = {name: sum(section[name] for section in sections.values()) for name in SUMS}
    totals |= {f"{section}_nanousd": sums["cost_nanousd"] for section, sums in sections.items()}
    rows = _rows(lines, of)
    for row in rows:
        row["share"] = share(row["cost_nanousd"], totals["cost_nanousd"])
    who = Column(of, "text", f"The {of.replace('_', ' ')} that pays; empty where nobody does.")
    columns = (who, *COLUMNS, *((_MEMO,) if of == TEAM else ()))
    return Report(
        name="payers",
        title=f"Chargeback by {of.replace('_', ' ')}",
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals=totals,
        findings=findings(lines, of, None, named(period, books.zone), written_late(books, period, close)),
        caveats=(
            *Doubts(*(totals[name] for name in Doubts._fields)).sentences(),
            *caveats(books, period, close),
        ),
        zone=books.zone,
        settings=settings(of, None, close, books.zone),
    )


def _rows(lines: Sequence[Line], of: str) -> list[dict[str, Any]]:
    """A row for each payer, in the order of the statements."""
    zeros = dict.fromkeys((*SUMS, *(f"{section}_nanousd" for section in _SECTIONS), "provided_nanousd"), 0)
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        row = found.setdefault(line[of], {of: line[of], **zeros})
        for name in SUMS:
            row[name] += line[name]
        if line["section"] == PROVIDED:
            row["provided_nanousd"] += line["provided_nanousd"]
        else:
            row[f"{line['section']}_nanousd"] += line["cost_nanousd"]
    return list(found.values())
