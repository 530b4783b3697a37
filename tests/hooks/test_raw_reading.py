"""Answers that have been paid for and cannot be read."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest

from hooks.conftest import Desk
from spendgraph.hooks.raw_booking import RawBooking
from spendgraph.hooks.raw_requests import RawRequest

REQUEST = RawRequest(
    provider="openai",
    model="gpt-4o",
    kind="model",
    name="Completions.create",
    shape="plain",
    is_async=False,
    inputs="x" * 400,
    max_output_tokens=None,
    parameters={},
)
NOTE = "the answer could not be read (LookupError): its usage is estimated"


class Broken:
    """An SDK object of a version nobody knows: asking for its usage raises."""

    @property
    def usage(self) -> NoReturn:
        raise LookupError


def test_an_unreadable_answer_is_an_estimate_that_says_so(desk: Desk) -> None:
    """Nothing is raised at whoever paid for it."""
    RawBooking(desk.meter.recorder, REQUEST).answered(Broken())
    with desk.meter.step("model", provider="openai", model="gpt-4o", inputs="x" * 400) as step:
        step.response(Broken())
    for row in desk.rows():
        assert (row["status"], row["cost_basis"], row["input_tokens"]) == ("ok", "estimated", 100)
        assert row["usage_note"] == NOTE
    assert len(desk.rows()) == 2


def test_a_raw_body_that_is_no_json_is_an_estimate(desk: Desk) -> None:
    """A gateway's page, for example."""
    RawBooking(desk.meter.recorder, REQUEST).answered_by(lambda: json.loads("<html>"))
    row = desk.row()
    assert (row["status"], row["cost_basis"]) == ("ok", "estimated")
    assert row["usage_note"] == "the answer could not be read (JSONDecodeError): its usage is estimated"


@pytest.mark.parametrize("end", ["exhausted", "cut"])
def test_an_unreadable_event_makes_the_stream_an_estimate(desk: Desk, end: str) -> None:
    """What the other events say is kept."""
    booking = RawBooking(desk.meter.recorder, REQUEST)
    last: dict[str, Any] = {
        "object": "chat.completion.chunk",
        "model": "gpt-4o-2024-11-20",
        "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
    for event in (Broken(), last):
        booking.event(event)
    booking.exhausted() if end == "exhausted" else booking.cut()
    row = desk.row()
    assert (row["cost_basis"], row["model"], row["input_tokens"]) == ("estimated", "gpt-4o-2024-11-20", 7)
    assert NOTE in row["usage_note"]


def test_odd_metadata_leaves_the_answer_and_its_row(desk: Desk) -> None:
    """Counts and names that are none are not read."""
    with desk.meter.step("model", provider="openai", model="gpt-4o", inputs="x" * 400) as step:
        step.response({"id": 123, "model": 5, "service_tier": 3, "usage": {"prompt_tokens": "many"}})
    row = desk.row()
    assert (row["cost_basis"], row["response_id"], row["model"]) == ("estimated", "", "gpt-4o")
    assert row["input_tokens"] == 100


def test_a_step_takes_counts_that_are_counts(desk: Desk) -> None:
    """A note or a text is none."""
    with desk.meter.step("model", provider="openai", model="gpt-4o") as step:
        for tokens in ({"input_tokens": "3"}, {"input_tokens": 1.5}, {"note": 3}):
            given: dict[str, Any] = tokens
            with pytest.raises(ValueError, match="expected token counts"):
                step.usage(**given)
        step.usage(input_tokens=10)
    assert desk.row()["input_tokens"] == 10
