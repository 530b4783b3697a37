"""Every cut of some tags, from one read: the finest is read, and coarser ones are sums of it, to the nano-dollar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spendgraph_anomaly.series import Every, Series, bin_starts, series_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

Tags = Mapping[str, str]
"""A cut: tags and the value each has; tags that are not in it may have any."""


class Cuts:
    """What every cut by some tags came to in each finished bin of a period.

    Args:
        books: The ledger.
        by: The tags.
        period: Made longer where it begins or ends within a bin.
        every: How long a bin is.
        now_us: Bins that end later are left out.
        **filters: As in `Books.rows`.
    """

    def __init__(
        self,
        books: Books,
        by: Sequence[str],
        period: Period,
        every: Every,
        *,
        now_us: int | None = None,
        **filters: object,
    ) -> None:
        (whole,) = series_of(books, (), period, every, metric="cost", now_us=now_us, **filters)
        finest = series_of(books, by, period, every, metric="cost", now_us=now_us, **filters)
        self._whole = whole.finished()
        self.by = tuple(by)
        self.every: Every = every
        self.zone = books.zone
        self.starts_us = self._whole.starts_us
        self._edges = bin_starts(period, every, books.zone)
        self.cells: list[Tags] = [one.tags for one in finest]
        self._numbers: dict[str, dict[str, int]] = {name: {} for name in by}
        self._tags = {
            name: np.array([known.setdefault(cell[name], len(known)) for cell in self.cells], dtype=np.int64)
            for name, known in self._numbers.items()
        }
        self._values: NDArray[np.int64] = np.array(
            [one.finished().values for one in finest], dtype=np.int64
        ).reshape(len(finest), len(self.starts_us))

    def start(self, at: int) -> int:
        """When a bin begins; of the one after the last, when that ends."""
        return int(self._edges[at])

    def cuts(self) -> list[Tags]:
        """Each value of each tag by itself, and all tags together: the coarse ones first."""
        alone = {(name, cell[name]): None for name in self.by for cell in self.cells}
        found: list[Tags] = [{name: value} for name, value in alone]
        return found if len(self.by) == 1 else [*found, *self.cells]

    def within(self, tags: Tags) -> NDArray[np.bool_]:
        """Which of the finest cuts belong to a cut."""
        found = np.ones(len(self.cells), dtype=np.bool_)
        for name, value in tags.items():
            found &= self._tags[name] == self._numbers[name].get(value, -1)
        return found

    def values(self, tags: Tags) -> NDArray[np.int64]:
        """What a cut came to in each bin."""
        found: NDArray[np.int64] = self._values[self.within(tags)].sum(axis=0)
        return found

    def of(self, cells: NDArray[np.bool_], bins: slice, which: NDArray[np.bool_]) -> int:
        """What some of the finest cuts came to in a stretch of bins, of which some count."""
        return int(self._values[cells, bins][which].sum())

    def series(self, tags: Tags) -> Series:
        """A cut as a series."""
        return replace(self._whole, values=self.values(tags), tags=dict(tags))
