"""Outliers: what costs far more than its like, and the likely cause in its structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph.ledger.columns import names
from spendgraph_reports.amounts import dollars
from spendgraph_reports.economics.shares import times as times_of
from spendgraph_reports.economics.tasks import pruned
from spendgraph_reports.outliers.causes import Cause, causes
from spendgraph_reports.outliers.profiles import Place, Profile, profiles
from spendgraph_reports.outliers.units import COLUMNS as READ
from spendgraph_reports.outliers.units import LIKE, PER, Unit, first_of, units
from spendgraph_reports.outliers.wording import evidence
from spendgraph_reports.report import UNNAMED, Column, Report, frame_of

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

USUAL: Final = ("task", "tenant", "version", "template_version")
"""What is looked at where nobody says: a user is often a tenant's only one."""

UNCLEAR: Final = "no single cause"
PRUNED: Final = "its steps were pruned"

_WHAT: Final = {"tenant": "tenant's day", "user": "user's day"}

_CLEAR: Final = 0.3
"""A cause that makes less of the excess than this is none."""

_BESIDE: Final = 0.2
"""A second one that makes this much of it is told, too."""

COLUMNS: Final = (
    Column(
        "what", "text", "A task, a tenant's day, a user's day, or a release: a version or a template version."
    ),
    Column("feature", "text", "The feature; empty where none was given."),
    Column("subject", "text", "The task's id, the tenant or user and the day, or the version."),
    Column("began", "time", "When the first of its tasks began."),
    Column("tasks", "count", "How many tasks it is."),
    Column("cost_nanousd", "money", "What they cost in all."),
    Column(
        "usual_nanousd",
        "money",
        "What is usual: the median of the feature's tasks, the median of the days on which the tenant or user spent anything, or"
        " as many tasks of the version before.",
        label="usual",
    ),
    Column("times_usual", "ratio", "The cost beside that.", label="x usual"),
    Column("excess_nanousd", "money", "The cost less what is usual.", label="excess"),
    Column("cause", "text", "What most likely makes it dear."),
    Column(
        "cause_share",
        "share",
        "What the cause makes of all that makes it dearer, an estimate.",
        label="of excess",
    ),
    Column("evidence", "text", "What differs, with numbers."),
)
"""What `outliers` says of each row."""


def outliers(
    books: Books,
    period: Period,
    *,
    per: Sequence[str] = USUAL,
    limit: int = 20,
    each: int = 5,
    times: float = 3.0,
) -> Report:
    """What costs far more than its like, the largest excess first, with the likely cause.

    Args:
        books: The ledger. Tags are as booked: mappings and splits do not apply.
        period: What is reported; it has a start and an end. Tasks belong to it if their first step started in it.
        per: What to look at: single tasks beside their feature's, a `tenant`'s or `user`'s days in a feature beside its other ones, and releases
            (`version`, `template_version`) that came within the period beside the version before.
        limit: How many to tell of.
        each: How many of one sort and feature at most, so that a frequent sort does not hide the others.
        times: How many times as much as usual is an outlier; of a release 1.2.

    Returns:
        `COLUMNS`. A day that is dear for one task's sake is that task alone.

    Raises:
        ValueError: It is per something else, `limit` or `each` is below 1, `times` below 1, or the period has no end.
    """
    unknown = [name for name in names(per) if name not in PER]
    if unknown or not per:
        raise ValueError(f"expected some of {', '.join(PER)}, found {', '.join(unknown) or 'none'}")
    if min(limit, each) < 1:
        raise ValueError(f"expected how many outliers to tell of, 1 or more, found {min(limit, each)}")
    if not times >= 1:
        raise ValueError(f"expected 1 or more times as much as usual, found {times}")
    looked_at = [name for name in PER if name in per]
    tags = [name for name in looked_at if name != "task"]
    tasks = books.reader.tasks_rolled([*READ, *tags], since=period.since_us, until=period.until_us)
    every = units(tasks, period, books.zone, looked_at, times)
    found = first_of(every, limit, each)
    known = (
        profiles(books, period, [pick for unit in found for pick in (unit.here, unit.usual)]) if found else {}
    )
    rows = [_row(unit, _causes(unit, known), books.zone) for unit in found]
    return Report(
        name="outliers",
        title="Outliers",
        period=period,
        frame=frame_of(rows, COLUMNS),
        columns=COLUMNS,
        findings=_findings(rows, every),
        caveats=(
            *pruned(books, period, "The cause of outliers"),
            *books.caveats(period),
        ),
        zone=books.zone,
        settings={"per": ", ".join(looked_at), "limit": str(limit), "each": str(each), "times": f"{times:g}"},
    )


def _causes(unit: Unit, known: Mapping[Any, Profile]) -> list[Cause] | None:
    """What makes a unit dearer than its like, the most first, in nano-USD of the whole unit; nothing where its steps are pruned."""
    here, usual = known.get(unit.here), known.get(unit.usual)
    if unit.is_pruned or here is None or usual is None:
        return None
    if unit.per == "task":
        return causes(here.middle, usual.middle)
    tasks = (unit.tasks + unit.usual_tasks) / 2
    found = [cause._replace(nanousd=cause.nanousd * tasks) for cause in causes(here.average, usual.average)]
    each, usual_each = unit.cost_nanousd / unit.tasks, unit.usual_nanousd / unit.usual_tasks
    more = Cause(
        "more tasks",
        (unit.tasks - unit.usual_tasks) * (each + usual_each) / 2,
        here=Place(steps=unit.tasks),
        usual=Place(steps=unit.usual_tasks),
    )
    return sorted([more, *found] if more.nanousd > 0 else found, key=lambda cause: -cause.nanousd)


def _row(unit: Unit, known: Sequence[Cause] | None, zone: str) -> dict[str, Any]:
    found = known or []
    all_of_them = sum(cause.nanousd for cause in found)
    of_one = unit.per == "task"
    told = [cause for cause in found[:2] if cause.nanousd >= _BESIDE * all_of_them]
    share = found[0].nanousd / all_of_them if found else None
    began = from_us(unit.since_us).astimezone(ZoneInfo(zone))
    if unit.per == "task":
        subject = unit.name
    elif unit.before:
        subject = f"{unit.name} after {unit.before}"
    else:
        subject = f"{unit.name}, {began:%Y-%m-%d}"
    words = [evidence(cause, of_one=of_one) for cause in told]
    if words and told[0].kind == "more tasks":
        words[0] += f", from {began:%H:%M} to {from_us(unit.until_us).astimezone(ZoneInfo(zone)):%H:%M}"
    clear = found[0].kind if share is not None and share >= _CLEAR else UNCLEAR
    return {
        "what": _WHAT.get(unit.per, unit.per.replace("_", " ")),
        "feature": unit.feature,
        "subject": subject,
        "began": from_us(unit.since_us),
        "tasks": unit.tasks,
        "cost_nanousd": unit.cost_nanousd,
        "usual_nanousd": unit.usual_nanousd,
        "times_usual": times_of(unit.cost_nanousd, unit.usual_nanousd),
        "excess_nanousd": unit.excess_nanousd,
        "cause": PRUNED if known is None else clear,
        "cause_share": share,
        "evidence": "; ".join(words),
    }


def _findings(rows: Sequence[dict[str, Any]], every: Sequence[Unit]) -> tuple[str, ...]:
    if not rows:
        return (f"Nothing cost far more than its like, of features with {LIKE} tasks or more.",)
    first = rows[0]
    said = [
        f"{len(every):,} outlier{'s' if len(every) != 1 else ''}"
        + (f", of which {len(rows):,} are told here." if len(every) > len(rows) else ".")
    ]
    why = f" ({first['cause']}: {first['evidence']})" if first["evidence"] else ""
    said.append(
        f"The {first['what']} {first['subject']} in {first['feature'] or UNNAMED} cost {dollars(first['cost_nanousd'])}, usual is"
        f" {dollars(first['usual_nanousd'])}{why}."
    )
    return tuple(said)
