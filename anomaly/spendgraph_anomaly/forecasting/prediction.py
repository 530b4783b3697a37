"""A prediction: the next bins of a series, the models that made them, and the interval of their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.backtest import ORIGINS, Backtest, backtest
from spendgraph_anomaly.forecasting.choosing import BEST, ranked, replayed, together
from spendgraph_anomaly.forecasting.intervals import Spread, spread
from spendgraph_anomaly.forecasting.models import FAMILY, LINEAR, History, Model, attempt, suited

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

SHORTEST: Final = 2
"""Under so many seasons nothing but the linear burn rate is fair."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What comes next, as far as one can say.

    Attributes:
        path: The next bins; shape `(horizon,)`.
        models: Those whose median it is, the best in the backtest first.
        spread: How far sums of it may be off.
        done: The backtest; nothing where the history is too short for one.
        notes: What a reader should know: a short history, gaps, models that could not and why.
        seconds: The longest time that one fit took.
    """

    path: Values
    models: tuple[str, ...]
    spread: Spread
    done: Backtest | None
    notes: tuple[str, ...]
    seconds: float = 0.0

    def bounds(self, level: int = 80) -> tuple[Values, Values]:
        """The bounds of the sums up to each bin, which hold so many percent of what comes: 80 or 95."""
        return self.spread.bounds(self.path, level)


def predict(
    known: History,
    horizon: int,
    *,
    family: Sequence[Model] = FAMILY,
    origins: int = ORIGINS,
) -> Prediction:
    """Forecast a series. It never raises for what is in the series: where models cannot, simpler ones go on.

    Args:
        known: The series up to now.
        horizon: How many bins ahead, at least one.
        family: The models that may be chosen, in the order in which they are trusted unseen.
        origins: At how many earlier moments they are tried, at most.

    Raises:
        ValueError: There is no bin ahead.
    """
    if horizon < 1:
        raise ValueError(f"expected one bin ahead or more, found {horizon}")
    notes = (
        [f"{known.mended:,} bins were missing; they are taken from the season before."]
        if known.mended
        else []
    )
    season = known.seasons[0]
    if len(known) < SHORTEST * season or not known.values.any():
        return _simple(known, horizon, notes)
    family = suited(family, known)
    done = backtest(known, horizon, family=family, most=origins)
    tried = [attempt(model, known, horizon) for model in family]
    paths = {one.model: one.path for one in tried if one.path is not None}
    if not paths:
        return _simple(known, horizon, notes)
    order = [model.name for model in family]
    chosen = ranked(done, [name for name in order if name in paths])[:BEST]
    replay = replayed(done, order)
    notes += [
        f"The {one.model} was left out: {one.why}." for one in tried if one.path is None and one.seconds
    ]
    if len(known) < SHORTEST * season + horizon:
        notes.append(
            f"The history of {len(known):,} bins is short beside the {horizon:,} ahead: the interval is wide."
        )
    return Prediction(
        together(paths, chosen),
        tuple(chosen),
        spread(replay, done.actual, done.origins, known, horizon),
        done,
        tuple(notes),
        max(one.seconds for one in tried),
    )


def _simple(known: History, horizon: int, notes: Sequence[str]) -> Prediction:
    """The linear burn rate, of a history that shows nothing more; nothing, of none."""
    one = attempt(LINEAR, known, horizon)
    path = np.zeros(horizon) if one.path is None else one.path
    if not len(known) or not known.values.any():
        said = "Nothing has been spent yet, so nothing is expected."
    else:
        said = (
            f"The history of {len(known):,} bins is shorter than {SHORTEST} seasons of {known.seasons[0]}: it goes on at the"
            " linear burn rate."
        )
    unknown = spread((), (), (), known, horizon)
    return Prediction(path, (LINEAR.name,), unknown, None, (*notes, said), one.seconds)
