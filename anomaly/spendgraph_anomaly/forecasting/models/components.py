"""Unobserved components: a level that wanders and a season that changes, of the logarithm (`UnobservedComponents`)."""

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
_STEPS: Final = 40
_FLOOR: Final = 1e-3
"""So much of the mean is added to every bin, so that one of nothing has a logarithm."""


def _model(known: History) -> tuple[Any, float]:
    from statsmodels.tsa.statespace import structural  # type: ignore[import-untyped]

    season = known.seasons[0]
    recent = known.last(_LONGEST * season)
    if recent.min() < 0 or recent.max() <= 0:
        raise ValueError("a logarithm needs amounts above 0")
    floor = _FLOOR * float(recent.mean())
    make: Any = structural.UnobservedComponents
    model = make(
        np.log(recent + floor),
        "llevel",
        freq_seasonal=[{"period": season, "harmonics": 3}],
        stochastic_freq_seasonal=[True],
    )
    return model, floor


def _learn(known: History, clock: Clock) -> Values:
    model, _ = _model(known)
    try:
        found = model.fit(disp=False, maxiter=_STEPS, callback=clock)
    except TimeUpError:
        assert clock.found is not None
        return np.asarray(model.transform_params(clock.found), dtype=np.float64)
    return np.asarray(found.params, dtype=np.float64)


def _go_on(known: History, horizon: int, parameters: Values) -> Values:
    model, floor = _model(known)
    ahead = model.smooth(parameters).forecast(horizon)
    return np.exp(np.asarray(ahead, dtype=np.float64)) - floor


COMPONENTS: Final = Model(
    "unobserved components", lambda known: 4 * known.seasons[0], _go_on, _learn, rhythm="day"
)
"""By day; by hour its filter takes longer than a fit may."""
