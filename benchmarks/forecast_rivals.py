"""The forecasts of `statsforecast`, which are measured beside where it is installed."""

# statsforecast does not say its types, and is there for benchmarks only.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import warnings
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def rivals(before: Values, seasons: tuple[int, ...], ahead: int) -> dict[str, Values]:
    """What AutoETS, AutoARIMA and MSTL say of the bins ahead; nothing where they are not installed."""
    if find_spec("statsforecast") is None:
        return {}
    from statsforecast.models import (  # type: ignore[import-not-found,unused-ignore]
        MSTL,
        AutoARIMA,
        AutoETS,
    )

    models = {
        "AutoETS": AutoETS(season_length=seasons[0]),
        "AutoARIMA": AutoARIMA(season_length=seasons[0], approximation=True, nmodels=30),
        "MSTL": MSTL(season_length=list(seasons)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hundreds of searches that did not converge
        return {
            name: np.asarray(model.forecast(y=before, h=ahead)["mean"], dtype=np.float64)
            for name, model in models.items()
        }
