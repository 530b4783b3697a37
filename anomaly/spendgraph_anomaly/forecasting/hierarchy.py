"""A hierarchy whose sums agree: what tenants are expected to spend adds up to what all are, to the nano-dollar.

The total is forecast for itself, and so is each of its parts. What the parts come to and what the total comes to are
weighed by how sure each is; the parts are then scaled to it, and cut into whole nano-dollars by the largest remainder.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from spendgraph_reports.organisation.dividing import Divider

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]


def reconciled(total: Values, parts: Values, total_off: float, parts_off: Values) -> Values:
    """Parts that come to one total, which lies between what was said of it and what they came to.

    Args:
        total: What was forecast of the total, bin by bin; shape `(horizon,)`.
        parts: What was forecast of each part; shape `(parts, horizon)`.
        total_off: How far the total's forecast may be off, in its unit.
        parts_off: How far each part's may be; shape `(parts,)`.
    """
    parts = np.maximum(parts, 0.0)
    summed = parts.sum(axis=0)
    of_parts = float(np.square(parts_off).sum())
    both = of_parts + total_off**2
    trust = of_parts / both if both > 0 else 0.0
    agreed = summed + trust * (total - summed)
    # Where no part is expected to spend, there is nobody to scale.
    ratio = np.divide(agreed, summed, out=np.ones_like(summed), where=summed > 0)
    return np.asarray(parts * np.maximum(ratio, 0.0), dtype=np.float64)


def whole(parts: Values) -> tuple[list[int], list[list[int]]]:
    """Dollars of bins as nano-dollars: the total of each bin, and for each part its bins, which add up to the totals.

    Args:
        parts: Dollars; shape `(parts, horizon)`.
    """
    totals: list[int] = []
    found: list[list[int]] = [[] for _ in range(parts.shape[0])]
    for column in parts.T:
        cells = divided(round(float(column.sum()) * 1e9), column.tolist())
        totals.append(sum(cells))
        for row, cell in zip(found, cells, strict=True):
            row.append(cell)
    return totals, found


def divided(amount: int, weights: Sequence[float]) -> list[int]:
    """An amount in whole parts that go by weights of 0 and more and add up to it; without any weight, the first has it all.

    >>> divided(100, [1.0, 1.0, 1.0])
    [34, 33, 33]
    """
    if not weights:
        return []
    if not sum(weights) > 0:
        return [amount] + [0] * (len(weights) - 1)
    return Divider([Decimal(repr(float(weight))) for weight in weights]).divide(amount)
