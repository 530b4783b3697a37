"""Corrections: new rows with signed differences, beside the row they correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spendgraph.ids import new_id
from spendgraph.ledger.records import StepRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spendgraph.ledger.records import CostBasis

CORRECTABLE = frozenset(
    {name for name in StepRow._fields if name.endswith("_tokens")} | {"cost_nanousd", "saved_nanousd"}
)
"""The columns a correction has a difference of."""


def correction_of(
    step: Mapping[str, Any],
    deltas: Mapping[str, int],
    reason: str,
    *,
    recorded_us: int,
    cost_basis: CostBasis | None = None,
    step_id: str | None = None,
) -> StepRow:
    """The row that corrects a step: it belongs to the same payer, task, place and time.

    Raises:
        ValueError: A delta is not of a correctable column, or there is none.
        TypeError: A delta is not an integer.
    """
    if not deltas:
        raise ValueError(f"expected a difference in one of {', '.join(sorted(CORRECTABLE))}")
    for name, delta in deltas.items():
        if name not in CORRECTABLE:
            raise ValueError(
                f"expected a difference in one of {', '.join(sorted(CORRECTABLE))}, found {name!r}"
            )
        if isinstance(delta, bool) or not isinstance(delta, int):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise TypeError(f"{name}: expected a whole number, found {delta!r}")
    same: dict[str, Any] = {name: step[name] for name in StepRow._fields}
    zero = dict.fromkeys(CORRECTABLE, 0)
    changes: dict[str, Any] = {
        **zero,
        **deltas,
        "step_id": step_id or new_id(),
        "entry": "correction",
        "corrects_step_id": step["step_id"],
        "recorded_us": recorded_us,
        "cost_basis": cost_basis or step["cost_basis"],
        "quantity": None,
        "estimate_nanousd": None,
        "reserved_nanousd": None,
        "usage_note": reason,
    }
    return StepRow(**{**same, **changes})


def late_correction(booked: StepRow, actual: StepRow) -> StepRow:
    """The row that turns what was booked of a step into what its late end says.

    It carries signed differences, so that every sum over the step's rows is the actual amount; all else in
    it is as the late end said. It belongs, like the step, to the step's start.
    """
    deltas = {name: getattr(actual, name) - getattr(booked, name) for name in CORRECTABLE}
    return actual._replace(
        step_id=f"{booked.step_id}/late",
        entry="correction",
        corrects_step_id=booked.step_id,
        **deltas,
    )
