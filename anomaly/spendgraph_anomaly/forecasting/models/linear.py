"""The linear burn rate: it goes on as the window went so far, $30 by day 10 of 30 is $90."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.models.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History


def _go_on(known: History, horizon: int, _: NDArray[np.float64]) -> NDArray[np.float64]:
    recent = known.last(known.window or 4 * known.seasons[0])
    return np.full(horizon, recent.mean())


LINEAR: Final = Model("linear burn", lambda _: 1, _go_on)
"""The mean of the window so far; where no window is burnt down, of the last four seasons."""
