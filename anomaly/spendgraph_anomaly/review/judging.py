"""Every cut judged bin by bin, as the watch would have judged it then: by its past alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.detectors import Detector, incidents
from spendgraph_anomaly.review.bounds import stretched
from spendgraph_anomaly.review.merging import Alarm, Judged
from spendgraph_anomaly.series import SECONDS
from spendgraph_reports.period import DAY_US

if TYPE_CHECKING:
    from spendgraph_anomaly.detectors import Incident, Judgement, Settings
    from spendgraph_anomaly.review.cuts import Cuts, Tags

WARM_UP_US: Final = 35 * DAY_US
"""Detectors learn from so much of the time before a period: five weeks."""

_NANO: Final = 1e9


class Judge:
    """What detectors say of cuts; each cut is judged once, when it is first asked about.

    Args:
        cuts: The cuts, with the time before the period from which detectors learn what is usual.
        settings: How unusual is too unusual, and from which dollars on it matters.
        since_us: When the period begins: what stood out before it is not told.
    """

    def __init__(self, cuts: Cuts, settings: Settings, since_us: int) -> None:
        self._cuts = cuts
        self._settings = settings
        self._first = int(np.searchsorted(cuts.starts_us, since_us))
        self._judged: dict[frozenset[tuple[str, str]], tuple[Judged, list[Alarm]]] = {}
        self.too_new: list[Tags] = []

    def judged(self, tags: Tags) -> Judged:
        """What a cut came to, and what was to be expected."""
        return self._of(tags)[0]

    def alarms(self, cuts: Iterable[Tags], least_nanousd: int) -> list[Alarm]:
        """What stood out of some cuts in the period.

        A cut that came to less than so much in it was never that much too dear: it is not judged, which saves most of the time.
        """
        return [
            alarm
            for tags in cuts
            if self._cuts.values(tags)[self._first :].sum() >= least_nanousd
            for alarm in self._of(tags)[1]
        ]

    def _of(self, tags: Tags) -> tuple[Judged, list[Alarm]]:
        key = frozenset(tags.items())
        if key not in self._judged:
            self._judged[key] = self._judge(tags)
        return self._judged[key]

    def _judge(self, tags: Tags) -> tuple[Judged, list[Alarm]]:
        observed = self._cuts.values(tags)
        expected = np.zeros(len(observed), dtype=np.int64)
        spent = np.flatnonzero(observed)
        if not len(spent):
            return Judged(observed, expected), []
        first = int(spent[0])  # a payer who is new has no past in which nothing was spent
        every_s = SECONDS[self._cuts.every]
        detector = Detector(every_s, self._cuts.zone, self._settings)
        said: list[Judgement] = [
            detector.observe(int(start_us), int(nanousd) / _NANO)
            for start_us, nanousd in zip(self._cuts.starts_us[first:], observed[first:], strict=True)
        ]
        expected[first:] = np.rint(np.array([each.expected for each in said]) * _NANO).astype(np.int64)
        if said[-1].abstained:
            self.too_new.append(tags)
        found = incidents(said)
        day = round(86_400 / every_s)
        usual, stretches = stretched(
            observed, expected, [self._bins(each) for each in found], first, self._first, day
        )
        alarms = [
            Alarm(
                tags,
                begin,
                end,
                each.kind,
                each.severity,
                is_open=each.end_us is None and end == len(observed),
            )
            for each, (begin, end) in zip(found, stretches, strict=True)
            if begin < end
        ]
        return Judged(observed, usual), alarms

    def _bins(self, incident: Incident) -> tuple[int, int]:
        starts = self._cuts.starts_us
        last = len(starts) if incident.end_us is None else int(np.searchsorted(starts, incident.end_us))
        return int(np.searchsorted(starts, incident.start_us)), last
