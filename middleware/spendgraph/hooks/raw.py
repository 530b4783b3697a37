"""`meter.call`, `meter.acall`, `meter.step` and `meter.record`: spending that LangChain does not announce."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from spendgraph.clock import to_us
from spendgraph.errors import unexpected
from spendgraph.hooks.off_loop import off_the_loop
from spendgraph.hooks.raw_booking import RawBooking
from spendgraph.hooks.raw_requests import RawRequest, describe
from spendgraph.hooks.raw_step import RawStep
from spendgraph.hooks.raw_streams import MeteredManager, is_raw_response, metered
from spendgraph.hooks.tool_prices import amount_used, dollars
from spendgraph.ledger.records import StepKind

if TYPE_CHECKING:
    from decimal import Decimal

    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.tools import ToolRegistry

STEP_KINDS: frozenset[str] = frozenset(get_args(StepKind))

FUTURE_US = 5_000_000
"""How far ahead of the ledger's clock a recorded moment may be: machines' clocks differ by seconds."""


class RawCalls:
    """Books calls made with a provider's own SDK, and costs that no SDK reports.

    OpenAI's chat streams report their usage only when the request says
    `stream_options={"include_usage": True}`. It is not added here, because it also adds a last chunk with empty
    `choices`, which breaks code that reads `chunk.choices[0]`: without it such a stream is estimated and
    labelled so.

    Args:
        recorder: The meter's recorder.
        tools: The meter's tool registry, for prices of recorded costs.
    """

    def __init__(self, recorder: StepRecorder, tools: ToolRegistry) -> None:
        self._recorder = recorder
        self._tools = tools

    def call(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call an SDK method and book it; returns what it returns, streams as metered streams.

        Raises:
            ValueError: `fn` is not a known SDK method, or is asynchronous.
        """
        request = describe(fn, args, kwargs)
        if request.is_async:
            raise ValueError(f"meter.call: {request.name} is asynchronous, expected await meter.acall(...)")
        if request.shape in {"manager", "http"}:
            return self._managed(request, fn(*args, **kwargs))
        booking = RawBooking(self._recorder, request)
        try:
            answer = fn(*args, **kwargs)
        except BaseException as error:
            booking.failed(error)
            raise
        return _booked(booking, answer)

    async def acall(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """The asynchronous twin of `call`; a synchronous SDK method runs in a thread."""
        request = describe(fn, args, kwargs)
        if request.shape in {"manager", "http"}:
            return self._managed(request, fn(*args, **kwargs))
        booking = await self._begin(request)
        try:
            if request.is_async:
                answer = await fn(*args, **kwargs)
            else:
                answer = await asyncio.to_thread(fn, *args, **kwargs)
        except BaseException as error:
            booking.failed(error)
            raise
        return _booked(booking, answer)

    async def _begin(self, request: RawRequest) -> RawBooking:
        """Open the step of a call; reserving may wait for another process, which an event loop must not."""
        if not self._recorder.reserves:
            return RawBooking(self._recorder, request)
        return await off_the_loop(lambda: RawBooking(self._recorder, request), RawBooking.void)

    def step(
        self,
        kind: str,
        *,
        provider: str = "",
        model: str = "",
        name: str = "",
        owner: str = "",
        inputs: object = None,
        max_output_tokens: int | None = None,
        reserve: Decimal | str | float | None = None,
    ) -> RawStep:
        """A step of any kind, as a `with` or `async with` block whose object is told what it cost.

        Args:
            kind: A step kind, or a word of your own for kind `other` (it becomes the step's name).
            provider: Who is paid, in LangChain's words.
            model: The model, for kinds that are priced by tokens.
            name: What ran.
            owner: The team that provides it.
            inputs: What is sent, for an estimate where usage is missing; never stored.
            max_output_tokens: The most the answer may hold, for an upper bound where it is not heard.
            reserve: Dollars to set aside in budgets before it starts: the most it may cost.

        Raises:
            ValueError: `reserve` is not an amount of money, or a name is none.
        """
        known, name = _kind_and_name(kind, name)
        for word, given in (("provider", provider), ("model", model), ("owner", owner)):
            _is_text(given, f"step {name!r}: {word}")
        return RawStep(
            self._recorder,
            self._tools,
            known,
            name,
            provider=provider,
            model=model,
            owner=owner,
            inputs=inputs,
            max_output_tokens=max_output_tokens,
            reserve_nanousd=None if reserve is None else dollars(reserve, name=f"step {name!r}: reserve"),
        )

    def record(
        self,
        kind: str,
        *,
        usd: Decimal | str | float | None = None,
        quantity: Decimal | float | None = None,
        unit: str = "",
        name: str = "",
        owner: str = "",
        started: datetime | None = None,
        ended: datetime | None = None,
    ) -> None:
        """Book a cost of any kind under the current context, such as `record("human_review", usd="2.50")`.

        Args:
            kind: A step kind, or a word of your own for kind `other` (it becomes the step's name).
            usd: Dollars; whole numbers too. Without it the policy's `tools` price the name by its quantity.
            quantity: How much of it.
            unit: What the quantity counts.
            name: What ran.
            owner: The team that provides it.
            started: When it began; now by default. The cost belongs to this moment.
            ended: When it ended; now by default, and not in the future.

        Raises:
            ValueError: Neither the call nor the policy says what it costs, or a value is unusable.
        """
        known, name = _kind_and_name(kind, name)
        said = f"meter.record {name!r}"
        for word, given in (("unit", unit), ("owner", owner)):
            _is_text(given, f"{said}: {word}")
        used = None if quantity is None else amount_used(quantity, name=said)
        charge = self._tools.charge_units(name, 1 if used is None else used)
        cost = charge.cost_nanousd if usd is None else dollars(usd, name=said)
        if cost is None:
            raise ValueError(
                f"{said}: {charge.note}"
                if charge.note
                else f"{said}: expected usd=..., or a price for {name!r} under `tools` in the policy"
            )
        started_us = self._moment(started, f"{said}: started")
        ended_us = self._moment(ended, f"{said}: ended")
        if ended_us is not None and started_us is None:
            started_us = ended_us
        if started_us is not None and ended_us is not None and ended_us < started_us:
            raise ValueError(f"{said}: it ended ({ended}) before it started ({started})")
        step = self._recorder.open_here(known, name, fixed_nanousd=cost, is_spent=True, began_us=started_us)
        self._recorder.close(
            step,
            cost_nanousd=cost,
            quantity=None if used is None else float(used),
            unit=unit or charge.unit,
            owner=owner or charge.owner,
            ended_us=ended_us,
        )

    def _moment(self, moment: object, name: str) -> int | None:
        """A recorded moment in microseconds, which is not in the future."""
        if moment is None:
            return None
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise ValueError(unexpected(name, "a datetime with a time zone", moment))
        moment_us = to_us(moment)
        if moment_us > self._recorder.clock() + FUTURE_US:
            raise ValueError(f"{name}: {moment} is in the future: record a cost when it is there")
        return moment_us

    def _managed(self, request: RawRequest, manager: Any) -> MeteredManager:
        return MeteredManager(manager, lambda: RawBooking(self._recorder, request))


def _booked(booking: RawBooking, answer: Any) -> Any:
    if booking.request.shape == "stream":
        return metered(answer, booking)
    # A raw response's body is read already; its JSON is what `parse()` will make an object of.
    if is_raw_response(answer):
        booking.answered_by(lambda: answer.http_response.json())
    else:
        booking.answered(answer)
    return answer


def _is_text(given: object, name: str) -> None:
    if not isinstance(given, str):
        raise ValueError(f"{name}: expected a string, found {given!r}")  # noqa: TRY004 - one error for bad input


def _kind_and_name(kind: str, name: str) -> tuple[StepKind, str]:
    _is_text(kind, "kind")
    _is_text(name, "name")
    if kind in STEP_KINDS:
        known: Any = kind
        return known, name or kind
    if not kind or inspect.cleandoc(kind) != kind or len(kind) > 256:
        raise ValueError(f"expected a step kind or a short word of your own, found {kind!r}")
    return "other", name or kind
