"""Chance that can be repeated: named streams of one seed, so that one part's draws never move another's."""

from __future__ import annotations

import math
from random import Random


def stream(seed: int, *names: object) -> Random:
    """The stream of a name; equal names of one seed give equal draws."""
    return Random(f"{seed}/{'/'.join(map(str, names))}")  # noqa: S311 - a simulation


def around(rng: Random, median: float, spread: float) -> int:
    """A whole number of at least 1 from a log-normal distribution: half of them are above the median."""
    return max(1, round(median * math.exp(rng.gauss(0, spread))))


def counted(rng: Random, mean: float) -> int:
    """How often something happens that happens so often on average (Poisson)."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    left, count = math.exp(-mean), -1
    product = 1.0
    while product > left:
        product *= rng.random()
        count += 1
    return max(0, count)


def new_id(rng: Random) -> str:
    """32 hex digits."""
    return f"{rng.getrandbits(128):032x}"
