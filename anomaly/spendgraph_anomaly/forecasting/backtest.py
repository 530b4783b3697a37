"""The rolling-origin backtest: every model goes on from earlier moments, and what came then judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.models import FAMILY, Attempt, History, Model, attempt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

ORIGINS: Final = 16
"""At most so many earlier moments."""

_REACH: Final = 52
"""Moments are of so many of the latest shortest seasons, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """What every model said at earlier moments, and what came.

    Attributes:
        origins: How many bins were known at each moment, the earliest first.
        actual: What came after each, as far as it is known and at most the horizon.
        paths: What each model said at each moment; nothing where it could not.
        errors: How far each was off in each bin on average, at each moment; not a number where it said nothing.
        whys: Why a model could not at the last moment at which it could not, by its name.
    """

    origins: tuple[int, ...]
    actual: tuple[Values, ...]
    paths: Mapping[str, tuple[Values | None, ...]]
    errors: Mapping[str, Values]
    whys: Mapping[str, str]


def backtest(
    known: History,
    horizon: int,
    *,
    family: Sequence[Model] = FAMILY,
    most: int = ORIGINS,
) -> Backtest:
    """Have every model forecast from earlier moments, each time knowing only what was known then.

    What takes a search is learned at the first moment and kept, so that nothing later flows into it.

    Args:
        known: All that is known now.
        horizon: How many bins ahead.
        family: The models.
        most: At most so many moments.
    """
    origins = origins_of(len(known), horizon, known.seasons[0], most)
    actual = tuple(known.values[origin : origin + horizon] for origin in origins)
    paths: dict[str, tuple[Values | None, ...]] = {}
    whys: dict[str, str] = {}
    for model in family:
        tried: list[Attempt] = []
        parameters: Values | None = None
        for origin in origins:
            tried.append(attempt(model, known.until(origin), horizon, parameters))
            parameters = tried[-1].parameters if parameters is None else parameters
        paths[model.name] = tuple(one.path for one in tried)
        whys |= {one.model: one.why for one in tried if one.why}
    errors = {name: _errors(said, actual) for name, said in paths.items()}
    return Backtest(origins, actual, paths, errors, whys)


def origins_of(count: int, horizon: int, season: int, most: int = ORIGINS) -> tuple[int, ...]:
    """Moments at which at least two seasons, or a third of everything, were known, and after which half the horizon came.

    They are evenly spaced, and never whole seasons apart: they would all be Mondays.
    """
    last = count - max(horizon // 2, 1)
    first = max(min(2 * season, count // 3), count - _REACH * season - horizon, 1)
    if last < first:
        return ()
    step = max(-(-(last - first + 1) // most), 1)
    if step % season == 0:
        step += 1
    return tuple(range(last, first - 1, -step)[::-1])


def _errors(said: Sequence[Values | None], actual: Sequence[Values]) -> Values:
    off = [
        np.nan if path is None else float(np.abs(path[: len(came)] - came).mean())
        for path, came in zip(said, actual, strict=True)
    ]
    return np.array(off, dtype=np.float64)
