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


def new_id(rng: Random, at_us: int) -> str:
    """An id as LangChain gives them to runs (UUID version 7): the time first, so that later ones sort later."""
    bits = at_us // 1000 << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
