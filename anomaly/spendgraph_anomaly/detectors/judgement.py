"""What a detector says of one bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal["none", "spike", "off-hours", "shift", "drift", "velocity", "drop"]
"""What is unusual most: nothing; the last hours; hours in which there hardly ever was any; many hours, or a whole weekday; many hours, each a little; dollars an hour;
too little of a metric."""

Severity = Literal["low", "medium", "high"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One bin, judged by what was before it.

    Attributes:
        start_us: When the bin begins, microseconds since 1970 UTC.
        observed: What it came to.
        expected: What it was expected to come to.
        excess: Observed less expected.
        score: 0 to 1: how unlikely news of this size is within six hours; 0 as well where it is no news, because the last days had a greater surprise.
        kind: What is unusual.
        severity: By the dollars of the incident so far.
        alert: Whether somebody is to be told now.
        abstained: Why nothing can be said yet; empty where it can.
        may_suspend: Whether score, dollars lost and dollars an hour all allow to suspend who spends.
        surprise: `-ln` of how often six hours of the past were as unusual as this bin, news or not.
        ongoing: Whether the bin belongs to an incident: an alert was raised, and what raised it has not ended.
        lost: Dollars of the incident so far, above the expected.
    """

    start_us: int
    observed: float
    expected: float
    excess: float
    score: float
    kind: Kind
    severity: Severity
    alert: bool
    abstained: str
    may_suspend: bool
    surprise: float = 0.0
    ongoing: bool = False
    lost: float = 0.0
