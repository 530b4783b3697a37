"""The step of one raw provider call: opened before it is sent, booked once at its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spendgraph.hooks.raw_errors import outcome_of, status_of
from spendgraph.ids import new_id
from spendgraph.pricing import (
    Reported,
    StreamReader,
    Usage,
    estimate_usage,
    read_provider,
)
from spendgraph.pricing.counts import field

if TYPE_CHECKING:
    from spendgraph.hooks.raw_requests import RawRequest
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.ledger.records import CostBasis, StepStatus

_CUT_NOTE = "the stream was cut: its output is estimated from the text received"
_UNHEARD_NOTE = "sent, but its answer was not heard"


class RawBooking:
    """Books one raw call; every end after the first does nothing."""

    __slots__ = ("_heard_anything", "_is_complete", "_recorder", "_step", "_stream", "is_over", "request")

    def __init__(self, recorder: StepRecorder, request: RawRequest) -> None:
        self.request = request
        self.is_over = False
        self._recorder = recorder
        self._stream = StreamReader(provider=request.provider)
        self._heard_anything = False
        self._is_complete = False
        self._step = recorder.open(
            new_id(),
            recorder.here(),
            request.kind,
            request.name,
            provider=request.provider,
            model=request.model,
            inputs=request.inputs,
            max_output_tokens=request.max_output_tokens,
        )

    def answered(self, response: object) -> None:
        """The whole answer is here."""
        self._close(_read(response, self.request.provider), "ok", None)

    def unread(self) -> None:
        """The call went well, and the caller read the answer where nobody else could see it."""
        self._close(None, "ok", None, note="the answer was not seen: its usage is estimated")

    def failed(self, error: BaseException) -> None:
        """The call raised before its answer, or its stream, was there."""
        outcome = outcome_of(error)
        if outcome == "answered":
            answer = getattr(error, "completion", None)
            self._close(_read(answer, self.request.provider), "error", error)
        elif outcome == "free":
            self._close(Reported(usage=Usage()), "error", error)
        else:
            self._close_unheard(error)

    def event(self, event: object) -> None:
        """One event of the answer's stream passes."""
        self._heard_anything = True
        self._stream.add(event)
        self._is_complete = self._is_complete or _is_last(event)

    def exhausted(self) -> None:
        """The stream came to its end."""
        self._close(self._stream.reported(), "ok", None)

    def cut(self, error: BaseException | None = None) -> None:
        """The stream ended before its end: closed, dropped or broken."""
        if self.is_over:
            return
        if not self._heard_anything:
            if error is not None:
                self.failed(error)
            else:
                self._close_unheard(None)
            return
        reported = self._stream.reported()
        if self._is_complete:
            self._close(reported, "ok" if error is None else "error", error)
        else:
            # Counts that came before the end are true of the input; the output they missed is estimated.
            basis: CostBasis | None = None if reported.usage is None else "estimated"
            self._close(reported, "cut", error, note=_CUT_NOTE, basis=basis)

    def _close_unheard(self, error: BaseException | None) -> None:
        status: StepStatus = "cut" if error is None else status_of(error)
        limit = self.request.max_output_tokens
        if limit is None:
            self._close(None, status, error, note=_UNHEARD_NOTE)
        else:
            guess = replace(estimate_usage(self.request.inputs, ""), output_tokens=limit)
            self._close(Reported(usage=guess), status, error, note=_UNHEARD_NOTE, basis="upper_bound")

    def _close(
        self,
        reported: Reported | None,
        status: StepStatus,
        error: BaseException | None,
        *,
        note: str = "",
        basis: CostBasis | None = None,
    ) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._recorder.close(self._step, reported, status=status, error=error, note=note, cost_basis=basis)


def _is_last(event: Any) -> bool:
    """Whether the event carries the final counts, so that closing after it cuts nothing."""
    kind = field(event, "type")
    if kind in {"message_delta", "response.completed", "response.incomplete", "response.failed"}:
        return True
    if field(event, "metadata") is not None and field(event, "object") is None:  # Bedrock
        return True
    if any(
        getattr(candidate, "finish_reason", None) for candidate in getattr(event, "candidates", None) or ()
    ):
        return True
    return kind is None and getattr(event, "usage", None) is not None


def _read(response: object, provider: str) -> Reported:
    reported = read_provider(response, provider=provider)
    # google-genai answers function calls itself when functions are passed as tools, in several requests, and
    # reports the usage of the last one alone.
    if reported.usage is not None and getattr(response, "automatic_function_calling_history", None):
        note = "automatic function calling: the usage of its earlier requests is not reported"
        return replace(reported, usage=replace(reported.usage, note=reported.usage.note or note))
    return reported
