"""The seasonal naive: each season is as the last one was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.models.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History


def _day(known: History, horizon: int, _: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.resize(known.last(known.seasons[0]), horizon)


def _week(known: History, horizon: int, _: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.resize(known.last(known.seasons[-1]), horizon)


NAIVE: Final = Model("seasonal naive", lambda known: known.seasons[0], _day)
"""As the last week by day, as the last day by hour."""

NAIVE_WEEK: Final = Model("weekly naive", lambda known: known.seasons[-1], _week, rhythm="hour")
"""By hour as the last week."""
