"""From judgement to judgement: where an incident of a series begins, how it goes on, and when it is over.

What goes on is a small document, kept beside the detector's state: whoever comes after a restart takes it up where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from spendgraph.ledger.incidents import IncidentRow, Severity, incident_id, is_worse

if TYPE_CHECKING:
    from spendgraph_anomaly.detectors import Judgement
    from spendgraph_anomaly.series import Every


@dataclass(slots=True)
class Open:
    """An incident that goes on.

    Attributes:
        start_us: The start of the bin that raised the first alert.
        until_us: The end of its last bin.
        kind: How the bin with the highest score stood out.
        severity: The worst of its bins.
        score: The highest.
        expected_nanousd: What is usual in its bins.
        observed_nanousd: What they came to.
        excess_nanousd: What it has cost beyond what is usual, and what led to its first alert with it.
        may_suspend: Whether its detector is sure enough to stop somebody.
    """

    start_us: int
    until_us: int
    kind: str
    severity: Severity
    score: float
    expected_nanousd: int
    observed_nanousd: int
    excess_nanousd: int
    may_suspend: bool

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self | None:
        """What was written down; `None` for an empty document."""
        return cls(**document) if document else None

    def document(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)


class Tracker:
    """Follows the judgements of one series, bin after bin.

    Args:
        open_: The incident that goes on.
    """

    def __init__(self, open_: Open | None) -> None:
        self.open = open_
        self.ended: list[Open] = []

    def add(self, judgement: Judgement, end_us: int, observed_nanousd: int) -> None:
        """Take the judgement of the next bin.

        Args:
            judgement: What the detector says of it.
            end_us: When the bin ends.
            observed_nanousd: What it came to, exactly.
        """
        if not judgement.ongoing:
            if self.open is not None:
                self.ended.append(self.open)
                self.open = None
            return
        # The observed amount is the ledger's, to the nano-dollar; what is usual is the detector's, rounded.
        expected, excess = round(judgement.expected * 1e9), round(judgement.lost * 1e9)
        if self.open is None:
            kind, severity, score = judgement.kind, judgement.severity, judgement.score
            self.open = Open(
                judgement.start_us,
                end_us,
                kind,
                severity,
                score,
                expected,
                observed_nanousd,
                excess,
                judgement.may_suspend,
            )
            return
        found = self.open
        found.until_us = end_us
        found.expected_nanousd += expected
        found.observed_nanousd += observed_nanousd
        found.excess_nanousd = excess
        found.may_suspend = judgement.may_suspend
        if is_worse(judgement.severity, found.severity):
            found.severity = judgement.severity
        if judgement.score > found.score:
            found.score, found.kind = judgement.score, judgement.kind


def row_of(
    found: Open, watch: str, tags: Mapping[str, str], scope: str, every: Every, now_us: int, *, is_over: bool
) -> IncidentRow:
    """The row of the ledger that an incident becomes."""
    return IncidentRow(
        incident_id=incident_id(watch, scope, found.start_us),
        watch=watch,
        scope=scope,
        tags=json.dumps(dict(tags)),
        every=every,
        kind=found.kind,
        severity=found.severity,
        score=found.score,
        start_us=found.start_us,
        until_us=found.until_us,
        end_us=found.until_us if is_over else None,
        expected_nanousd=found.expected_nanousd,
        observed_nanousd=found.observed_nanousd,
        excess_nanousd=found.excess_nanousd,
        may_suspend=int(found.may_suspend),
        found_us=now_us,
    )
