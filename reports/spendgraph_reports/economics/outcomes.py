"""What a successful outcome costs: all dollars of a group over its successes, and what they were worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars, percent, places_of, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.economics.shares import mean
from spendgraph_reports.economics.tasks import expect_tags, tasks_of, tasks_without_steps, unsplit
from spendgraph_reports.report import UNNAMED, Column, Report, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

COLUMNS: Final = (
    Column("tasks", "count", "Tasks that began in the period.", adds=True),
    Column("successes", "count", "Of which a success was reported.", adds=True),
    Column("failures", "count", "Of which a failure was reported.", adds=True),
    Column("unknown", "count", "Of which nothing was reported.", adds=True),
    Column(
        "success_share",
        "share",
        "Successes among the tasks of which something was reported.",
        label="success",
    ),
    Column("cost_nanousd", "money", "What the tasks cost: the next three.", adds=True),
    Column("success_nanousd", "money", "What the successes cost.", adds=True, label="of successes"),
    Column("failure_nanousd", "money", "What the failures cost.", adds=True, label="of failures"),
    Column(
        "unknown_nanousd",
        "money",
        "What those cost of which nothing was reported.",
        adds=True,
        label="of unknown",
    ),
    Column(
        "per_success_nanousd",
        "money",
        "The cost of all tasks over the successes; nothing where there is none.",
    ),
    Column("value_nanousd", "money", "What the outcomes were reported to be worth.", adds=True),
    Column("net_nanousd", "money", "The value less the cost of all tasks.", adds=True),
    Column(
        "other_nanousd",
        "money",
        "What the ledger has beside; see `unit_economics`.",
        adds=True,
        label="beside",
    ),
    Column("ledger_nanousd", "money", "What the period cost: cost and beside.", adds=True, label="ledger"),
)
"""What `outcomes` says of each row, after the tags it is by."""

_WHICH: Final = {
    "success": ("successes", "success_nanousd"),
    "failure": ("failures", "failure_nanousd"),
    "": ("unknown", "unknown_nanousd"),
}
_COLUMNS: Final = ("outcome", "value_nanousd")
_SUMS: Final = tuple(column.name for column in COLUMNS if column.adds)


@of_one_moment
def outcomes(books: Books, period: Period, *, by: Sequence[str] = ("feature",)) -> Report:
    """What a successful outcome costs, and what the outcomes were worth, the dearest group first.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end. A task belongs to it as in `completion`, with all it ever cost.
        by: Tags that the tasks were opened with. Mappings apply, splits leave tasks whole.

    Returns:
        The names in `by` and `COLUMNS`.

    Raises:
        ValueError: There is no such tag, or the period has no end.
    """
    expect_tags(by)
    own = unsplit(books)
    found: defaultdict[tuple[str, ...], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(_SUMS, 0))
    totals = dict.fromkeys(_SUMS, 0)
    tasks = chain(
        tasks_of(books, period, by, [*_COLUMNS, "cost_nanousd"]),
        (row | {"cost_nanousd": 0} for row in tasks_without_steps(books, period, by, _COLUMNS)),
    )
    for row in tasks:
        group, cost, value = (
            found[tuple(row[name] for name in by)],
            row["cost_nanousd"],
            row["value_nanousd"] or 0,
        )
        number, of_them = _WHICH[row["outcome"]]
        sums = {"tasks": 1, number: 1, "cost_nanousd": cost, of_them: cost}
        for name, amount in (sums | {"value_nanousd": value, "net_nanousd": value - cost}).items():
            group[name] += amount
            totals[name] += amount
    for row in own.rows(by, period, sums=["cost_nanousd"]):
        found[tuple(row[name] for name in by)]["ledger_nanousd"] = row["cost_nanousd"]
    totals["ledger_nanousd"] = own.doubts(period).cost_nanousd
    totals["other_nanousd"] = totals["ledger_nanousd"] - totals["cost_nanousd"]
    rows: list[dict[str, Any]] = [
        {
            **dict(zip(by, key, strict=True)),
            **sums,
            "success_share": share(sums["successes"], sums["successes"] + sums["failures"])
            if sums["successes"] or sums["failures"]
            else None,
            "per_success_nanousd": mean(sums["cost_nanousd"], sums["successes"]),
            "other_nanousd": sums["ledger_nanousd"] - sums["cost_nanousd"],
        }
        for key, sums in found.items()
    ]
    rows.sort(key=lambda row: (-row["cost_nanousd"], -row["ledger_nanousd"], *(row[name] for name in by)))
    columns = (*map(tag_column, by), *COLUMNS)
    return Report(
        name="outcomes",
        title="Cost per successful outcome"
        + (f" by {', '.join(name.replace('_', ' ') for name in by)}" if by else ""),
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals=totals,
        findings=_findings(by, rows, totals),
        caveats=(*_unknown(totals), *books.caveats(period)),
        zone=books.zone,
        settings={"by": ", ".join(by)},
    )


def _unknown(totals: dict[str, int]) -> tuple[str, ...]:
    if not totals["unknown"]:
        return ()
    tasks = f"{totals['unknown']:,} task{'s' if totals['unknown'] != 1 else ''}"
    return (
        f"Of {tasks} ({dollars(totals['unknown_nanousd'])}) nobody reported how they went; they count into the cost per success.",
    )


def _findings(by: Sequence[str], rows: Sequence[dict[str, Any]], totals: dict[str, int]) -> tuple[str, ...]:
    if not totals["tasks"]:
        return ("No task began in this period.",)
    successes, reported = totals["successes"], totals["successes"] + totals["failures"]
    told = [row for row in rows if row["successes"] or row["failures"]]
    cost = sum(row["cost_nanousd"] for row in told)
    if not successes:
        return (
            f"No success was reported; {totals['tasks']:,} tasks cost {dollars(totals['cost_nanousd'])}.",
        )
    each = mean(cost, successes) or 0
    said = [
        f"A success costs {dollars(each, places_of([each]))} where outcomes are reported:"
        + f" {dollars(cost)} for {successes:,} of them, {percent(successes / reported)} of what was reported."
    ]
    valued = [row for row in told if row["value_nanousd"]]
    if valued:
        value, spent = (sum(row[name] for row in valued) for name in ("value_nanousd", "cost_nanousd"))
        more = "more" if value >= spent else "less"
        said.append(
            f"Where a value is reported, outcomes were worth {dollars(value)}, {dollars(abs(value - spent))} {more} than was spent."
        )
    losing = [row for row in valued if row["net_nanousd"] < 0]
    if by and losing:
        most = min(losing, key=lambda row: row["net_nanousd"])
        who = ", ".join(most[name] or UNNAMED for name in by)
        said.append(f"{who} cost {dollars(-most['net_nanousd'])} more than its outcomes were worth.")
    return tuple(said)
