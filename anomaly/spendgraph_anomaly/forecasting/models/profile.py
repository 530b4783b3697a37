"""A profile of the season with a short memory of the level: how a Monday is to a Sunday, times how dear days are of late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from spendgraph_anomaly.forecasting.models.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.models.history import History

    Values = NDArray[np.float64]

_SEASONS: Final = 8
"""So many of the latest seasons make the profile."""

_FORGETS: Final = {7: 0.2, 24: 0.1}
"""How much of its memory of the level a bin takes away, by the length of the season."""

_DAYS: Final = 10
"""So many of the latest days have a say in what an hour comes to."""

_DAY_FORGETS: Final = 0.35
"""How much of its memory of an hour of the day a day takes away."""


def _shaped(known: History, horizon: int, _: Values) -> Values:
    season = known.seasons[0]
    shape = profile(known)
    recent = known.last(12 * season)
    ages = np.arange(len(recent))[::-1]
    weights = (1 - _FORGETS.get(season, 1.4 / season)) ** ages
    expected = shape[-1 - ages % season]
    level = float(weights @ recent) / max(float(weights @ expected), 1e-12)
    return level * np.resize(shape, horizon)


def _burnt(known: History, horizon: int, _: Values) -> Values:
    """The burn rate of the window, with weekends as weekends."""
    shape = profile(known)
    spent = known.last(known.window or 4 * known.seasons[0])
    expected = shape[-1 - np.arange(len(spent)) % len(shape)]
    return float(spent.sum()) / max(float(expected.sum()), 1e-12) * np.resize(shape, horizon)


def profile(known: History) -> Values:
    """What each bin of the next season is beside an average one; all 1 where there are not two seasons to see it in."""
    season = known.seasons[0]
    count = min(len(known) // season, _SEASONS)
    if count < 2:
        return np.ones(season)
    shape = known.last(count * season).reshape(count, season).mean(axis=0)
    middle = float(shape.mean())
    return shape / middle if middle > 0 and shape.min() >= 0 else np.ones(season)


def _middle(known: History, horizon: int, _: Values) -> Values:
    """For each hour the weighted median of that hour on the latest days, its neighbours at half their weight."""
    day, week = known.seasons[0], known.seasons[-1] // known.seasons[0]
    count = min(len(known) // day, _DAYS)
    days = known.last(count * day).reshape(count, day)
    near = np.concatenate([np.roll(days, 1, axis=1), days, np.roll(days, -1, axis=1)])
    order = np.argsort(near, axis=0)
    near = np.take_along_axis(near, order, axis=0)
    fading = (1 - _DAY_FORGETS) ** np.arange(count)[::-1]
    found: list[Values] = []
    for ahead in range(min(-(-horizon // day), week)):
        weights = fading.copy()
        if count >= week - ahead:  # the same day of the week counts as much as yesterday
            weights[count - week + ahead] += 1.0
        summed = np.cumsum(np.concatenate([weights / 2, weights, weights / 2])[order], axis=0)
        middle = (summed < summed[-1] / 2).sum(axis=0)
        found.append(np.take_along_axis(near, middle[np.newaxis, :], axis=0)[0])
    return np.resize(np.concatenate(found), horizon)


PROFILE: Final = Model("weekday profile", lambda known: known.seasons[0], _shaped)
"""The mean of each bin of the season over the last eight, at the level of the latest bins."""

BURN: Final = Model("weekday burn", lambda known: 2 * known.seasons[0], _burnt)
"""The same at the level of the window so far."""

MEDIAN: Final = Model("recent median", lambda known: 2 * known.seasons[0], _middle, rhythm="hour")
"""By hour: the weighted median of the same hour over the latest days; the latest and that of a week ago count most."""
