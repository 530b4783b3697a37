"""The family of models: each one small file, all with the same two doors, to learn and to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from spendgraph_anomaly.forecasting.models.autoregression import (
    AUTOREGRESSION,
    LOG_AUTOREGRESSION,
    sees_weeks,
)
from spendgraph_anomaly.forecasting.models.components import COMPONENTS
from spendgraph_anomaly.forecasting.models.decomposed import STL
from spendgraph_anomaly.forecasting.models.history import DAYS, HOURS, History, history
from spendgraph_anomaly.forecasting.models.linear import LINEAR
from spendgraph_anomaly.forecasting.models.model import SECONDS, Attempt, Clock, Model, attempt, suits
from spendgraph_anomaly.forecasting.models.naive import NAIVE, NAIVE_WEEK
from spendgraph_anomaly.forecasting.models.profile import BURN, MEDIAN, PROFILE
from spendgraph_anomaly.forecasting.models.smoothing import ETS

FAMILY: Final = (
    MEDIAN,
    STL,
    NAIVE_WEEK,
    PROFILE,
    COMPONENTS,
    LOG_AUTOREGRESSION,
    AUTOREGRESSION,
    BURN,
    NAIVE,
    ETS,
    LINEAR,
)
"""All of them, in the order in which they are trusted unseen."""

_REGRESSIONS: Final = (AUTOREGRESSION, LOG_AUTOREGRESSION)

PLAIN: Final = (PROFILE, LINEAR)
"""Those that take a millisecond, for the many cuts that hardly spend anything."""

QUICK: Final = (MEDIAN, STL, NAIVE_WEEK, PROFILE, BURN, NAIVE, LINEAR)
"""Those that search for nothing: a hundred cuts are forecast in seconds, and by day hardly worse."""


def suited(family: Sequence[Model], known: History) -> tuple[Model, ...]:
    """Those of a family that are for series like this one, in the order in which they are trusted unseen.

    By the hour, regressions come first where they can learn what a week ago says; on less they are worse than a median.
    """
    found = tuple(model for model in family if suits(model, known))
    first = _REGRESSIONS if sees_weeks(known) else ()
    return (*(model for model in first if model in found), *(model for model in found if model not in first))


__all__ = [
    "DAYS",
    "FAMILY",
    "HOURS",
    "LINEAR",
    "NAIVE",
    "PLAIN",
    "QUICK",
    "SECONDS",
    "Attempt",
    "Clock",
    "History",
    "Model",
    "attempt",
    "history",
    "suited",
]
