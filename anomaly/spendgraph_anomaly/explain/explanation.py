"""The explanation of an incident: who spent the excess, in which tasks, and what changed; in numbers and in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from spendgraph_anomaly.explain.changes import Change
from spendgraph_reports.amounts import counted, dollars, percent
from spendgraph_reports.period import DAY_US, Period
from spendgraph_reports.report import UNNAMED

LEAST_SHARE: Final = 0.05
"""The part of an excess from which a change is said."""


class SampleTask(NamedTuple):
    """One of the dearest tasks.

    Attributes:
        task_id: Which.
        cost_nanousd: What its steps in the period and in the cut cost.
        steps: How many they are.
    """

    task_id: str
    cost_nanousd: int
    steps: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What carries an excess.

    Attributes:
        tags: The combination of tags, as specific as the data says; none where everything moved, or nothing did.
        excess_nanousd: What it came to beyond what was expected; less than 0 where it was less.
        share: Of the excess of everything that was asked about; 1 is all of it, and it can be more, where something else fell.
        observed_nanousd: What the combination came to.
        expected_nanousd: What it came to in the baseline, the mean of its periods.
        total_excess_nanousd: The excess of everything that was asked about.
        period: When.
        baseline: What it is compared with; without any, nothing was expected.
        new: Of `tags`, the versions that all of it has and nothing had in the baseline; what versions before them cost is expected of them.
        sample_tasks: The dearest tasks of the combination; none where its steps were pruned.
        changes: What changed in it; they add up to `excess_nanousd`.
        others: Further causes at the same time; steps that two of them have in common are in both.
    """

    tags: Mapping[str, str]
    excess_nanousd: int
    share: float
    observed_nanousd: int
    expected_nanousd: int
    total_excess_nanousd: int
    period: Period
    baseline: tuple[Period, ...]
    new: Mapping[str, str] = field(default_factory=dict[str, str])
    sample_tasks: tuple[SampleTask, ...] = ()
    changes: tuple[Change, ...] = ()
    others: tuple[Explanation, ...] = field(default=())

    def sentences(self) -> tuple[str, ...]:
        """The same for people, most important first."""
        if not self.total_excess_nanousd:
            return ("What was spent is what was expected.",)
        direction = "more" if self.total_excess_nanousd > 0 else "less"
        said = [f"{dollars(abs(self.total_excess_nanousd))} {direction} was spent than {_baseline(self)}."]
        for each in (self, *self.others):
            said += _of_cut(each)
        return tuple(said)

    def as_plain(self) -> dict[str, Any]:
        """The same in what JSON has."""
        return {
            "tags": dict(self.tags),
            "excess_nanousd": self.excess_nanousd,
            "share": self.share,
            "observed_nanousd": self.observed_nanousd,
            "expected_nanousd": self.expected_nanousd,
            "total_excess_nanousd": self.total_excess_nanousd,
            "since": self.period.since,
            "until": self.period.until,
            "baseline": [{"since": each.since, "until": each.until} for each in self.baseline],
            "new": dict(self.new),
            "sample_tasks": [task._asdict() for task in self.sample_tasks],
            "changes": [change._asdict() for change in self.changes],
            "others": [other.as_plain() for other in self.others],
            "sentences": list(self.sentences()),
        }


def named(tags: Mapping[str, str]) -> str:
    """A combination of tags for people.

    >>> named({"feature": "search", "cost_center": ""})
    'feature search, cost center (none)'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value or UNNAMED}" for name, value in tags.items())


def _baseline(found: Explanation) -> str:
    if not found.baseline:
        return "nothing, for the ledger knows no such hours before"
    first, period = found.baseline[0], found.period
    assert period.since_us is not None
    assert first.since_us is not None
    days = round((period.since_us - first.since_us) / DAY_US)
    weeks, rest = divmod(days, 7)
    unit = counted(days, "day") if rest else counted(weeks, "week")
    if len(found.baseline) == 1:
        return f"in the same hours {unit} before"
    count = len(found.baseline)
    if days in {1, 7}:
        return f"on average in the same hours of the {count} past {'days' if days == 1 else 'weeks'}"
    return f"on average in the {count} times {unit} before"


def _of_cut(found: Explanation) -> Iterator[str]:
    old = {name: value for name, value in found.tags.items() if name not in found.new}
    who = named(old or found.tags) or "Everything together"
    is_new = not found.expected_nanousd
    yield (
        f"{who}: {dollars(found.observed_nanousd)}"
        f"{' where nothing was spent before' if is_new else f' where {dollars(found.expected_nanousd)} is usual'}"
        f", which is {percent(found.share)} of the difference."
    )
    if found.new and old:
        yield f"All of it is of {named(found.new)}, which is new."
    said = [
        text
        for change in sorted(found.changes, key=lambda change: -abs(change.nanousd))
        if abs(change.nanousd) >= LEAST_SHARE * abs(found.excess_nanousd) and (text := _change(change))
    ]
    if said:
        yield f"What changed there: {'; '.join(said)}."
    if found.sample_tasks:
        first = found.sample_tasks[0]
        yield (
            f"The dearest task there is {first.task_id}: {dollars(first.cost_nanousd)} in {counted(first.steps, 'step')}."
        )


def _change(change: Change) -> str:
    amount = f"{'+' if change.nanousd >= 0 else '-'}{dollars(abs(change.nanousd))}"
    if change.part == "calls":
        return f"{change.now:,.0f} calls instead of {_count(change.before)} ({amount})"
    if change.part == "models":
        if not change.what:
            return f"other models or tools ({amount})"
        return f"{change.what} has {percent(change.now)} of the calls instead of {percent(change.before)} ({amount})"
    if change.part == "tokens per call":
        return f"{change.now:,.0f} tokens a call instead of {change.before:,.0f} ({amount})"
    if change.part == "cache":
        return f"{percent(change.now)} of the input from the prompt cache instead of {percent(change.before)} ({amount})"
    return f"other prices for the same: ${change.now:,.2f} a million tokens instead of ${change.before:,.2f}, all changes together ({amount})"


def _count(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 or count == round(count) else f"{count:,.1f}"
