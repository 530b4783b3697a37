"""Two versions compared by what their tasks cost, tenant by tenant.

What a month costs is moved by the mean, so the mean is tested: by permutation, which needs no bell curve, of a studentised
difference, which holds its level where one side scatters more than the other (Janssen 1997; Chung and Romano 2013). Labels
are exchanged within a tenant, and differences are weighted by the new version's tasks, so that a rollout to some
tenants first is no difference by itself. The interval of the ratio is a bootstrap of the studentised logarithm,
which of the usual ones covers best where costs are log-normal. Whether the typical task moved too, ranks
within each tenant say (Brunner and Munzel 2000). Costs are floats here: these are statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL: Final = 0.05
RESAMPLES: Final = 4_999
_FEWEST_RESAMPLES: Final = 199
_MOST_DRAWS: Final = 200_000_000
"""Tasks times resamples: of very many tasks, fewer resamples say as much."""
_AT_ONCE: Final = 2_000_000
_ALONE: Final = 10
"""A tenant with fewer tasks on either side is compared together with others like it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the tasks of a new version cost beside those of the old one.

    Attributes:
        before_tasks: Tasks of the old version that are compared.
        after_tasks: Tasks of the new one; of tenants that had both.
        before_mean: What a task cost before, in nano-USD, with the new version's tenants.
        after_mean: What it costs now.
        ratio: The second by the first; `None` where nothing was paid before.
        low: The lower end of its 95 percent interval, where there is one.
        high: The upper end.
        dearer: How often a task of the new version costs more than one of the old one for the same tenant; ties are halved.
        p_mean: How often chance alone moves the mean as far.
        p_typical: The same of the typical task.
    """

    before_tasks: int
    after_tasks: int
    before_mean: float
    after_mean: float
    ratio: float | None
    low: float | None
    high: float | None
    dearer: float
    p_mean: float
    p_typical: float


@dataclass(frozen=True, slots=True)
class _Stratum:
    before: Floats
    after: Floats
    weight: float


_Samples = tuple[Floats, Floats, float]
"""Of a stratum, the costs of the old and the new version, a row a sample, and its weight."""


class _Moments(NamedTuple):
    before: Floats
    after: Floats
    before_variance: Floats
    after_variance: Floats


def compare(
    before: Mapping[str, Floats], after: Mapping[str, Floats], *, seed: int = 0, resamples: int = RESAMPLES
) -> Comparison | None:
    """Compare two versions over the tenants that had both.

    Args:
        before: What each task of the old version cost in nano-USD, by tenant.
        after: The same of the new one.
        seed: Of its chance: equal costs and seeds give equal answers.
        resamples: How many permutations, and how many bootstrap samples, at most.

    Returns:
        `None` where no tenant had both, or one of the sides had a single task.
    """
    strata = _strata(before, after)
    if not strata:
        return None
    tasks = sum(len(each.before) + len(each.after) for each in strata)
    count = max(min(resamples, _MOST_DRAWS // tasks), _FEWEST_RESAMPLES)
    rng = np.random.default_rng(seed)
    before_mean = sum(each.weight * float(each.before.mean()) for each in strata)
    after_mean = sum(each.weight * float(each.after.mean()) for each in strata)
    low, high = _interval(strata, rng, count)
    dearer, p_typical = _typical(strata)
    return Comparison(
        before_tasks=sum(len(each.before) for each in strata),
        after_tasks=sum(len(each.after) for each in strata),
        before_mean=before_mean,
        after_mean=after_mean,
        ratio=after_mean / before_mean if before_mean > 0 else None,
        low=low,
        high=high,
        dearer=dearer,
        p_mean=_permuted(strata, rng, count),
        p_typical=p_typical,
    )


def adjusted(p_values: list[float]) -> list[float]:
    """The p values of several comparisons, so that few of those they call different are not (Benjamini and Hochberg 1995)."""
    from scipy import stats  # half a second: no other report needs it

    return [float(value) for value in stats.false_discovery_control(p_values)] if p_values else []


def _strata(before: Mapping[str, Floats], after: Mapping[str, Floats]) -> list[_Stratum]:
    """A stratum for each tenant with enough tasks on both sides, and one for all others that had both."""
    both = sorted(name for name in before.keys() & after.keys() if len(before[name]) and len(after[name]))
    alone = [name for name in both if min(len(before[name]), len(after[name])) >= _ALONE]
    pairs = [(before[name], after[name]) for name in alone]
    if few := [name for name in both if name not in set(alone)]:
        pairs.append(
            (np.concatenate([before[name] for name in few]), np.concatenate([after[name] for name in few]))
        )
    pairs = [(old, new) for old, new in pairs if len(old) > 1 and len(new) > 1]
    compared = sum(len(new) for _, new in pairs)
    return [_Stratum(old, new, len(new) / compared) for old, new in pairs]


def _permuted(strata: list[_Stratum], rng: np.random.Generator, count: int) -> float:
    """The share of permutations within the strata that move the studentised difference at least as far."""
    observed = abs(float(_studentised(_moments(_as_they_are(strata)))[0]))
    extreme = 0
    for size in _chunks(strata, count):
        found = np.abs(_studentised(_moments(_shuffled(strata, rng, size))))
        # What is as far but for the last bits of a float is as far.
        extreme += int(np.count_nonzero(found >= observed * (1 - 1e-9)))
    return (extreme + 1) / (count + 1)


def _interval(
    strata: list[_Stratum], rng: np.random.Generator, count: int
) -> tuple[float | None, float | None]:
    """The 95 percent interval of the ratio of the means, by the bootstrap of its studentised logarithm."""
    (log_ratio,), (error,) = _log_ratio(_moments(_as_they_are(strata)))
    if not np.isfinite(log_ratio) or not error > 0:
        return None, None
    drawn: list[Floats] = []
    for size in _chunks(strata, count):
        logs, errors = _log_ratio(_moments(_resampled(strata, rng, size)))
        with np.errstate(all="ignore"):
            drawn.append((logs - log_ratio) / errors)
    pivots = np.concatenate(drawn)
    pivots = pivots[np.isfinite(pivots)]
    if len(pivots) < count / 2:  # most samples are all alike: there is nothing to tell a width from
        return None, None
    lower, upper = np.quantile(pivots, [LEVEL / 2, 1 - LEVEL / 2])
    return float(np.exp(log_ratio - upper * error)), float(np.exp(log_ratio - lower * error))


def _typical(strata: list[_Stratum]) -> tuple[float, float]:
    """How often a task of the new version is the dearer one, weighted over the strata, and how often chance alone is as far from a half.

    Of one stratum it is the Brunner-Munzel test with the normal distribution; of several, the sum of theirs.
    """
    from scipy import stats

    dearer = variance = 0.0
    for each in strata:
        ranks = stats.rankdata(np.concatenate([each.before, each.after]))
        n, m = len(each.before), len(each.after)
        # A task's placement: the part of the other version's tasks that cost less, ties halved.
        above_old = 1 - (ranks[:n] - stats.rankdata(each.before)) / m
        above_new = (ranks[n:] - stats.rankdata(each.after)) / n
        dearer += each.weight * float(above_new.mean())
        variance += each.weight**2 * float(above_old.var(ddof=1) / n + above_new.var(ddof=1) / m)
    apart = abs(dearer - 0.5)
    if (
        variance <= 0
    ):  # every task of one version costs more than every one of the other, or all cost the same
        return dearer, 0.0 if apart else 1.0
    return dearer, float(2 * stats.norm.sf(apart / sqrt(variance)))


def _as_they_are(strata: list[_Stratum]) -> Iterator[_Samples]:
    for each in strata:
        yield each.before[None], each.after[None], each.weight


def _shuffled(strata: list[_Stratum], rng: np.random.Generator, size: int) -> Iterator[_Samples]:
    """So many times, in each stratum, tasks dealt out anew to the versions."""
    for each in strata:
        pooled = np.concatenate([each.before, each.after])
        dealt = rng.permuted(np.broadcast_to(pooled, (size, len(pooled))), axis=1)
        yield dealt[:, : len(each.before)], dealt[:, len(each.before) :], each.weight


def _resampled(strata: list[_Stratum], rng: np.random.Generator, size: int) -> Iterator[_Samples]:
    """So many times, in each stratum and version, as many tasks drawn with replacement."""
    for each in strata:
        before, after = (
            side[rng.integers(0, len(side), (size, len(side)))] for side in (each.before, each.after)
        )
        yield before, after, each.weight


def _moments(strata: Iterator[_Samples]) -> _Moments:
    """The weighted means of both sides and the variances of those means, of each sample."""
    parts = [
        (
            weight * before.mean(axis=1),
            weight * after.mean(axis=1),
            weight**2 * before.var(axis=1, ddof=1) / before.shape[1],
            weight**2 * after.var(axis=1, ddof=1) / after.shape[1],
        )
        for before, after, weight in strata
    ]
    return _Moments(*np.sum(parts, axis=0))


def _studentised(of: _Moments) -> Floats:
    """The difference of the means by its standard error; nothing by nothing is nothing."""
    difference, error = of.after - of.before, np.sqrt(of.before_variance + of.after_variance)
    with np.errstate(all="ignore"):
        return np.where(difference == 0, 0.0, difference / error)


def _log_ratio(of: _Moments) -> tuple[Floats, Floats]:
    """The logarithm of the ratio of the means, and its standard error."""
    with np.errstate(all="ignore"):
        error = np.sqrt(of.before_variance / of.before**2 + of.after_variance / of.after**2)
        return np.log(of.after / of.before), error


def _chunks(strata: list[_Stratum], count: int) -> Iterator[int]:
    """How many samples to draw at once, so that they take little memory."""
    step = max(_AT_ONCE // max(len(each.before) + len(each.after) for each in strata), 1)
    for start in range(0, count, step):
        yield min(step, count - start)
