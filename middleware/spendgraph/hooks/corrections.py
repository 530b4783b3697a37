"""The difference between what was booked for a step and what its late end says."""

from __future__ import annotations

from spendgraph.ledger.records import StepRow

AMOUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_tokens",
    "cost_nanousd",
    "saved_nanousd",
)


def correction_of(booked: StepRow, actual: StepRow) -> StepRow:
    """The correction row that turns what was booked into what really happened.

    It carries signed differences, so that every sum over the step's rows is the actual amount; all else in
    it is as the late end said. It belongs, like the step, to the step's start.
    """
    deltas = {name: getattr(actual, name) - getattr(booked, name) for name in AMOUNTS}
    return actual._replace(
        step_id=f"{booked.step_id}/late",
        entry="correction",
        corrects_step_id=booked.step_id,
        **deltas,
    )
