"""The watch: spending scored as it comes, incidents attended to, and what people say of them."""

from __future__ import annotations

from spendgraph_anomaly.watching.attending import News
from spendgraph_anomaly.watching.cuts import Cut, Suspension, cuts_of
from spendgraph_anomaly.watching.muting import expected_mute, mute_of, noise_mute
from spendgraph_anomaly.watching.watch import CutWatch, Look
from spendgraph_anomaly.watching.wording import notice_of, sentences

__all__ = [
    "Cut",
    "CutWatch",
    "Look",
    "News",
    "Suspension",
    "cuts_of",
    "expected_mute",
    "mute_of",
    "noise_mute",
    "notice_of",
    "sentences",
]
