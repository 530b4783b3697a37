"""The choice: the models that were best in the backtest go on together, by their median.

The best are those whose bins were nearest, not whose sums were: with few moments, a sum is right by luck more often than
every day of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spendgraph_anomaly.forecasting.backtest import Backtest

    Values = NDArray[np.float64]

BEST: Final = 3
"""So many go on together: a single winner is often one by luck, and the median forgives one that goes astray."""

_WORTH: Final = 32.0
"""What models are trusted unseen is worth so many moments."""

_FIRST: Final = 0.7
_STEP: Final = 0.1
"""The first of the family is trusted to be off so much of what is usual, each one after it by so much more."""


def ranked(done: Backtest, names: Sequence[str], *, before: int | None = None) -> list[str]:
    """Models by how far they were off on average, the best first.

    Args:
        done: The backtest.
        names: Those that can go on now, in the order in which they are trusted unseen.
        before: Only what was known so many bins in: moments whose outcome had come by then.
    """
    is_judged = [
        before is None or origin + len(actual) <= before
        for origin, actual in zip(done.origins, done.actual, strict=True)
    ]
    errors = np.array([done.errors[name][np.array(is_judged, dtype=bool)] for name in names])
    said = np.isfinite(errors)
    # Beside what was usual at the same moments: who was silent when it was hard is not better for it.
    usual = np.array(
        [np.median(each[is_]) if is_.any() else 0.0 for each, is_ in zip(errors.T, said.T, strict=True)]
    )
    scores: dict[str, float] = {}
    for at, name in enumerate(names):
        unseen, moments = _FIRST + _STEP * at, int(said[at].sum())
        beside = float(usual[said[at]].sum())
        seen = float(errors[at][said[at]].sum()) / beside if beside > 0 else unseen
        scores[name] = (moments * seen + _WORTH * unseen) / (moments + _WORTH)
    return sorted(names, key=lambda name: scores[name])  # of equals, who is trusted more comes first


def together(paths: Mapping[str, Values], names: Sequence[str]) -> Values:
    """The median of the first few of these models, bin by bin."""
    return np.asarray(np.median([paths[name] for name in names[:BEST]], axis=0), dtype=np.float64)


def replayed(done: Backtest, order: Sequence[str]) -> list[Values | None]:
    """What the choice would have said at each moment of the backtest, choosing by what was known then."""
    said: list[Values | None] = []
    for at, origin in enumerate(done.origins):
        paths = {name: path for name in order if (path := done.paths[name][at]) is not None}
        if not paths:
            said.append(None)
            continue
        names = [name for name in ranked(done, order, before=origin) if name in paths]
        said.append(together(paths, names))
    return said
