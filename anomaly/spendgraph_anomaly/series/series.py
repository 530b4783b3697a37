"""A series: what one cut of the ledger came to in every bin of its time, none missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Every = Literal["quarter", "hour", "day"]
"""How long a bin is. An hour is an hour of UTC; a day is the zone's, 23 to 25 hours long."""

Metric = Literal["cost", "steps", "tokens"]
"""What is counted: nano-USD, steps, or tokens in and out."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What one cut came to, bin by bin, with zeros where nothing happened.

    Attributes:
        tags: The cut: tags and the value each has; none is everything.
        metric: What is counted.
        every: How long a bin is.
        zone: Whose hours and days are meant, such as `Europe/Berlin`.
        starts_us: When each bin begins, microseconds since 1970 UTC; int64, increasing, shape `(n,)`.
        values: What it came to; int64, of money nano-USD, shape `(n,)`.
    """

    metric: Metric
    every: Every
    zone: str
    starts_us: NDArray[np.int64]
    values: NDArray[np.int64]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
