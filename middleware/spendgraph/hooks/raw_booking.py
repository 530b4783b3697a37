"""The step of one raw provider call: opened before it is sent, booked once at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spendgraph.hooks.raw_errors import outcome_of, status_of
from spendgraph.hooks.raw_reading import read_answer, unreadable
from spendgraph.hooks.streams import received
from spendgraph.hooks.swallowed import note_refusal_inside
from spendgraph.pricing import Reported, StreamReader, Usage
from spendgraph.pricing.counts import field, items

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.hooks.raw_requests import RawRequest
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.ledger.records import CostBasis, StepStatus

_CUT_NOTE = "the stream was cut: its output is estimated from the text received"
_UNHEARD_NOTE = "sent, but its answer was not heard"


class RawBooking:
    """Books one raw call; every end after the first does nothing."""

    __slots__ = (
        "_heard_anything",
        "_is_complete",
        "_recorder",
        "_step",
        "_stream",
        "_unreadable",
        "is_over",
        "request",
    )

    def __init__(self, recorder: StepRecorder, request: RawRequest) -> None:
        self.request = request
        self.is_over = False
        self._recorder = recorder
        self._stream = StreamReader(provider=request.provider)
        self._heard_anything = False
        self._is_complete = False
        self._unreadable = ""
        self._step = recorder.open_here(
            request.kind,
            request.name,
            provider=request.provider,
            model=request.model,
            inputs=request.inputs,
            max_output_tokens=request.max_output_tokens,
            parameters=request.parameters,
        )

    def void(self) -> None:
        """Nothing was sent after all."""
        self.is_over = True
        self._recorder.void(self._step)

    def answered(self, response: object) -> None:
        """The whole answer is here."""
        self.answered_by(lambda: response)

    def answered_by(self, answer: Callable[[], object]) -> None:
        """The whole answer can be fetched; if that fails, it is nobody's trouble but the books'."""
        reported, note = read_answer(answer, self.request.provider)
        self._close(reported, "ok", None, note=note)

    def unread(self) -> None:
        """The call went well, and the caller read the answer where nobody else could see it."""
        if self._heard_anything:
            self.cut()
            return
        self._close(None, "ok", None, note="the answer was not seen: its usage is estimated")

    def failed(self, error: BaseException) -> None:
        """The call raised before its answer, or its stream, was there."""
        outcome = outcome_of(error)
        if outcome == "answered":
            reported, note = read_answer(lambda: getattr(error, "completion", None), self.request.provider)
            self._close(reported, "error", error, note=note)
        elif outcome == "free":
            self._close(Reported(usage=Usage()), "error", error)
        else:
            self._close_unheard(error)

    def event(self, event: object) -> bool:
        """One event of the answer's stream passes; whether it is more than what is held for the call covers."""
        self._heard_anything = True
        step = self._step
        try:
            self._stream.add(event)
            self._is_complete = self._is_complete or _is_last(event)
            if step.hold is None or self._is_complete or self.is_over:
                return False
            step.received = self._stream.size
        except Exception as error:  # noqa: BLE001 - the event is the caller's; the row says it was not read
            self._unreadable = unreadable(error)
        return step.hold is not None and step.received > step.allowance

    def outgrown(self) -> None:
        """More came than is held for: hold more, or cut the stream off.

        Raises:
            BudgetExceeded: There is no room left.
            LedgerUnavailable: The ledger cannot be written.
        """
        try:
            self._recorder.outgrown(self._step)
        except Exception as error:
            note_refusal_inside(self._recorder.enclosing(), error)
            raise

    def exhausted(self) -> None:
        """The stream came to its end."""
        reported, basis = self._heard()
        self._close(reported, "ok", None, note=self._unreadable, basis=basis)

    def cut(self, error: BaseException | None = None) -> None:
        """The stream ended before its end: closed, dropped or broken.

        It costs what was received, but on a connection that broke under a budget all that is held: how far the provider
        went on nobody knows.
        """
        if self.is_over:
            return
        if not self._heard_anything:
            if error is not None:
                self.failed(error)
            else:
                self._close_unheard(None)
            return
        reported, basis = self._heard()
        if error is not None and error is self._step.cut:
            self._close(received(self._step, reported), "cut", error, note=_CUT_NOTE)
        elif self._is_complete:
            status: StepStatus = "ok" if error is None else "error"
            self._close(reported, status, error, note=self._unreadable, basis=basis)
        elif error is not None and outcome_of(error) == "unknown" and self._step.is_held:
            self._close(reported, "cut", error, is_unheard=True)
        else:
            # Counts that came before the end are true of the input; the output they missed is estimated.
            basis = None if reported.usage is None else "estimated"
            note = "; ".join(filter(None, (_CUT_NOTE, self._unreadable)))
            self._close(reported, "cut", error, note=note, basis=basis)

    def _heard(self) -> tuple[Reported, CostBasis | None]:
        """What the stream has said so far; an estimate if some of it could not be read."""
        try:
            reported = self._stream.reported()
        except Exception as error:  # noqa: BLE001 - as for one event
            self._unreadable = unreadable(error)
            reported = Reported(provider=self.request.provider)
        return reported, "estimated" if self._unreadable else None

    def _close_unheard(self, error: BaseException | None) -> None:
        status: StepStatus = "cut" if error is None else status_of(error)
        self._close(None, status, error, note=_UNHEARD_NOTE, is_unheard=True)

    def _close(
        self,
        reported: Reported | None,
        status: StepStatus,
        error: BaseException | None,
        *,
        note: str = "",
        basis: CostBasis | None = None,
        is_unheard: bool = False,
    ) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._recorder.close(
            self._step,
            reported,
            status=status,
            error=error,
            note=note,
            cost_basis=basis,
            is_unheard=is_unheard,
        )


def _is_last(event: Any) -> bool:
    """Whether the event carries the final counts, so that closing after it cuts nothing."""
    kind = field(event, "type")
    if kind in {"message_delta", "response.completed", "response.incomplete", "response.failed"}:
        return True
    if field(event, "metadata") is not None and field(event, "object") is None:  # Bedrock
        return True
    if any(field(candidate, "finish_reason") for candidate in items(field(event, "candidates"))):
        return True
    return kind is None and getattr(event, "usage", None) is not None
