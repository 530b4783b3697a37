"""What a detector is told: how unusual is too unusual, and from which dollars on it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from math import isfinite
from typing import Any, Literal, Self

Counts = Literal["money", "metric"]
"""What a series counts: money, of which only too much is an anomaly, or a metric, of which too little is one as well."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one detector judges. Every default is meant for dollars of spend.

    Attributes:
        counts: `money` is judged by the time of day and the weekday, upwards; a `metric` by rank among its past, on both sides.
        threshold: From which surprise on a bin is an alert; a surprise is `-ln` of how often the past had a bin as unusual, a mean over the scorers.
        rearm_h: For how many hours a surprise is no news where there was a greater one.
        resend_h: For how many hours nobody is told of the same incident again.
        least_excess: Dollars above the expected that an alert needs, in the window that is judged; less never pages.
        always_per_hour: Dollars above the expected within an hour that page whatever the score, unless an hour of the past
            came to as much; 0 is never.
        suspend_threshold: From which surprise on an incident may suspend who spends.
        suspend_lost: Dollars an incident must have lost before it may suspend.
        suspend_per_hour: Dollars an hour, within the last one, that it must be losing then.
        medium: Dollars of excess from which an incident is of medium severity.
        high: Dollars of excess from which it is of high severity.
        holidays: Days (of the detector's zone) that are expected to be like Sundays.
    """

    counts: Counts = "money"
    threshold: float = 2.8
    rearm_h: int = 48
    resend_h: int = 6
    least_excess: float = 1.0
    always_per_hour: float = 1000.0
    suspend_threshold: float = 3.5
    suspend_lost: float = 50.0
    suspend_per_hour: float = 20.0
    medium: float = 25.0
    high: float = 250.0
    holidays: frozenset[date] = field(default_factory=frozenset[date])

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ValueError: A number is negative or not finite, or `counts` is another word.
        """
        if self.counts not in ("money", "metric"):
            raise ValueError(f"counts is {self.counts!r}; it must be 'money' or 'metric'")
        for name in (
            "threshold",
            "rearm_h",
            "resend_h",
            "least_excess",
            "always_per_hour",
            "suspend_threshold",
            "suspend_lost",
            "suspend_per_hour",
            "medium",
            "high",
        ):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value!r}; it must be a finite number, 0 or more")

    @classmethod
    def for_any_metric(cls) -> Settings:
        """Settings for a series that is not money: both sides, and no rule that speaks of dollars."""
        return cls(
            counts="metric", threshold=6.3, rearm_h=24, resend_h=0, least_excess=0.0, always_per_hour=0.0
        )

    def as_plain(self) -> dict[str, Any]:
        """Themselves in what JSON has."""
        return asdict(self) | {"holidays": sorted(day.isoformat() for day in self.holidays)}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `as_plain` gave.

        Raises:
            ValueError: Something is not a setting, or not one that can be meant.
        """
        try:
            holidays = frozenset(date.fromisoformat(day) for day in plain["holidays"])
            rest = {name: value for name, value in plain.items() if name != "holidays"}
            return cls(**rest, holidays=holidays)
        except (TypeError, KeyError) as error:
            raise ValueError(f"these are no settings of a detector ({error}): {dict(plain)!r}") from error
