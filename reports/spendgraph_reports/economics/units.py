"""Unit economics: what a task, a user or a tenant costs, in the middle and at the dear end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from spendgraph.ledger.ranks import nearest_rank
from spendgraph_reports.amounts import dollars, percent, places_of
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.economics.shares import mean, top_share
from spendgraph_reports.economics.tasks import expect_tags, tasks_of, unsplit, whole_tasks
from spendgraph_reports.report import UNNAMED, Column, Report, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

Per = Literal["task", "whole-task", "user", "tenant"]
PER: Final[tuple[Per, ...]] = ("task", "whole-task", "user", "tenant")

COLUMNS: Final = (
    Column("number", "count", "How many: tasks with at least one step, or users or tenants that spent."),
    Column("cost_nanousd", "money", "What they cost in all.", adds=True),
    Column("mean_nanousd", "money", "What one costs on average.", label="average"),
    Column("median_nanousd", "money", "Half of them cost this much or less.", label="median"),
    Column("p95_nanousd", "money", "95 of 100 cost this much or less.", label="p95"),
    Column("p99_nanousd", "money", "99 of 100 cost this much or less.", label="p99"),
    Column("largest_nanousd", "money", "The dearest one."),
    Column("top_1_share", "share", "What the dearest 1 of 100 make of the cost.", label="top 1 %"),
    Column("top_10_share", "share", "What the dearest 10 of 100 make of the cost.", label="top 10 %"),
    Column(
        "other_nanousd",
        "money",
        "What the ledger has beside: of tasks, their steps in other periods (taken away) and steps of tasks that began in"
        " other periods or under other tags; of users and tenants, what names none.",
        adds=True,
        label="beside",
    ),
    Column("ledger_nanousd", "money", "What the period cost: both together.", adds=True, label="ledger"),
)
"""What `unit_economics` says of each row, after the tags it is by. Ranks are nearest ranks: what one of them really cost."""


@of_one_moment
def unit_economics(
    books: Books, period: Period, *, per: Per = "task", by: Sequence[str] = ("feature",)
) -> Report:
    """What a task, a user or a tenant costs, the dearest group first.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end. A task belongs to it if its first step started in it, with all it ever cost.
        per: Child tasks are tasks of their own; in a `whole-task` they are parts of the one they come from, with its tags. A user or a
            tenant is what its steps in the period cost.
        by: Tags; of tasks those they were opened with.

    Returns:
        The names in `by` and `COLUMNS`. Mappings apply; splits do to users and tenants, and leave tasks whole.

    Raises:
        ValueError: There is no such tag, or the period has no end.
    """
    expect_tags(by)
    if per not in PER:
        raise ValueError(f"expected one of {', '.join(PER)}, found {per!r}")
    if per in by:
        raise ValueError(f"expected other tags than {per!r} to report by: a group would be one of them")
    is_task = per in {"task", "whole-task"}
    groups, spent, cost = _tasks(books, period, per, by) if is_task else _payers(books, period, per, by)
    ledger = books.doubts(period).cost_nanousd
    rows: list[dict[str, Any]] = [
        {
            **dict(zip(by, group, strict=True)),
            **_statistics(groups.get(group, [])),
            "ledger_nanousd": spent.get(group, 0),
        }
        for group in {**spent, **groups}
    ]
    for row in rows:
        row["other_nanousd"] = row["ledger_nanousd"] - row["cost_nanousd"]
    rows.sort(key=lambda row: (-row["cost_nanousd"], -row["ledger_nanousd"], *(row[name] for name in by)))
    columns = (*map(tag_column, by), *COLUMNS)
    return Report(
        name="unit-economics",
        title=f"Cost per {per}" + (f" by {', '.join(name.replace('_', ' ') for name in by)}" if by else ""),
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals={"cost_nanousd": cost, "other_nanousd": ledger - cost, "ledger_nanousd": ledger},
        findings=_findings(per, by, rows, groups),
        caveats=(*_beside(is_task, ledger - cost), *books.caveats(period)),
        zone=books.zone,
        settings={"per": per, "by": ", ".join(by)},
    )


_Group = tuple[str, ...]
_Costs = tuple[dict[_Group, list[int]], dict[_Group, int], int]
"""What each unit of a group cost, what the ledger has of the group, and what all units cost."""


def _tasks(books: Books, period: Period, per: Per, by: Sequence[str]) -> _Costs:
    groups: defaultdict[_Group, list[int]] = defaultdict(list)
    rows = tasks_of(books, period, by, ["cost_nanousd"]) if per == "task" else whole_tasks(books, period, by)
    for row in rows:
        groups[tuple(row[name] for name in by)].append(row["cost_nanousd"])
    spent = {
        tuple(row[name] for name in by): row["cost_nanousd"]
        for row in unsplit(books).rows(by, period, sums=["cost_nanousd"])
    }
    found = books.reader.task_costs(since=period.since_us, until=period.until_us, quantiles=())
    return groups, spent, sum(row["cost_nanousd"] for row in found)


def _payers(books: Books, period: Period, per: Per, by: Sequence[str]) -> _Costs:
    groups: defaultdict[_Group, list[int]] = defaultdict(list)
    spent: defaultdict[_Group, int] = defaultdict(int)
    for row in books.rows([*by, per], period, sums=["cost_nanousd"]):
        group = tuple(row[name] for name in by)
        spent[group] += row["cost_nanousd"]
        if row[per]:
            groups[group].append(row["cost_nanousd"])
    unnamed = books.doubts(period, by=[*by, per], **{per: ""})
    return groups, spent, books.doubts(period).cost_nanousd - unnamed.cost_nanousd


def _statistics(costs: list[int]) -> dict[str, Any]:
    """What a row says of the units in it; without any there is neither a middle nor an end."""
    ordered, total = sorted(costs), sum(costs)
    ranks = {"median_nanousd": 0.5, "p95_nanousd": 0.95, "p99_nanousd": 0.99, "largest_nanousd": 1.0}
    return {
        "number": len(ordered),
        "cost_nanousd": total,
        "mean_nanousd": mean(total, len(ordered)),
        **{name: nearest_rank(ordered, share) if ordered else None for name, share in ranks.items()},
        "top_1_share": top_share(ordered, 1),
        "top_10_share": top_share(ordered, 10),
    }


def _beside(is_task: bool, nanousd: int) -> tuple[str, ...]:
    if not nanousd:
        return ()
    if not is_task:
        return (f"{dollars(nanousd)} is in no unit: its steps do not say whose they are.",)
    said = f"{dollars(abs(nanousd))} {'more' if nanousd > 0 else 'less'} was spent in the period than its tasks cost"
    return (f"{said}: a task counts in the period in which it began, with all it ever cost.",)


def _findings(
    per: Per, by: Sequence[str], rows: Sequence[dict[str, Any]], groups: dict[tuple[str, ...], list[int]]
) -> tuple[str, ...]:
    ordered = sorted(cost for costs in groups.values() for cost in costs)
    if not ordered:
        return (f"No {per} cost anything in this period.",)
    number = f"{len(ordered):,} {per}{'s' if len(ordered) != 1 else ''}"
    within = f" (one in each {', '.join(by)} that it spent in)" if by and per in {"user", "tenant"} else ""
    middle = _amount(nearest_rank(ordered, 0.5))
    said = [
        f"{number}{within} cost {dollars(sum(ordered))}: {middle} in the middle, {_amount(nearest_rank(ordered, 0.95))} at the 95th of 100."
    ]
    if len(ordered) >= 100 and ordered[0] >= 0 and ordered[-1] > 0:
        said.append(f"The dearest 1 of 100 made {percent(top_share(ordered, 1))} of that.")
    wide = [row for row in rows if row["number"] >= 20 and row["median_nanousd"] > 0]
    if len(rows) > 1 and wide:
        most = max(wide, key=lambda row: row["largest_nanousd"] / row["median_nanousd"])
        who = ", ".join(most[name] or UNNAMED for name in by)
        said.append(
            f"The dearest {per} beside its like is one of {who}: {_amount(most['largest_nanousd'])},"
            f" {most['largest_nanousd'] / most['median_nanousd']:,.1f} x the median."
        )
    return tuple(said)


def _amount(nanousd: int) -> str:
    """Dollars of one unit, which may be less than a cent."""
    return dollars(nanousd, places_of([nanousd]))
