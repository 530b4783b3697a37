"""Drift: how far what budgets expected of calls is from what they then cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars, percent
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.calls import pruned
from spendgraph_reports.months import closed
from spendgraph_reports.report import UNNAMED, Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

COLUMNS: Final = (
    Column("feature", "text", "The feature; empty where none was given."),
    Column("provider", "text", "Who was asked."),
    Column("kind", "text", "What kind of step it is."),
    Column("model", "text", "The model that was asked for, or the tool."),
    Column("calls", "count", "Calls that were estimated, went well, and whose cost is known."),
    Column("estimate_nanousd", "money", "What they were expected to cost.", label="expected"),
    Column("cost_nanousd", "money", "What they cost, corrections included.", label="paid"),
    Column("ratio", "ratio", "Paid to expected: 1 is right, 2 is twice as dear."),
    Column(
        "p50_error",
        "share",
        "How far the middle call was from its estimate, either way, as a share of that.",
        label="p50 off",
    ),
    Column(
        "p95_error", "share", "The same of the call that 95 percent of them do not pass.", label="p95 off"
    ),
    Column(
        "over_reservation",
        "share",
        "The calls that cost more than was held for them: a budget can be passed by these.",
        label="over hold",
    ),
    Column(
        "unestimated",
        "count",
        "Calls whose cost nobody could foresee; they are in no other column.",
        label="not foreseen",
    ),
)
"""What `drift` says."""

EXPECTED: Final = (
    "What is expected is what budgets set aside: a quantile of what such calls have cost (0.95, unless the policy says another), or the"
    " most that the request allows. Paying less than that is as it should be; far less holds room that others could use."
)

_OFF: Final = 1.25
"""Paid to expected, or expected to paid, from which on it is worth a sentence."""
_OVER: Final = 0.1
"""Of the calls; the quantile that is held by default is passed by a twentieth."""


@of_one_moment
def drift(books: Books, period: Period) -> Report:
    """How far estimates are from what calls then cost, by feature and model or tool; the dearest comes first.

    These are the rows of `LedgerReader.drift` and `spendgraph budgets drift`. They are of payers as they were booked.

    Args:
        books: The ledger.
        period: Calls by their start; it has a start and an end.

    Raises:
        ValueError: The period has no end.
    """
    since, until = closed(period)
    rows = books.reader.drift(since=since, until=until)
    caveats = [EXPECTED, *books.caveats(period), *pruned(books, period, books.doubts(period).cost_nanousd)]
    if "feature" in books.organisation.changed_tags():
        caveats.append(
            "Mappings and splits are not applied: an estimate was made for whom the call was booked on."
        )
    return Report(
        name="drift",
        title="Estimates beside what calls cost",
        period=period,
        frame=frame_of(rows, COLUMNS),
        columns=COLUMNS,
        findings=_findings(rows),
        caveats=tuple(caveats),
        zone=books.zone,
    )


def _findings(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    known = [row for row in rows if row["calls"]]
    if not known:
        return ("No call of this period was estimated and then paid for: no budget was about one.",)
    calls = sum(row["calls"] for row in known)
    expected, paid = (sum(row[name] for row in known) for name in ("estimate_nanousd", "cost_nanousd"))
    said = [
        f"{'1 call was' if calls == 1 else f'{calls:,} calls were'} expected to cost {dollars(expected)} and cost {dollars(paid)}, {paid / expected:,.2f} times as much."
    ]
    worst = max(known, key=lambda row: abs(row["cost_nanousd"] - row["estimate_nanousd"]))
    if not 1 / _OFF <= worst["ratio"] <= _OFF:
        said.append(
            f"{_who(worst)} is furthest off in dollars: {dollars(worst['cost_nanousd'])} instead of"
            f" {dollars(worst['estimate_nanousd'])}."
        )
    over = max(known, key=lambda row: row["over_reservation"] * row["cost_nanousd"])
    if over["over_reservation"] > _OVER:
        said.append(
            f"{percent(over['over_reservation'])} of the calls of {_who(over)} cost more than was held for them."
        )
    return tuple(said)


def _who(row: dict[str, Any]) -> str:
    return f"{row['feature'] or UNNAMED}, {row['model'] or UNNAMED}"
