"""How tasks end: finished, failed, refused, cut, denied, and the dollars that went with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars, percent, share
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.economics.shares import mean
from spendgraph_reports.economics.tasks import expect_tags, pruned, tasks_of, tasks_without_steps, unsplit
from spendgraph_reports.report import Column, Report, frame_of, tag_column

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

STATES: Final = ("finished", "failed", "cancelled", "refused", "paused", "running")
UNANNOUNCED: Final = "no task"
OTHER_PERIODS: Final = "(other periods)"
"""A row of dollars alone: what brings the tasks' cost to the period's."""

_ORDER: Final = {state: at for at, state in enumerate((*STATES, UNANNOUNCED, OTHER_PERIODS))}

_OF_WHICH: Final = {
    "cut": "of which had a step cut",
    "denied": "of which were denied an approval, or got no answer in time",
    "refused_call": "of which had a call refused",
}

COLUMNS: Final = (
    Column(
        "state",
        "text",
        "How the tasks stand: finished, failed, cancelled, refused, paused or running; `no task` are steps under a task's id that"
        " nobody opened; `(other periods)` is what the ledger has beside, for tasks that began in other periods or under other tags.",
    ),
    Column("tasks", "count", "How many; each is in one state.", adds=True),
    Column("share", "share", "Of the group's tasks."),
    Column("cost_nanousd", "money", "What they cost in all, whenever it was spent.", adds=True),
    Column("mean_nanousd", "money", "What one costs on average.", label="per task"),
    *chain.from_iterable(
        (
            Column(
                f"{name}_tasks",
                "count",
                f"How many {what}; a task can be in several.",
                adds=True,
                label=label,
            ),
            Column(
                f"{name}_nanousd",
                "money",
                f"What those cost in all: {what}.",
                adds=True,
                label=f"{label} cost",
            ),
        )
        for name, what in _OF_WHICH.items()
        for label in (f"of which {name.replace('_', ' ')}",)
    ),
    Column("refused_calls", "count", "How many calls of these tasks were refused.", adds=True),
)
"""What `completion` says of each row, after the tags it is by."""

_MARKED: Final = """\
SELECT task_id, max(cut)::INTEGER AS cut, sum(calls)::BIGINT AS calls
FROM (
  SELECT DISTINCT task_id, 1 AS cut, 0 AS calls FROM steps WHERE status = 'cut'
  UNION ALL
  SELECT task_id, 0, count(*) FROM decisions WHERE outcome = 'refused' GROUP BY task_id
)
GROUP BY task_id"""

_Group = tuple[str, ...]
_SUMS: Final = tuple(column.name for column in COLUMNS if column.adds)


@of_one_moment
def completion(books: Books, period: Period, *, by: Sequence[str] = ("feature",)) -> Report:
    """How the tasks of a period stand, with what they cost.

    Args:
        books: The ledger.
        period: What is reported; it has a start and an end. A task belongs to it if its first step started in it; one in
            which nothing was booked, if it was opened in it.
        by: Tags that the tasks were opened with. Mappings apply, splits leave tasks whole.

    Returns:
        The names in `by` and `COLUMNS`: a row for each state that a group has tasks in.

    Raises:
        ValueError: There is no such tag, or the period has no end.
    """
    expect_tags(by)
    found = _counted(books, period, by)
    totals = {name: sum(sums[name] for sums in found.values()) for name in _SUMS}
    started, spent = defaultdict[_Group, int](int), defaultdict[_Group, int](int)
    for (group, _), sums in found.items():
        started[group] += sums["tasks"]
        spent[group] -= sums["cost_nanousd"]
    own = unsplit(books)
    ledger = {
        tuple(row[name] for name in by): row["cost_nanousd"]
        for row in own.rows(by, period, sums=["cost_nanousd"])
    }
    for group, cost in ledger.items():
        spent[group] += cost
    for group, beside in spent.items():
        if beside:
            found[group, OTHER_PERIODS]["cost_nanousd"] = beside
    rows: list[dict[str, Any]] = [
        {
            **dict(zip(by, group, strict=True)),
            "state": state,
            **sums,
            "share": share(sums["tasks"], started[group]) if sums["tasks"] else None,
            "mean_nanousd": mean(sums["cost_nanousd"], sums["tasks"]),
        }
        for (group, state), sums in sorted(
            found.items(), key=lambda item: (-ledger.get(item[0][0], 0), item[0][0], _ORDER[item[0][1]])
        )
    ]
    columns = (*map(tag_column, by), *COLUMNS)
    return Report(
        name="completion",
        title="How tasks ended" + (f", by {', '.join(name.replace('_', ' ') for name in by)}" if by else ""),
        period=period,
        frame=frame_of(rows, columns),
        columns=columns,
        totals=totals | {"cost_nanousd": own.doubts(period).cost_nanousd},
        findings=_findings(rows, totals),
        caveats=(*pruned(books, period, "Which tasks had a step cut"), *books.caveats(period)),
        zone=books.zone,
        settings={"by": ", ".join(by)},
    )


def _counted(
    books: Books, period: Period, by: Sequence[str]
) -> defaultdict[tuple[_Group, str], dict[str, int]]:
    """The sums of the tasks of each group and state."""
    marked = books.ask(_MARKED)
    cut = {row["task_id"] for row in marked if row["cut"]}
    refused = {row["task_id"]: row["calls"] for row in marked if row["calls"]}
    denied = {row["task_id"] for row in books.reader.approvals() if row["state"] in {"denied", "expired"}}
    found: defaultdict[tuple[_Group, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SUMS, 0))
    tasks = chain(
        tasks_of(books, period, by, ["task_id", "status", "cost_nanousd"]),
        (row | {"cost_nanousd": 0} for row in tasks_without_steps(books, period, by, ["task_id", "status"])),
    )
    for row in tasks:
        task_id, cost = row["task_id"], row["cost_nanousd"]
        sums = found[tuple(row[name] for name in by), row["status"] or UNANNOUNCED]
        sums["tasks"] += 1
        sums["cost_nanousd"] += cost
        sums["refused_calls"] += refused.get(task_id, 0)
        for name, ids in {"cut": cut, "denied": denied, "refused_call": refused}.items():
            if task_id in ids:
                sums[f"{name}_tasks"] += 1
                sums[f"{name}_nanousd"] += cost
    return found


def _findings(rows: Sequence[dict[str, Any]], totals: dict[str, int]) -> tuple[str, ...]:
    number, cost = defaultdict[str, int](int), defaultdict[str, int](int)
    for row in rows:
        number[row["state"]] += row["tasks"]
        cost[row["state"]] += row["cost_nanousd"]
    said: list[str] = []
    if opened := totals["tasks"] - number[UNANNOUNCED]:
        finished = number["finished"]
        said.append(f"{finished:,} of {opened:,} tasks finished ({percent(finished / opened)}).")
    else:
        said.append("No task was opened in this period.")
    for what, states in {
        "Not finished": ("failed", "cancelled", "refused"),
        "Not ended yet": ("paused", "running"),
    }.items():
        parts = [f"{number[state]:,} {state} ({dollars(cost[state])})" for state in states if number[state]]
        if parts:
            said.append(f"{what}: {', '.join(parts)}.")
    if number[UNANNOUNCED]:
        ids = f"{number[UNANNOUNCED]:,} id{'s' if number[UNANNOUNCED] != 1 else ''}"
        said.append(f"Steps under {ids} that nobody opened as a task cost {dollars(cost[UNANNOUNCED])}.")
    if totals["refused_calls"]:
        calls = "1 call was" if totals["refused_calls"] == 1 else f"{totals['refused_calls']:,} calls were"
        held = totals["refused_call_tasks"]
        said.append(
            f"{calls} refused, in {held:,} task{'s' if held != 1 else ''} that cost"
            f" {dollars(totals['refused_call_nanousd'])}."
        )
    return tuple(said)
