"""Judgements put together into incidents: one for each thing that happened, however many alerts it raised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from spendgraph_anomaly.detectors.judgement import SEVERITIES, Judgement, Kind, Severity


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to a series.

    Attributes:
        start_us: When the bin began that raised the first alert.
        end_us: When the first bin began that was usual again; none while it goes on.
        excess: Dollars above the expected, of all its bins and of what led to the first alert.
        score: The highest of its scores.
        kind: What was unusual when it was first seen.
        severity: The highest of its severities.
        alerts: How many alerts it raised.
        may_suspend: Whether one of its bins allowed to suspend who spends.
    """

    start_us: int
    end_us: int | None
    excess: float
    score: float
    kind: Kind
    severity: Severity
    alerts: int = 1
    may_suspend: bool = False


def incidents(judgements: Iterable[Judgement]) -> list[Incident]:
    """The incidents of a series, first to last.

    Args:
        judgements: What a detector said of the series' bins, in their order.
    """
    found: list[Incident] = []
    open_now: Incident | None = None
    for each in judgements:
        if not each.ongoing:
            if open_now is not None:
                found.append(replace(open_now, end_us=each.start_us))
                open_now = None
            continue
        if open_now is None:
            open_now = Incident(each.start_us, None, each.lost, each.score, each.kind, each.severity, 0)
        open_now = replace(
            open_now,
            excess=each.lost,
            score=max(open_now.score, each.score),
            severity=max(open_now.severity, each.severity, key=SEVERITIES.index),
            alerts=open_now.alerts + each.alert,
            may_suspend=open_now.may_suspend or each.may_suspend,
        )
    return found if open_now is None else [*found, open_now]
