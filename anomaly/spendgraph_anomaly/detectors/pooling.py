"""What a new tenant is taken for until it has a past of its own: what its siblings' tails are like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from spendgraph_anomaly.scorers.evidence import USUAL_SCALES, USUAL_STARTS

FEWEST: Final = 3
"""Siblings of which an own prior is made; of fewer it would be the habit of one."""

SHARE: Final = 0.75
"""Three of four siblings have such a tail or a lighter one."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Where the tail of each number begins, and its scale, before anything was seen.

    Attributes:
        starts: By number, as `scorers.evidence` lists them.
        scales: By number.
    """

    starts: tuple[float, ...] = USUAL_STARTS
    scales: tuple[float, ...] = USUAL_SCALES

    def __post_init__(self) -> None:
        """Refuse what is no prior.

        Raises:
            ValueError: There are more or fewer numbers than scorers, or one is not finite.
        """
        for name, each in (("starts", self.starts), ("scales", self.scales)):
            if len(each) != len(USUAL_STARTS) or not np.isfinite(each).all():
                raise ValueError(f"{name} is {each!r}; it must be {len(USUAL_STARTS)} finite numbers")

    def as_plain(self) -> dict[str, Any]:
        """Itself in what JSON has."""
        return {"starts": list(self.starts), "scales": list(self.scales)}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Self:
        """What `as_plain` gave."""
        return cls(tuple(plain["starts"]), tuple(plain["scales"]))


USUAL: Final = Prior()
"""What real LLM tenants are like."""


def pool(tails: Iterable[Prior | None]) -> Prior:
    """The prior of a new tenant among siblings.

    Args:
        tails: Each sibling's `Detector.tails()`; those that have none yet are passed over.

    Returns:
        `USUAL` where fewer than three siblings have tails.
    """
    known = [each for each in tails if each is not None]
    if len(known) < FEWEST:
        return USUAL
    starts = np.quantile(np.array([each.starts for each in known]), SHARE, axis=0)
    scales = np.quantile(np.array([each.scales for each in known]), SHARE, axis=0)
    return Prior(tuple(map(float, starts)), tuple(map(float, scales)))
