"""What can be an outlier: a task, a tenant's or a user's day in a feature, and a release, each beside its like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph.ledger.ranks import nearest_rank
from spendgraph_reports.months import closed
from spendgraph_reports.outliers.profiles import Pick
from spendgraph_reports.period import DAY_US

if TYPE_CHECKING:
    from spendgraph_reports.period import Period

PER: Final = ("task", "tenant", "user", "version", "template_version")
"""What can be looked at."""

LIKE: Final = 20
"""Fewer tasks are no usual."""

DAYS: Final = 5
"""Who has fewer days is compared with everybody's, too."""

RELEASE: Final = 1.2
"""A release is one that makes tasks a fifth dearer; nothing else changes all of them at once."""

COLUMNS: Final = ("task_id", "feature", "first_started_us", "cost_nanousd", "pruned_steps")
"""What is read of each task, beside the tags it is per."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Tasks that cost more than their like.

    Attributes:
        per: What they are: one task, those of a tenant's or a user's day, or of a release.
        feature: Whose.
        name: The task's id, the tenant's or user's name, or the version.
        since_us: When the first of them began.
        until_us: When the last of them began.
        tasks: How many.
        usual_tasks: How many are usual.
        cost_nanousd: What they cost in all.
        usual_nanousd: What the like costs.
        dearest: The id of the dearest of them, and
        dearest_nanousd: what it cost.
        here: Which tasks.
        usual: Which they are compared with.
        is_pruned: Steps of them are gone.
        before: Of a release: the version before.
    """

    per: str
    feature: str
    name: str
    since_us: int
    until_us: int
    tasks: int
    usual_tasks: int
    cost_nanousd: int
    usual_nanousd: int
    dearest: str
    dearest_nanousd: int
    here: Pick
    usual: Pick
    is_pruned: bool
    before: str = ""

    @property
    def tasks_of(self) -> tuple[str, int, int, int, int]:
        """What two units of the same tasks have in common."""
        return self.feature, self.since_us, self.until_us, self.tasks, self.cost_nanousd

    @property
    def excess_nanousd(self) -> int:
        """What they cost more than their like."""
        return self.cost_nanousd - self.usual_nanousd


class _Task(NamedTuple):
    task_id: str
    began_us: int
    nanousd: int
    is_pruned: bool


class _Day(NamedTuple):
    nanousd: int
    tasks: int


def units(
    tasks: Iterable[dict[str, Any]], period: Period, zone: str, per: Sequence[str], times: float
) -> list[Unit]:
    """What costs more than so many times as much as its like, the largest excess first.

    Args:
        tasks: Rows with `COLUMNS` and the tags in `per`, in the order of their first steps.
        period: Their period, closed.
        zone: Whose days are meant.
        per: What to look at.
        times: How many times as much; of a release `RELEASE`.
    """
    since, until = closed(period)
    tags = [name for name in per if name != "task"]
    features: defaultdict[str, list[_Task]] = defaultdict(list)
    tagged: defaultdict[tuple[str, str], dict[str, list[_Task]]] = defaultdict(dict)
    for row in tasks:
        task = _Task(row["task_id"], row["first_started_us"], row["cost_nanousd"], row["pruned_steps"] > 0)
        features[row["feature"]].append(task)
        for tag in tags:
            if row[tag]:
                tagged[tag, row["feature"]].setdefault(row[tag], []).append(task)
    found: list[Unit] = []
    for feature, own in features.items():
        pick = Pick(feature, since, until)
        if "task" in per:
            found += _single(feature, own, pick, times)
        for tag in tags:
            of_tag = tagged[tag, feature]
            if tag in {"tenant", "user"}:
                found += _days(tag, feature, of_tag, pick, zone, times)
            else:
                found += _releases(tag, feature, own[0].began_us, of_tag, pick)
    if "task" in per:
        # A day that is dear for one task's sake is that task.
        told = {unit.name for unit in found if unit.per == "task"}
        found = [
            unit
            for unit in found
            if unit.per == "task"
            or unit.dearest not in told
            or 2 * unit.dearest_nanousd < unit.excess_nanousd
        ]
    # A release that comes with a template of its own is told once.
    versions = {unit.tasks_of for unit in found if unit.per == "version"}
    found = [unit for unit in found if unit.per != "template_version" or unit.tasks_of not in versions]
    return sorted(
        found, key=lambda unit: (-unit.excess_nanousd, unit.per, unit.feature, unit.name, unit.since_us)
    )


def first_of(found: Sequence[Unit], limit: int, each: int) -> list[Unit]:
    """The first of some units in order, no more than `each` of one sort and feature, so that others are seen beside a frequent sort."""
    seen: Counter[tuple[str, str]] = Counter()
    chosen: list[Unit] = []
    for unit in found:
        seen[unit.per, unit.feature] += 1
        if seen[unit.per, unit.feature] <= each:
            chosen.append(unit)
    return chosen[:limit]


def _single(feature: str, own: Sequence[_Task], pick: Pick, times: float) -> Iterator[Unit]:
    if len(own) < LIKE:
        return
    median = nearest_rank(sorted(task.nanousd for task in own), 0.5)
    for task in own:
        if task.nanousd > max(times * median, 0):
            here = replace(pick, task_id=task.task_id)
            yield _unit("task", feature, task.task_id, [task], 1, median, here, pick)


def _days(
    per: str, feature: str, tagged: dict[str, list[_Task]], pick: Pick, zone: str, times: float
) -> Iterator[Unit]:
    """Days on which somebody spent far more than on the middle one of the days on which there was anything.

    Who has few such days, and so no middle that says much, is compared with everybody's in the feature, too.
    """
    place = ZoneInfo(zone)
    days: dict[str, dict[date, list[_Task]]] = {}
    for name, own in tagged.items():
        of_name = days.setdefault(name, {})
        for task in own:
            of_name.setdefault(from_us(task.began_us).astimezone(place).date(), []).append(task)
    everybody = [group for of_name in days.values() for group in of_name.values()]
    common = _usual_day(everybody)
    for name, of_name in days.items():
        is_known = len(of_name) >= DAYS
        if not is_known and len(everybody) < LIKE:
            continue
        own_tasks = replace(pick, tag=per, value=name)
        groups = list(of_name.values())
        middle = _usual_day(groups)
        for group in groups:
            usual = middle
            if not is_known:
                usual = max(common, _usual_day([other for other in groups if other is not group]))
            if sum(task.nanousd for task in group) > max(times * usual.nanousd, 0):
                here = replace(own_tasks, since_us=group[0].began_us, until_us=group[-1].began_us + 1)
                like = own_tasks if is_known else pick
                yield _unit(per, feature, name, group, usual.tasks, usual.nanousd, here, like)


def _usual_day(days: Sequence[Sequence[_Task]]) -> _Day:
    """What the middle one of some days cost, and how many tasks the middle one had; without days, nothing."""
    if not days:
        return _Day(0, 0)
    costs = sorted(sum(task.nanousd for task in group) for group in days)
    return _Day(nearest_rank(costs, 0.5), nearest_rank(sorted(len(group) for group in days), 0.5))


def _releases(
    per: str, feature: str, began_us: int, tagged: dict[str, list[_Task]], pick: Pick
) -> Iterator[Unit]:
    """Versions that came within the period, beside the one before: of those that were there earlier the one with most tasks.

    On average and in the middle: few dear tasks are no release that makes tasks dearer.
    """
    for name, own in tagged.items():
        first = own[0].began_us
        if len(own) < LIKE or first < began_us + DAY_US:
            continue
        earlier = [
            other for other, group in tagged.items() if group[0].began_us < first and len(group) >= LIKE
        ]
        if not earlier:
            continue
        before = max(earlier, key=lambda other: len(tagged[other]))
        costs, costs_before = (sorted(task.nanousd for task in tagged[each]) for each in (name, before))
        usual = sum(costs_before) * len(costs) // len(costs_before)
        middle = nearest_rank(costs, 0.5), nearest_rank(costs_before, 0.5)
        if sum(costs) > max(RELEASE * usual, 0) and middle[0] > RELEASE * middle[1]:
            here, other = (replace(pick, tag=per, value=version) for version in (name, before))
            yield _unit(per, feature, name, own, len(own), usual, here, other, before=before)


def _unit(
    per: str,
    feature: str,
    name: str,
    own: Sequence[_Task],
    usual_tasks: int,
    usual_nanousd: int,
    here: Pick,
    usual: Pick,
    *,
    before: str = "",
) -> Unit:
    dearest = max(own, key=lambda task: task.nanousd)
    return Unit(
        per=per,
        feature=feature,
        name=name,
        since_us=own[0].began_us,
        until_us=own[-1].began_us,
        tasks=len(own),
        usual_tasks=usual_tasks,
        cost_nanousd=sum(task.nanousd for task in own),
        usual_nanousd=usual_nanousd,
        dearest=dearest.task_id,
        dearest_nanousd=dearest.nanousd,
        here=here,
        usual=usual,
        is_pruned=any(task.is_pruned for task in own),
        before=before,
    )
