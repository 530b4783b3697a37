"""Cells: what each combination of tag values came to, and what it was expected to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The most specific combinations of a few dimensions, each once, in the order of their values.

    Attributes:
        dimensions: Their names.
        values: The values that each dimension has, sorted.
        codes: Which of them a cell has, shape `(cells, dimensions)`.
        observed: What a cell came to; times `weeks`, so that whatever is compared is a whole number.
        expected: What it came to in all weeks of the baseline together; the mean of them is expected.
        history: What it came to in each of them, shape `(cells, weeks)`; there may be none.
        background: What it comes to at all hours, a share of everything: what the hours of an incident do not tell apart, all hours may.
    """

    dimensions: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Ints
    observed: Ints
    expected: Ints
    history: Ints
    background: Floats

    @property
    def weeks(self) -> int:
        """How many weeks the baseline has, at least 1."""
        return max(1, int(self.history.shape[1]))

    def tags(self, cell: int, dimensions: Sequence[int]) -> dict[str, str]:
        """The values that a cell has in some dimensions."""
        return {self.dimensions[at]: self.values[at][int(self.codes[cell, at])] for at in sorted(dimensions)}


def cells_of(
    dimensions: Sequence[str],
    observed: Rows,
    baseline: Sequence[Rows],
    *,
    background: Rows = (),
) -> Cells:
    """Cells out of the rows of a period and those of the weeks it is compared with.

    Args:
        dimensions: The names of the values in rows.
        observed: Rows with these values and `cost_nanousd`.
        baseline: The same of each week; without one nothing was expected.
        background: The same of a longer time, at all hours; the baseline unless said.
    """
    weeks = len(baseline)
    sums: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (2 + weeks))
    for at, rows in enumerate((observed, *baseline, background)):
        for row in rows:
            sums[tuple(str(row[name]) for name in dimensions)][at] += row["cost_nanousd"]
    keys = sorted(sums)
    values = tuple(tuple(sorted({key[at] for key in keys})) for at in range(len(dimensions)))
    known = [{text: code for code, text in enumerate(texts)} for texts in values]
    codes = np.array(
        [[known[at][text] for at, text in enumerate(key)] for key in keys], dtype=np.int64
    ).reshape(len(keys), len(dimensions))
    spent = np.array([sums[key] for key in keys], dtype=np.int64).reshape(len(keys), 2 + weeks)
    expected = spent[:, 1:-1].sum(axis=1)
    whole = np.maximum(spent[:, -1] if background else expected, 0).astype(np.float64)
    return Cells(
        tuple(dimensions),
        values,
        codes,
        observed=spent[:, 0] * max(1, weeks),
        expected=expected,
        history=spent[:, 1:-1],
        background=whole / max(float(whole.sum()), 1.0),
    )
