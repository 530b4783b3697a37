"""STL: the season is taken out robustly, the level goes on, and the season is put back (statsmodels' `STL`)."""

# statsmodels does not say its types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.models.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History

    Values = NDArray[np.float64]

_LONGEST: Final = 26
"""So many of the latest seasons are decomposed."""


def season_of(values: Values, season: int) -> Values:
    """The seasonal part of each bin, robust against single dear ones."""
    from statsmodels.tsa.seasonal import STL  # type: ignore[import-untyped]

    found = STL(values, period=season, seasonal=13, robust=True).fit(inner_iter=2, outer_iter=3)
    return np.asarray(found.seasonal, dtype=np.float64)


def _go_on(known: History, horizon: int, _: Values) -> Values:
    season = known.seasons[0]
    recent = known.last(_LONGEST * season)
    seasonal = season_of(recent, season)
    weights = (1 - 1.4 / season) ** np.arange(len(recent))[::-1]
    level = float(weights @ (recent - seasonal)) / float(weights.sum())
    return level + np.resize(seasonal[-season:], horizon)


STL: Final = Model("STL", lambda known: 3 * known.seasons[0], _go_on)
"""Loess of each bin of the season; the level is an exponentially weighted mean of what is left."""
