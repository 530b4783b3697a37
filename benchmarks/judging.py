"""What a detector finds in cases with incidents, at which false alarms; every number here is of scores and alerts that were made causally.

An incident is found by the first alert in its window. A false alarm is a notification outside of it: the first alert, and then one at most every six hours for as long
as alerts go on. What was spent until an alert includes the bin it came with, for a bin is judged when it is over; of an incident that was never found it is everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from incidents import KINDS, Case, Kind
from nab import Flags, Floats, Ints

RESEND_S: Final = 6 * 3600
WEEK_S: Final = 7 * 86_400


class Scores(NamedTuple):
    """What a detector says of a series, a number and a flag for each bin."""

    score: Floats
    """The higher the more unusual; what is swept."""
    alert: Flags
    """What the detector calls an alert itself, at its own threshold."""


class Judged(Protocol):
    """What a streaming detector says of one bin."""

    @property
    def score(self) -> float: ...  # noqa: D102
    @property
    def alert(self) -> bool: ...  # noqa: D102


class Streaming(Protocol):
    """A detector of one series that is given its bins in order."""

    def observe(self, start_us: int, value: float, /) -> Judged: ...  # noqa: D102


Scorer = Callable[[Ints, Floats, int], Scores]
"""Scores a whole series: when its bins begin, their values, seconds of a bin. A bin's score knows nothing of later ones."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector found.

    Attributes:
        found: Share of the incidents.
        by_kind: The same, by kind.
        gone: Share of an incident's dollars that was gone at the first alert, on average.
        false_alarms: Per week of a series.
        threshold: At which score; none is what the detector itself calls an alert.
    """

    found: float
    by_kind: dict[Kind, float]
    gone: float
    false_alarms: float
    threshold: float | None


def streamed(make: Callable[[int], Streaming]) -> Scorer:
    """A scorer of what makes a new detector for bins of so many seconds."""

    def score(starts_us: Ints, values: Floats, every_s: int) -> Scores:
        detector = make(every_s)
        said = [
            detector.observe(start, value)
            for start, value in zip(starts_us.tolist(), values.tolist(), strict=True)
        ]
        return Scores(np.array([each.score for each in said]), np.array([each.alert for each in said]))

    return score


def score_cases(scorer: Scorer, cases: Sequence[Case]) -> tuple[list[Scores], float]:
    """Score every case; and seconds of CPU a bin."""
    begun = time.process_time()
    scores = [scorer(case.starts_us, case.values, case.every_s) for case in cases]
    return scores, (time.process_time() - begun) / sum(len(case.values) for case in cases)


def at_own_threshold(cases: Sequence[Case], scores: Sequence[Scores]) -> Found:
    """What is found by what the detector calls an alert itself."""
    return _found(cases, [each.alert for each in scores], None)


def at_most(cases: Sequence[Case], scores: Sequence[Scores], false_alarms: float = 0.5) -> Found:
    """What is found at the lowest single threshold that has no more false alarms per series-week than that.

    It is the best case of any detector: the threshold was chosen on the very cases it is judged on.
    """
    pooled = np.unique(
        np.concatenate([each.score[case.judged_from :] for case, each in zip(cases, scores, strict=True)])
    )
    too_low, high_enough = -1, len(pooled)
    while high_enough - too_low > 1:
        middle = (too_low + high_enough) // 2
        alerts = [each.score >= pooled[middle] for each in scores]
        if false_alarm_rate(cases, alerts) <= false_alarms:
            high_enough = middle
        else:
            too_low = middle
    threshold = float(pooled[high_enough]) if high_enough < len(pooled) else float("inf")
    return _found(cases, [each.score >= threshold for each in scores], threshold)


def false_alarm_rate(cases: Sequence[Case], alerts: Sequence[Flags]) -> float:
    """Notifications outside of incidents, per week of a series outside of incidents."""
    count = 0
    judged_s = 0
    for case, alert in zip(cases, alerts, strict=True):
        outside = alert.copy()
        outside[: case.judged_from] = False
        bins = len(alert) - case.judged_from
        if case.kind is not None:
            outside[case.first : case.last + 1] = False
            bins -= case.last + 1 - case.first
        count += notifications(outside, case.every_s)
        judged_s += bins * case.every_s
    return count * WEEK_S / judged_s


def notifications(alert: Flags, every_s: int) -> int:
    """How many messages so many alerts are, when one is sent at most every six hours."""
    count = 0
    silent_until = -1
    for place in np.flatnonzero(alert).tolist():
        if place >= silent_until:
            count += 1
            silent_until = place + RESEND_S // every_s
    return count


def _found(cases: Sequence[Case], alerts: Sequence[Flags], threshold: float | None) -> Found:
    caught: dict[Kind, list[bool]] = {kind: [] for kind in KINDS}
    gone: list[float] = []
    for case, alert in zip(cases, alerts, strict=True):
        if case.kind is None:
            continue
        places = np.flatnonzero(alert[case.first : case.last + 1])
        caught[case.kind].append(len(places) > 0)
        spent = case.incident[: case.first + int(places[0]) + 1].sum() if len(places) else case.incident.sum()
        gone.append(float(spent / case.incident.sum()))
    every = [found for kind in KINDS for found in caught[kind]]
    return Found(
        found=float(np.mean(every)) if every else float("nan"),
        by_kind={kind: float(np.mean(found)) for kind, found in caught.items() if found},
        gone=float(np.mean(gone)) if gone else float("nan"),
        false_alarms=false_alarm_rate(cases, alerts),
        threshold=threshold,
    )
