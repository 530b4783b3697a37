"""The search for the tag combinations that carry an excess: as specific as the data says, and no more specific.

A combination is good where it carries the excess and little was expected in it: then its cells have moved, together, and those beside it have not. That is
measured as in a scan for clusters, by how unlikely what was observed is under what was expected (a Kullback-Leibler divergence, in units of the whole excess). A tag
more makes a combination better only where it leaves out cells in which something was expected and nothing moved; each tag, and each cause, has
a price, so that what only noise says is not said, and of two combinations of the same cells the shorter one is named.

All combinations of any number of tags are looked at, shortest first. One whose cells together could not be better than what is known already is left out, with everything within.
"""

from __future__ import annotations

import heapq
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgraph_anomaly.explain.cells import Cells, Floats, Ints

PRIOR: Final = 0.01
"""What is taken to be expected everywhere, as a share of the excess: what was never there before is not infinitely surprising."""
BY_BACKGROUND: Final = 10.0
"""How many times as much in a combination that has everything at all hours. Of two in which nothing was expected now, the rarer one is more surprising."""
PER_TAG: Final = 0.01
"""What naming a tag costs."""
PER_PLACE: Final = 0.002
"""What it costs more for each dimension that comes before: of two that say about the same, the first is named."""
PER_CAUSE: Final = 0.1
"""What naming another cause costs."""
LEAST_SHARE: Final = 0.1
"""The part of the excess that a cause carries at least."""
MOST_CAUSES: Final = 3
NEWS: Final = 3.0
"""How many standard deviations of its weeks another cause has moved at least."""

_WEEKS_TO_KNOW: Final = 3  # of which a standard deviation says anything
_STARTS: Final = 5  # first causes that are tried, each with what it leaves for others

Flags = NDArray[np.bool_]


class Cut(NamedTuple):
    """Cells that have some tags in common.

    Attributes:
        tags: These.
        observed: What they came to, times the weeks of the baseline.
        expected: What they came to in all weeks of the baseline.
    """

    tags: dict[str, str]
    observed: int
    expected: int

    @property
    def excess(self) -> int:
        """What they came to beyond what was expected, times the weeks."""
        return self.observed - self.expected


class _Found(NamedTuple):
    """A combination that was looked at; the better, the larger."""

    score: float
    shortness: int
    rank: tuple[int, ...]  # of the same cells and length, dimensions that come first are named
    cell: int
    dimensions: tuple[int, ...]


def localise(cells: Cells) -> list[Cut]:
    """The combinations that carry the excess of all cells together, the one with most of it first.

    Returns:
        One cut or more; none where there is no excess. A cut without tags says that everything moved.
    """
    excess = cells.observed - cells.expected
    total = int(excess.sum())
    if not total:
        return []
    scan = _Scan(cells, total)
    nothing = np.zeros(len(excess), dtype=bool)
    chosen: list[_Found] = []
    best = -np.inf
    for start in scan.best(nothing, _STARTS):
        causes, score, explained = [start], start.score, scan.inside(start)
        while len(causes) < MOST_CAUSES:
            found = [
                each
                for each in scan.best(explained, 1)
                if each.score > PER_CAUSE and scan.is_news(each, explained)
            ]
            if not found:
                break
            causes.append(found[0])
            score += found[0].score - PER_CAUSE
            explained |= scan.inside(found[0])
        if score > best:
            best, chosen = score, causes
    cuts: list[Cut] = []
    left = ~nothing
    for cause in chosen:  # what two causes have in common belongs to the first
        own = left & scan.inside(cause)
        left = left & ~own
        cuts.append(
            Cut(
                cells.tags(cause.cell, cause.dimensions),
                int(cells.observed[own].sum()),
                int(cells.expected[own].sum()),
            )
        )
    return sorted(cuts, key=lambda cut: -abs(cut.excess))


class _Scan:
    """One scan over cells, for combinations of what has moved in the direction in which all of it has.

    Args:
        cells: Them.
        total: Their excess.
    """

    def __init__(self, cells: Cells, total: int) -> None:
        self._codes = cells.codes
        self._falls = total < 0
        self._observed = np.maximum(cells.observed / abs(total), 0.0)  # corrections can make it negative
        self._expected = np.maximum(cells.expected / abs(total), 0.0)
        self._prior = PRIOR * BY_BACKGROUND * cells.background
        self._history = cells.history * (cells.weeks / abs(total))

    def inside(self, found: _Found) -> Flags:
        """Which cells a combination has."""
        at = list(found.dimensions)
        inside: Flags = (self._codes[:, at] == self._codes[found.cell, at]).all(axis=1)
        return inside

    def is_news(self, found: _Found, explained: Flags) -> bool:
        """Whether a combination moved more than it does from week to week, beside what is explained."""
        inside = self.inside(found) & ~explained
        weeks = self._history[inside].sum(axis=0)
        if len(weeks) < _WEEKS_TO_KNOW:
            return True
        moved = abs(float((self._observed - self._expected)[inside].sum()))
        return moved > NEWS * float(weeks.std(ddof=1))

    def best(self, explained: Flags, count: int) -> list[_Found]:
        """The best combinations, the best first, if what is explained came to what was expected."""
        expected = np.where(explained, self._observed, self._expected)
        moved = (self._observed - expected) * (-1 if self._falls else 1)
        heap: list[_Found] = []
        alive: dict[tuple[int, ...], Flags] = {}
        width = self._codes.shape[1]
        for length in range(width + 1):
            level: dict[tuple[int, ...], Flags] = {}
            for dimensions in combinations(range(width), length):
                among = np.ones(len(moved), dtype=bool)
                for shorter in combinations(dimensions, length - 1) if length else ():
                    among &= alive.get(shorter, np.zeros(len(moved), dtype=bool))
                if among.any():
                    level[dimensions] = self._look(dimensions, among, moved, expected, heap, count)
            alive = level
        return sorted(heap, reverse=True)

    def _look(
        self,
        dimensions: tuple[int, ...],
        among: Flags,
        moved: Floats,
        usual: Floats,
        heap: list[_Found],
        count: int,
    ) -> Flags:
        """Look at all combinations of some dimensions; the cells of those within which there may be better ones."""
        places = np.flatnonzero(among)
        group, first = _groups(self._codes[places][:, list(dimensions)])
        groups = len(first)
        excess = _sums(group, moved[places], groups)
        expected = _sums(group, usual[places], groups)
        prior = PRIOR + _sums(group, self._prior[places], groups)
        scores = (
            self._score(excess, expected, prior) - PER_TAG * len(dimensions) - PER_PLACE * sum(dimensions)
        )
        for number in np.argsort(-scores)[:count].tolist():
            if excess[number] >= LEAST_SHARE:
                found = _Found(
                    round(float(scores[number]), 9),
                    -len(dimensions),
                    tuple(-at for at in dimensions),
                    int(places[first[number]]),
                    dimensions,
                )
                (heapq.heappush if len(heap) < count else heapq.heappushpop)(heap, found)
        rises = _sums(group, np.maximum(moved[places], 0.0), groups)
        reachable = self._score(
            rises, rises if self._falls else np.zeros(groups), np.full(groups, PRIOR)
        ) - PER_TAG * (len(dimensions) + 1)
        worth = rises >= LEAST_SHARE
        if len(heap) == count:
            worth &= reachable > heap[0].score
        among = among.copy()
        among[places] = worth[group]
        return among

    def _score(self, excess: Floats, expected: Floats, prior: Floats) -> Floats:
        """How unlikely what was observed is, in units of the excess."""
        excess = np.maximum(excess, 0.0)
        was = expected + prior
        now = np.maximum(expected - excess, 0.0) + prior if self._falls else was + excess
        score: Floats = now * np.log(now / was) - now + was
        return score


def _groups(codes: Ints) -> tuple[Ints, Ints]:
    """Which rows are alike: the group of each, and the first row of each group."""
    key = np.zeros(len(codes), dtype=np.int64)
    for column in codes.T:
        _, key = np.unique(key * (int(column.max()) + 1) + column, return_inverse=True)
    _, first = np.unique(key, return_index=True)
    return key, first


def _sums(group: Ints, values: Floats, groups: int) -> Floats:
    """The sum of each group."""
    sums: Floats = np.bincount(group, values, groups).astype(np.float64)
    return sums
