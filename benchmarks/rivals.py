"""Detectors one would write instead, causal and vectorised: what they say of a bin is made of the bins before it.

- `three_sigma`: distance from the mean of the past 720 hours in standard deviations; alert from 3 on. It must have seen a day.
- `windowed_gaussian`: the same, against the 6,400 points before, moved on by 100 at a time, as a tail probability (-log10); alert from 5 digits on.
- `stl_mad`: at each midnight STL of the past 14 days; a bin's distance from what the season of its time of day and the last trend say, in scaled MADs of the
  remainder; alert from 3.5 on. It must have seen two days.
- `all_time_high`: by how much a bin exceeds all before it, in units of their range; alert from there on. It must have seen a day.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from judging import Scorer, Scores
from nab import Floats, Ints

DAY: Final = 86_400
SIGMA_HOURS: Final = 720
STL_DAYS: Final = 14
MAD: Final = 1.4826


def three_sigma(*, both: bool = False) -> Scorer:
    """Rolling z-score over 720 hours; `both` for drops too."""

    def score(starts_us: Ints, values: Floats, every_s: int) -> Scores:
        past = pd.Series(values).shift(1).rolling(SIGMA_HOURS * 3600 // every_s, min_periods=DAY // every_s)
        z = _sides((values - past.mean().to_numpy()) / _spread(past.std().to_numpy(), values), both)
        return Scores(z, z >= 3)

    return score


def windowed_gaussian(*, both: bool = False, window: int = 6400, step: int = 100) -> Scorer:
    """Tail probability under a normal distribution of the points before."""

    def score(starts_us: Ints, values: Floats, every_s: int) -> Scores:
        said = np.zeros(len(values))
        for first in range(step, len(values), step):
            past = values[max(0, first - window) : first]
            now = values[first : first + step]
            z = _sides((now - past.mean()) / _spread(np.array(past.std()), values), both)
            said[first : first + step] = -stats.norm.logsf(z) / np.log(10)
        return Scores(said, said >= 5)

    return score


def stl_mad(*, both: bool = False) -> Scorer:
    """Remainder of STL on the past, scaled by its median absolute deviation."""

    def score(starts_us: Ints, values: Floats, every_s: int) -> Scores:
        period = DAY // every_s
        said = np.zeros(len(values))
        for first in range(2 * period, len(values), period):
            past = values[max(0, first - STL_DAYS * period) : first]
            fit = _stl(past, period)
            remainder: Floats = np.asarray(fit.resid)
            now = values[first : first + period]
            expected = np.asarray(fit.seasonal)[-period:][: len(now)] + float(np.asarray(fit.trend)[-1])
            scale = MAD * float(np.median(np.abs(remainder - np.median(remainder))))
            said[first : first + period] = _sides((now - expected) / _spread(np.array(scale), values), both)
        return Scores(said, said >= 3.5)

    return score


def all_time_high(*, both: bool = False) -> Scorer:
    """A new maximum; `both` for a new minimum too."""

    def score(starts_us: Ints, values: Floats, every_s: int) -> Scores:
        high = np.concatenate([[values[0]], np.maximum.accumulate(values)[:-1]])
        low = np.concatenate([[values[0]], np.minimum.accumulate(values)[:-1]])
        width = _spread(high - low, values)
        beyond = np.maximum(values - high, low - values) if both else values - high
        said = np.where(np.arange(len(values)) >= DAY // every_s, beyond / width, -1.0)
        return Scores(said, said > 0)

    return score


RIVALS: Final = {
    "3-sigma, 720 h": three_sigma,
    "windowed Gaussian": windowed_gaussian,
    "STL + MAD": stl_mad,
    "all-time high": all_time_high,
}


def _stl(past: Floats, period: int) -> Any:
    """STL that fits every tenth of a day and interpolates between, as its authors advise for long periods."""
    seasonal: Any = importlib.import_module("statsmodels.tsa.seasonal")
    jump = max(1, period // 10)
    return seasonal.STL(past, period=period, trend_jump=jump, low_pass_jump=jump).fit()


def _sides(z: Floats, both: bool) -> Floats:
    return np.nan_to_num(np.abs(z) if both else z, nan=0.0)


def _spread(spread: Floats, values: Floats) -> Floats:
    """A spread that can be divided by, for series that have not moved yet."""
    return np.maximum(np.nan_to_num(spread), 1e-9 * max(float(np.abs(values).max()), 1.0))
