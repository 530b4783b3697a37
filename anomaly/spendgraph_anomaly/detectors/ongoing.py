"""The incident that goes on: what it has cost, when it was last told of, and when it is over."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

HOUR_US: Final = 3_600_000_000

QUIET_US: Final = 6 * HOUR_US
"""An incident is over when there was nothing of it for six hours."""

WORSE: Final = 1.5
"""How many times as unusual it must have become to be told of again."""

USUAL_US: Final = 7 * 86_400_000_000
"""What has gone on for a week is how it is now, and no incident any more."""


@dataclass(slots=True)
class Ongoing:
    """One incident, bin by bin.

    Attributes:
        began_us: When the bin began that raised the first alert.
        told_us: When that of the last alert began.
        seen_us: When that began which was last unusual.
        lost: Dollars above the expected so far, with what led to the first alert.
        surprise: The greatest surprise so far.
        told_surprise: The surprise it was last told of with.
        told_severity: The severity it was last told of with, as a place among `SEVERITIES`.
    """

    began_us: int
    told_us: int
    seen_us: int
    lost: float
    surprise: float
    told_surprise: float
    told_severity: int

    def go_on(self, start_us: int, excess: float, surprise: float, *, unusual: bool) -> None:
        """One more bin of it."""
        self.lost += max(excess, 0.0)
        self.surprise = max(self.surprise, surprise)
        if unusual:
            self.seen_us = start_us

    def tell(self, start_us: int, surprise: float, severity: int, resend_h: int) -> bool:
        """Whether an alert now is a message; then it counts as sent.

        It is, when none was sent within so many hours and the incident has become much more unusual than it was told, or more severe.
        """
        worse = surprise >= WORSE * self.told_surprise or severity > self.told_severity
        if resend_h and not (worse and start_us - self.told_us >= resend_h * HOUR_US):
            return False
        self.told_us, self.told_surprise, self.told_severity = start_us, surprise, severity
        return True

    def over(self, start_us: int) -> bool:
        """Whether it has ended, or has become how it is."""
        return start_us - self.seen_us >= QUIET_US or start_us - self.began_us >= USUAL_US

    def as_plain(self) -> dict[str, Any]:
        """Itself in what JSON has."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Self:
        """What `as_plain` gave."""
        return cls(**plain)
