"""Exponential smoothing with an additive season and no trend (statsmodels' `ETSModel`)."""

# statsmodels does not say its types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spendgraph_anomaly.forecasting.models.model import Clock, Model, TimeUpError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History

    Values = NDArray[np.float64]

_LONGEST: Final = 26
_STEPS: Final = 60


def ets(values: Values, season: int) -> Any:
    """The model of a series: additive error and season, no trend."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # type: ignore[import-untyped]

    return ETSModel(
        values, error="add", seasonal="add", seasonal_periods=season, initialization_method="heuristic"
    )


def _learn(known: History, clock: Clock) -> Values:
    model = ets(known.last(_LONGEST * known.seasons[0]), known.seasons[0])
    try:
        found = model.fit(disp=False, maxiter=_STEPS, callback=clock)
    except TimeUpError:
        assert clock.found is not None
        return clock.found
    return np.asarray(found.params, dtype=np.float64)


def _go_on(known: History, horizon: int, parameters: Values) -> Values:
    model = ets(known.last(_LONGEST * known.seasons[0]), known.seasons[0])
    return np.asarray(model.smooth(parameters).forecast(horizon), dtype=np.float64)


ETS: Final = Model("ETS", lambda known: max(4 * known.seasons[0], 20), _go_on, _learn)
"""ETS(A,N,A)."""
