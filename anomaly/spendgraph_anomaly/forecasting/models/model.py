"""A model: how it learns from a history and goes on from it, within its time, and what it says where it cannot."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History

    Values = NDArray[np.float64]

SECONDS: Final = 0.3
"""How long a fit may look for its parameters, of CPU, so that a busy machine changes no forecast; then those found so far are taken."""

_HOURLY: Final = 12
"""From so many bins on, the shortest season is a day of hours or less."""

_FURTHEST: Final = 2.0
"""No bin of a forecast is above so many times the highest of the history: what explodes is wrong."""


class Clock:
    """Time that runs out, as a callback of an optimiser: it stops the search and keeps what was found.

    Args:
        seconds: How long there is.
        now: The clock.
    """

    def __init__(self, seconds: float = SECONDS, now: Callable[[], float] = time.thread_time) -> None:
        self._now = now
        self._end = now() + seconds
        self.found: Values | None = None

    def __call__(self, parameters: Values, *_: object) -> None:
        """Remember the parameters of a step of the search.

        Raises:
            TimeUpError: The time is over.
        """
        self.found = np.array(parameters, dtype=np.float64)
        if self._now() > self._end:
            raise TimeUpError


class TimeUpError(Exception):
    """A fit has used up its time."""


@dataclass(frozen=True, slots=True)
class Model:
    """One of the family.

    Attributes:
        name: As people read it.
        least: So many bins it needs of a history; the history says its seasons.
        learn: Finds its parameters; nothing to find is an empty array.
        go_on: The next bins, given those parameters.
        rhythm: Which series it is for: by the day, by the hour, or any.
    """

    name: str
    least: Callable[[History], int]
    go_on: Callable[[History, int, Values], Values]
    learn: Callable[[History, Clock], Values] = lambda _history, _clock: np.empty(0)
    rhythm: Literal["day", "hour", "any"] = "any"


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """What came of a model.

    Attributes:
        model: Its name.
        path: The next bins; nothing where it could not.
        parameters: What it learned, to go on from later histories without learning anew.
        why: Why it could not, or empty.
        seconds: How long it took, of CPU.
    """

    model: str
    path: Values | None
    parameters: Values | None = None
    why: str = ""
    seconds: float = 0.0


def suits(model: Model, known: History) -> bool:
    """Whether a model is for series like this one."""
    return model.rhythm in ("any", "hour" if known.seasons[0] >= _HOURLY else "day")


def attempt(model: Model, known: History, horizon: int, parameters: Values | None = None) -> Attempt:
    """Have a model go on from a history. It never raises: where it cannot, it says why.

    Args:
        model: Which.
        known: What it knows.
        horizon: How many bins.
        parameters: What it has learned before from less; without them it learns now.
    """
    began = time.thread_time()
    least = model.least(known)
    if not suits(model, known):
        return Attempt(model.name, None, why=f"it is for series by the {model.rhythm}")
    if len(known) < least:
        return Attempt(model.name, None, why=f"it needs {least} bins, and there are {len(known)}")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # of a search that did not converge: the backtest judges what came of it
        try:
            learned = model.learn(known, Clock()) if parameters is None else parameters
            path = np.asarray(model.go_on(known, horizon, learned), dtype=np.float64)
        except Exception as error:  # noqa: BLE001 - linear algebra fails in many ways, and a forecast has others to fall back on
            return Attempt(
                model.name, None, None, f"{type(error).__name__}: {error}", time.thread_time() - began
            )
    if path.shape != (horizon,) or not np.isfinite(path).all():
        return Attempt(model.name, None, None, "its forecast is no number", time.thread_time() - began)
    return Attempt(model.name, _within(path, known), learned, seconds=time.thread_time() - began)


def _within(path: Values, known: History) -> Values:
    """A path that stays where the history says it can: not below 0 where nothing was, nor far above everything."""
    low, high = float(known.values.min()), float(known.values.max())
    reach = max(abs(low), abs(high)) * (_FURTHEST - 1)
    return np.clip(path, 0.0 if low >= 0 else low - reach, max(high, 0.0) + reach)
