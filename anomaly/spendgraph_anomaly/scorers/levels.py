"""The numbers a series that is not money is judged by: its bins and its hours as they are, on both sides."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.scorers.past import Past

Floats = NDArray[np.float64]


class Levels:
    """The last bin and the mean of the last hour, and both with their signs turned.

    It knows no season: of machines and tweets a plain rank among all that was before says more.

    Args:
        every_s: Seconds of a bin.
    """

    def __init__(self, every_s: int) -> None:
        self._hour: Final = max(1, round(3600 / every_s))

    def numbers(self, past: Past, value: float) -> Floats:
        """What the newest bin of `past` is judged by: upwards two numbers, downwards two."""
        hour = past.mean(self._hour)
        return np.array([value, hour, -value, -hour])
