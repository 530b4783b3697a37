"""What the policy says of a cut, as a detector is told it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from spendgraph_anomaly.detectors import Settings

if TYPE_CHECKING:
    from spendgraph.policy import Watch, WatchCut

_UNUSUAL: Final = {"low": 1.3, "normal": 1.0, "high": 0.75}
"""How many times as surprising as usual a bin must be."""


def settings_of(cut: WatchCut, watch: Watch) -> Settings:
    """What the detectors of a cut are set to.

    They say how sure they are that somebody is to be stopped; with how many dollars, and how fast, is for the watch to say.
    """
    usual = Settings()
    return replace(
        usual,
        threshold=usual.threshold * _UNUSUAL[cut.sensitivity],
        least_excess=float(cut.min_usd),
        suspend_threshold=usual.suspend_threshold * _UNUSUAL[cut.sensitivity],
        suspend_lost=0.0,
        suspend_per_hour=0.0,
        holidays=frozenset(watch.holidays),
    )
