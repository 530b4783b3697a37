"""Regression on the bins before: of the last hours, of yesterday and of a week ago (statsmodels' `AutoReg`)."""

# statsmodels does not say its types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.models.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History

    Values = NDArray[np.float64]

_LONGEST: Final = {7: 364, 24: 1_344}
"""So many of the latest bins it learns from, by the length of the season."""

_LAGS: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    7: ((1, 2, 3, 4, 5, 6, 7, 14, 21, 28), (1, 2, 3, 4, 5, 6, 7), (1, 7)),
    24: (
        (1, 2, 3, 4, 5, 6, 12, 23, 24, 25, 26, 47, 48, 49, 72, 96, 120, 144, 167, 168, 169),
        (1, 2, 3, 24, 25),
    ),
}
"""Which bins before it looks at, by the length of the season: the first set that a history is long enough for."""

_ROWS: Final = 8
"""So many rows for each coefficient, and one more."""


def lags_of(known: History) -> tuple[int, ...]:
    """The bins before that a history is long enough for; none where it is too short."""
    count = len(known.last(_LONGEST.get(known.seasons[0], 1_000)))
    sets = _LAGS.get(known.seasons[0], ((1, 2, known.seasons[0]),))
    return next((lags for lags in sets if count - lags[-1] >= _ROWS * (len(lags) + 1)), ())


def sees_weeks(known: History) -> bool:
    """Whether a history by the hour is long enough to learn what a week ago says."""
    return known.seasons[0] == 24 and 168 in lags_of(known)


def _go_on(known: History, horizon: int, _: Values, *, logs: bool) -> Values:
    from statsmodels.tsa.ar_model import AutoReg  # type: ignore[import-untyped]

    recent = known.last(_LONGEST.get(known.seasons[0], 1_000))
    lags = lags_of(known)
    if not lags:
        raise ValueError(f"{len(recent)} bins are too few for a regression")
    floor = 0.0
    if logs:
        if recent.min() < 0 or recent.max() <= 0:
            raise ValueError("a logarithm needs amounts above 0")
        floor = 0.05 * float(recent.mean()) if recent.min() <= 0 else 0.0
        recent = np.log(recent + floor)
    spread = float(recent.std()) or 1.0
    middle = float(recent.mean())
    fitted = AutoReg((recent - middle) / spread, list(lags), trend="c").fit()
    ahead = np.asarray(fitted.forecast(horizon), dtype=np.float64) * spread + middle
    ahead = np.clip(ahead, recent.min() - spread, recent.max() + spread)
    return np.exp(ahead) - floor if logs else ahead


def _least(known: History) -> int:
    shortest = _LAGS.get(known.seasons[0], ((1, 2, known.seasons[0]),))[-1]
    return shortest[-1] + _ROWS * (len(shortest) + 1)


AUTOREGRESSION: Final = Model("autoregression", _least, partial(_go_on, logs=False))
"""Of the amounts."""

LOG_AUTOREGRESSION: Final = Model("log autoregression", _least, partial(_go_on, logs=True))
"""Of their logarithms: what moves by shares."""
