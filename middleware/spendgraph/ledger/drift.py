"""How far estimates are from what calls then cost, by feature and model or tool.

One pass over the calls; of each, eight bytes are kept until the end, for the quantiles.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3

_CALLS: Final = """\
SELECT c.feature, s.provider, s.kind,
  CASE WHEN s.kind = 'model' OR s.kind = 'embedding' OR s.kind = 'rerank' THEN s.model_requested ELSE s.name END,
  s.cost_nanousd + coalesce(k.cost_nanousd, 0), s.estimate_nanousd, s.reserved_nanousd
FROM steps AS s JOIN contexts AS c ON c.context_id = s.context_id
LEFT JOIN (
  SELECT corrects_step_id, sum(cost_nanousd) AS cost_nanousd FROM steps
  WHERE corrects_step_id IS NOT NULL GROUP BY corrects_step_id
) AS k ON k.corrects_step_id = s.step_id
WHERE s.entry = 'charge' AND s.status = 'ok' AND s.cost_basis IN ('reported', 'estimated', 'configured')
  AND s.estimate_nanousd IS NOT NULL AND s.started_us >= ? AND s.started_us < ?"""


class _Group:
    """What the calls of one feature and model come to."""

    __slots__ = ("cost", "errors", "estimate", "over", "unestimated")

    def __init__(self) -> None:
        self.errors = array("d")
        self.estimate = self.cost = self.over = self.unestimated = 0

    def add(self, cost: int, estimate: int, reserved: int) -> None:
        if estimate > 1:
            self.errors.append(abs(cost - estimate) / estimate)
            self.estimate += estimate
            self.cost += cost
            self.over += cost > reserved
        elif cost > 1:  # a nano-dollar says that nobody knew, and would make the ratios meaningless
            self.unestimated += 1

    def row(self) -> dict[str, Any]:
        errors = sorted(self.errors)
        calls = len(errors)
        return {
            "calls": calls,
            "estimate_nanousd": self.estimate,
            "cost_nanousd": self.cost,
            "ratio": self.cost / self.estimate if calls else None,
            "p50_error": _quantile(errors, 0.5),
            "p95_error": _quantile(errors, 0.95),
            "over_reservation": self.over / calls if calls else None,
            "unestimated": self.unestimated,
        }


def read_drift(connection: sqlite3.Connection, since_us: int, until_us: int) -> list[dict[str, Any]]:
    """See `LedgerReader.drift`."""
    groups: dict[tuple[str, str, str, str], _Group] = {}
    for feature, provider, kind, model, cost, estimate, reserved in connection.execute(
        _CALLS, (since_us, until_us)
    ):
        key = feature, provider, kind, model
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group()
        group.add(cost, estimate, reserved or 0)
    rows = [
        {"feature": key[0], "provider": key[1], "kind": key[2], "model": key[3], **group.row()}
        for key, group in groups.items()
        if group.errors or group.unestimated
    ]
    return sorted(rows, key=lambda row: (-row["cost_nanousd"], row["feature"], row["model"]))


def _quantile(ordered: list[float], q: float) -> float | None:
    return ordered[math.ceil(q * len(ordered)) - 1] if ordered else None
