"""A series: what one cut of the ledger came to in every bin of its time, none missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
        complete_until_us: Bins from here on were not over when the series was read; every one was, when not given.
    """

    metric: Metric
    every: Every
    zone: str
    starts_us: NDArray[np.int64]
    values: NDArray[np.int64]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    complete_until_us: int | None = None

    def finished(self) -> Series:
        """The same without the bins that were not over yet: half an hour's spending is no low hour."""
        if self.complete_until_us is None:
            return self
        count = int(self.starts_us.searchsorted(self.complete_until_us))
        return replace(self, starts_us=self.starts_us[:count], values=self.values[:count])

    def dollars(self) -> NDArray[np.float64]:
        """Its money in dollars, for statistics and plots: a float is not exact.

        Raises:
            ValueError: It counts something else.
        """
        if self.metric != "cost":
            raise ValueError(f"expected a series of cost, found one of {self.metric}")
        return self.values / 1e9
