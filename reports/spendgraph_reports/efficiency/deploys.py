"""Deploys: what each task of a version cost, and which version came after which."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from spendgraph_reports.calls import bounds

if TYPE_CHECKING:
    import numpy.typing as npt

    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

Tag = Literal["version", "template_version"]

Subject = tuple[str, ...]
"""What has versions: a feature, or a feature's template."""

_UNFINISHED: Final = frozenset({"running", "paused"})
_STOPPED: Final = "refused"

# A task's templates cost apart; what a template cost in a task is of the version that the task used of it last. All of a task
# counts, though it goes on after the period, and nothing of one that began before.
_TEMPLATES: Final = """\
SELECT s.task_id, c.feature, c.template, arg_max(c.template_version, s.seq) AS version, any_value(c.tenant) AS tenant,
  sum(s.cost_nanousd)::BIGINT AS cost_nanousd, min(s.started_us) AS first_started_us, any_value(coalesce(t.status, '')) AS status
FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id LEFT JOIN tasks AS t ON t.task_id = s.task_id
WHERE c.template_version <> '' AND s.started_us >= getvariable('since_us')
  AND coalesce(t.started_us, s.started_us) >= getvariable('since_us')
GROUP BY s.task_id, c.feature, c.template HAVING min(s.started_us) < getvariable('until_us')"""


class Task(NamedTuple):
    """One task of a subject, and what it cost there."""

    task_id: str
    subject: Subject
    version: str
    tenant: str
    started_us: int
    cost_nanousd: int
    status: str
    template: str


class Version:
    """What the tasks of one version cost, by tenant.

    Attributes:
        name: The version.
        tasks: How many have ended.
        started_us: The sum of their starts, in microseconds.
        templates: The versions of the template that they were opened with.
    """

    __slots__ = ("_costs", "name", "started_us", "tasks", "templates")

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks = self.started_us = 0
        self.templates: set[str] = set()
        self._costs: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))

    def add(self, task: Task) -> None:
        """Count a task."""
        self._costs[task.tenant].append(task.cost_nanousd)
        self.tasks += 1
        self.started_us += task.started_us
        if task.template:
            self.templates.add(task.template)

    @property
    def age(self) -> float:
        """When its tasks started on average: the newer version has the later ones, whenever its first one came."""
        return self.started_us / self.tasks

    def costs(self) -> dict[str, npt.NDArray[np.float64]]:
        """What each task cost in nano-USD, by tenant."""
        return {
            tenant: np.frombuffer(costs, dtype=np.int64).astype(float)
            for tenant, costs in self._costs.items()
        }


class Deploys:
    """The versions of everything that had tasks in a period.

    Attributes:
        versions: By subject and name.
        starts: When the tasks of each subject started, in no order.
        last_us: When the last of all started.
        unfinished: Ids of tasks left out: they run or wait, and cost more yet.
        stopped: Ids of tasks left out: a budget stopped them, so that they cost less than they would have.
    """

    def __init__(self) -> None:
        self.versions: defaultdict[Subject, dict[str, Version]] = defaultdict(dict)
        self.starts: defaultdict[Subject, array[int]] = defaultdict(lambda: array("q"))
        self.last_us = 0
        self.unfinished: set[str] = set()
        self.stopped: set[str] = set()

    def add(self, task: Task) -> None:
        """Count a task, if it is one that can be compared."""
        self.starts[task.subject].append(task.started_us)
        self.last_us = max(self.last_us, task.started_us)
        if task.status in _UNFINISHED:
            self.unfinished.add(task.task_id)
        elif task.status == _STOPPED:
            self.stopped.add(task.task_id)
        else:
            versions = self.versions[task.subject]
            version = versions.get(task.version) or versions.setdefault(task.version, Version(task.version))
            version.add(task)

    def pair(self, subject: Subject, before: str | None, after: str | None) -> tuple[Version, Version] | None:
        """The two versions to compare: those that are named, else the newest and the one before it.

        Returns:
            `None` where the subject did not have both.
        """
        versions = self.versions[subject]
        ordered = sorted(versions.values(), key=lambda version: version.age)
        if after is not None:
            new = versions.get(after)
        else:
            new = next((version for version in reversed(ordered) if version.name != before), None)
        if new is None:
            return None
        if before is not None:
            old = versions.get(before)
        else:
            old = next((each for each in reversed(ordered[: ordered.index(new)])), None)
        return None if old is None or old is new else (old, new)


def read_deploys(books: Books, period: Period, tag: Tag, features: Sequence[str]) -> Deploys:
    """The tasks that started in a period, by the versions that their context or templates had.

    Args:
        books: The ledger.
        period: Tasks by the start of their first step.
        tag: `version`, which a task has one of, or `template_version`, of each template in a task.
        features: Only these; all, when none are given.
    """
    found = Deploys()
    for task in _tasks(books, period, features) if tag == "version" else _templates(books, period, features):
        found.add(task)
    return found


def _tasks(books: Books, period: Period, features: Sequence[str]) -> Iterator[Task]:
    names = (
        "task_id",
        "feature",
        "version",
        "tenant",
        "first_started_us",
        "cost_nanousd",
        "status",
        "template_version",
    )
    wanted: dict[str, Any] = {"feature": list(features)} if features else {}
    for row in books.reader.tasks_rolled(names, since=period.since_us, until=period.until_us, **wanted):
        if row["version"]:
            task_id, feature, *rest = (row[name] for name in names)
            yield Task(task_id, (feature,), *rest)


def _templates(books: Books, period: Period, features: Sequence[str]) -> Iterator[Task]:
    for row in books.stream(_TEMPLATES, **bounds(period)):
        if not features or row["feature"] in features:
            yield Task(
                row["task_id"],
                (row["feature"], row["template"]),
                row["version"],
                row["tenant"],
                row["first_started_us"],
                row["cost_nanousd"],
                row["status"],
                "",
            )
