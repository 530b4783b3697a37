"""Versions: what a task costs before and after a deploy, whether chance explains it, and what it comes to in a month."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from spendgraph_reports.amounts import dollars, percent
from spendgraph_reports.books import Books, of_one_moment
from spendgraph_reports.calls import pruned
from spendgraph_reports.efficiency.comparing import LEVEL, Comparison, adjusted, compare
from spendgraph_reports.efficiency.deploys import Deploys, Subject, Tag, Version, read_deploys
from spendgraph_reports.errors import ReportsUnavailable
from spendgraph_reports.months import closed
from spendgraph_reports.period import DAY_US
from spendgraph_reports.report import UNNAMED, Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

FEWEST: Final = 30
"""Tasks of each version below which nothing is said: so few of log-normal costs do not know their mean."""

DEARER: Final = "dearer"
CHEAPER: Final = "cheaper"
SAME: Final = "no difference found"
TOO_FEW: Final = "too few tasks"

COLUMNS: Final = (
    Column("before", "text", "The version before."),
    Column("after", "text", "The version after it."),
    Column(
        "verdict",
        "text",
        f"`{DEARER}`, `{CHEAPER}`, `{SAME}` or `{TOO_FEW}` (fewer than {FEWEST} of either).",
    ),
    Column("before_tasks", "count", "Tasks of the version before, of tenants that had both."),
    Column("after_tasks", "count", "Tasks of the version after, of tenants that had both."),
    Column(
        "before_mean_nanousd",
        "money",
        "What a task cost before, were its tenants those of the version after.",
        label="a task before",
    ),
    Column("after_mean_nanousd", "money", "What a task costs after.", label="a task after"),
    Column("ratio", "ratio", "After to before: 2 is twice as dear."),
    Column("ratio_low", "ratio", "Where the ratio begins, with 95 percent confidence.", label="ratio from"),
    Column("ratio_high", "ratio", "Where it ends.", label="ratio to"),
    Column(
        "dearer_share",
        "share",
        "How often a task after costs more than one before of the same tenant; a half is no difference.",
        label="dearer task",
    ),
    Column(
        "p_mean",
        "ratio",
        "How often chance alone moves the mean as far (studentised permutation test).",
        label="p",
    ),
    Column(
        "p_adjusted",
        "ratio",
        f"The same, adjusted for all that are compared (Benjamini-Hochberg); the verdict is at {LEVEL}.",
        label="p of all",
    ),
    Column(
        "p_typical",
        "ratio",
        "How often chance alone moves the typical task as far (Brunner-Munzel test).",
        label="p typical",
    ),
    Column(
        "extra_nanousd",
        "money",
        "What all tasks of the version after cost more than before, in the period; less, where negative.",
        label="more in the period",
    ),
    Column(
        "tasks_a_month", "count", "Tasks at the traffic of the period's last weeks.", label="tasks a month"
    ),
    Column("month_nanousd", "money", "What a month of that traffic costs more.", label="more a month"),
    Column("month_low_nanousd", "money", "The same at the lower end of the ratio.", label="month from"),
    Column("month_high_nanousd", "money", "The same at the upper end.", label="month to"),
)
"""What `versions` says of each feature, after its name."""

CONFOUNDED: Final = (
    "A version is compared with the one before it in time: whatever else changed on those days, such as what users ask for, looks the same."
    " Tenants are compared with themselves."
)

_MONTH: Final = 365.25 / 12
_RECENT_DAYS: Final = 28
_MOST: Final = 0.9
"""Of the tasks of the version after; where fewer are compared it is said."""


@of_one_moment
def versions(
    books: Books,
    period: Period,
    *,
    tag: Tag = "version",
    features: Sequence[str] = (),
    before: str | None = None,
    after: str | None = None,
) -> Report:
    """Cost per task before and after a deploy, with a significance test; what moves most a month comes first.

    Args:
        books: The ledger. Tasks are compared by the tags they were booked with.
        period: Tasks by the start of their first step; it has a start and an end.
        tag: `version` compares the features' versions, with all that a task cost; `template_version` those of their templates, with
            what a template cost in a task.
        features: Only these; all, when none are given.
        before: The version to compare with; the one before the newest (or before `after`), when not given.
        after: The version to compare; the newest, when not given.

    Returns:
        `feature` (with `template`) and `COLUMNS`, for whatever had two versions. Where there are too few tasks, only their numbers.

    Raises:
        ReportsUnavailable: SciPy is not installed.
        ValueError: The period has no end.
    """
    closed(period)
    if find_spec("scipy") is None:
        raise ReportsUnavailable(
            "comparing versions needs scipy, which is not installed: pip install 'spendgraph[reports]'"
        )
    found = read_deploys(books, period, tag, features)
    rows = [
        _row(subject, pair, found, period)
        for subject in sorted(found.versions)
        if (pair := found.pair(subject, before, after)) is not None
    ]
    tested = [row for row in rows if row["p_mean"] is not None]
    for row, p in zip(tested, adjusted([row["p_mean"] for row in tested]), strict=True):
        row["p_adjusted"] = p
        moved = DEARER if row["after_mean_nanousd"] > row["before_mean_nanousd"] else CHEAPER
        row["verdict"] = moved if p < LEVEL else SAME
    rows.sort(key=lambda row: (row["verdict"] not in {DEARER, CHEAPER}, -abs(row["month_nanousd"] or 0)))
    names = ("feature",) if tag == "version" else ("feature", "template")
    columns = (
        *(Column(name, "text", f"The {name}; empty where none was given.") for name in names),
        *COLUMNS,
    )
    return Report(
        name="versions",
        title=f"What a task costs, by {tag.replace('_', ' ')}",
        period=period,
        frame=frame_of([dict(zip(names, row["subject"], strict=True)) | row for row in rows], columns),
        columns=columns,
        findings=_findings(rows, found),
        caveats=_caveats(books, period, tag, found, rows),
        zone=books.zone,
        settings={
            "tag": tag,
            "features": ", ".join(features),
            "before": before or "the one before",
            "after": after or "the newest",
        },
    )


def _row(subject: Subject, pair: tuple[Version, Version], found: Deploys, period: Period) -> dict[str, Any]:
    old, new = pair
    monthly = _tasks_a_month(found, subject, period)
    row: dict[str, Any] = dict.fromkeys(column.name for column in COLUMNS) | {
        "subject": subject,
        "pair": pair,
        "before": old.name,
        "after": new.name,
        "verdict": TOO_FEW,
        "before_tasks": old.tasks,
        "after_tasks": new.tasks,
        "tasks_a_month": round(monthly),
    }
    if min(old.tasks, new.tasks) < FEWEST:
        return row
    comparison = compare(old.costs(), new.costs())
    compared = (0, 0) if comparison is None else (comparison.before_tasks, comparison.after_tasks)
    row |= {"before_tasks": compared[0], "after_tasks": compared[1]}
    if comparison is None or min(compared) < FEWEST:
        return row
    return row | _measured(comparison, new.tasks, monthly)


def _measured(comparison: Comparison, tasks: int, monthly: float) -> dict[str, Any]:
    """What a comparison says, with its money in whole nano-dollars."""
    low, high = comparison.low, comparison.high

    def more(ratio: float | None) -> int | None:
        """What the tasks of a month cost more where the ratio is this: what they cost is known, what they would have is not."""
        return None if ratio is None else round(monthly * comparison.after_mean * (1 - 1 / ratio))

    moved = comparison.after_mean - comparison.before_mean
    return {
        "before_mean_nanousd": round(comparison.before_mean),
        "after_mean_nanousd": round(comparison.after_mean),
        "ratio": comparison.ratio,
        "ratio_low": low,
        "ratio_high": high,
        "dearer_share": comparison.dearer,
        "p_mean": comparison.p_mean,
        "p_typical": comparison.p_typical,
        "extra_nanousd": round(tasks * moved),
        "month_nanousd": round(monthly * moved),
        "month_low_nanousd": more(low),
        "month_high_nanousd": more(high),
    }


def _tasks_a_month(found: Deploys, subject: Subject, period: Period) -> float:
    """Tasks of a month, all versions together, at the rate of the last four weeks of the period, or of all of a shorter one.

    A period that is not over yet ends with the day of the last task of anything.
    """
    since, until = closed(period)
    until = min(until, found.last_us + DAY_US)
    since = max(since, until - _RECENT_DAYS * DAY_US)
    recent = sum(since <= start < until for start in found.starts[subject])
    return recent * DAY_US * _MONTH / (until - since)


def _findings(rows: Sequence[dict[str, Any]], found: Deploys) -> tuple[str, ...]:
    if not rows:
        return ("Nothing had two versions with ended tasks in this period.",)
    said: list[str] = []
    for row in rows:
        if row["verdict"] not in {DEARER, CHEAPER}:
            continue
        a_task = f"{dollars(row['after_mean_nanousd'], 4)} a task instead of {dollars(row['before_mean_nanousd'], 4)}"
        times = "" if row["ratio"] is None else f"{row['ratio']:.2f} times as much, "
        month = row["month_nanousd"]
        said.append(
            f"{_who(row)} {row['after']} is {row['verdict']} than {row['before']}: {a_task}, {times}which is"
            f" {dollars(abs(month))} {'more' if month > 0 else 'less'} a month at the present traffic."
        )
    tested = [row for row in rows if row["p_mean"] is not None]
    if tested and not said:
        said.append(
            f"No difference was found between the versions of {', '.join(_who(row) for row in tested)}."
        )
    if few := [row for row in rows if row["verdict"] == TOO_FEW]:
        said.append(f"Too few tasks to compare: {', '.join(_who(row) for row in few)}.")
    compared = {row["subject"] for row in rows}
    if alone := sorted(subject for subject in found.versions if subject not in compared):
        named = ", ".join(" ".join(name or UNNAMED for name in subject) for subject in alone)
        said.append(f"Without two versions to compare: {named}.")
    return tuple(said)


def _caveats(
    books: Books, period: Period, tag: Tag, found: Deploys, rows: Sequence[dict[str, Any]]
) -> tuple[str, ...]:
    said = [CONFOUNDED]
    for row in rows:
        old, new = row["pair"]
        if max(len(old.templates), len(new.templates)) > 1:
            ran = " and ".join(f"{each.name} with {', '.join(sorted(each.templates))}" for each in (old, new))
            said.append(
                f"{_who(row)} had several versions of its template, {ran}: --tag template_version compares those."
            )
        if row["p_mean"] is not None and row["after_tasks"] < _MOST * new.tasks:
            said.append(
                f"{_who(row)}: {percent(row['after_tasks'] / new.tasks)} of the tasks of {new.name} are of tenants that had"
                f" {old.name} too, and are compared."
            )
    if found.stopped:
        tasks = _counted(len(found.stopped), "was stopped", "were stopped")
        said.append(f"{tasks} by a budget and left out: such a task costs less than it would have.")
    if found.unfinished:
        tasks = _counted(len(found.unfinished), "has not ended and is", "have not ended and are")
        said.append(f"{tasks} left out.")
    if tag == "template_version":
        said += pruned(books, period, books.doubts(period).cost_nanousd)
    return (*said, *books.caveats(period))


def _who(row: dict[str, Any]) -> str:
    return " ".join(name or UNNAMED for name in row["subject"])


def _counted(tasks: int, one: str, several: str) -> str:
    return f"1 task {one}" if tasks == 1 else f"{tasks:,} tasks {several}"
