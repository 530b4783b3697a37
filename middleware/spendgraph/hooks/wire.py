"""What Anthropic's stream says on the wire and LangChain drops.

A streamed answer of `ChatAnthropic` loses the split between five-minute and one-hour cache writes, the id of
the message, the service tier and the number of web searches: nothing on the LangChain message tells. The
events of the SDK's own `Stream` still carry them, so a tap reads `message_start` and `message_delta` as they
pass and keeps their counts for the run that is waiting for them. No text is read or kept.

A run announces itself with `expect` when its model starts; the next stream that is built in the same context
belongs to it. That holds for threads, asyncio tasks (which copy the context) and generators that take turns in
one context, because LangChain builds the stream in the same step in which it announces the start.
When one `generate()` call holds several prompts, they are matched in their order; under `agenerate()` two of
its rows may swap, which changes no sum and no tag.

The tap is installed by the first `expect`, and only into an SDK it recognises; otherwise it stays off and
`status()` says why. It never raises into the user's stream: what it cannot read it counts.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

MAX_EXPECTED = 4096
"""Runs waiting for their wire usage; beyond it the oldest is forgotten and falls back to LangChain's usage."""

_MARK = "_spendgraph_expectation"


class WireStatus(NamedTuple):
    """State of the tap, for `doctor`.

    Attributes:
        state: `off` (never needed, or uninstalled), `on`, or `unsupported` (the SDK has an unknown shape).
        reason: Why it is not on, or empty.
        waiting: Runs announced and not collected yet.
        unreadable: Events whose counts could not be read.
        forgotten: Runs dropped because too many were waiting.
    """

    state: str
    reason: str
    waiting: int
    unreadable: int
    forgotten: int


class _Expectation:
    """One run's claim on the next stream built in its context."""

    __slots__ = ("batch_size", "expecters", "message", "over", "run_key", "taken")

    def __init__(self, run_key: object, batch_size: int) -> None:
        self.run_key = run_key
        self.batch_size = batch_size
        self.expecters = 1
        self.taken = False
        self.over = False
        self.message: dict[str, Any] | None = None

    def read(self, event: Any) -> None:
        """Merge the counts of one raw event; every event but two kinds is left alone."""
        kind = getattr(event, "type", None)
        if kind == "message_start":
            message = event.message
            usage = _counts(message.usage)
            self.message = {
                "type": "message",
                "role": "assistant",
                "id": message.id,
                "model": message.model,
                "stop_reason": None,
                "service_tier": usage.get("service_tier"),
                "usage": usage,
            }
        elif kind == "message_delta" and self.message is not None:
            usage = self.message["usage"]
            usage.update(_counts(event.usage))
            self.message["service_tier"] = usage.get("service_tier")
            self.message["stop_reason"] = event.delta.stop_reason


class _Tap:
    """The wrapped SDK, and the runs waiting for their counts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: OrderedDict[object, _Expectation] = OrderedDict()
        self.originals: list[tuple[type, str, Any]] = []
        self.state = "off"
        self.reason = ""
        self.unreadable = 0
        self.forgotten = 0


_tap = _Tap()
_pending: ContextVar[tuple[_Expectation, ...]] = ContextVar("spendgraph_wire", default=())


def expect(run_key: object, *, batch_size: int = 1) -> None:
    """Let the next Anthropic stream built in this context report to a run.

    Several meters may expect one run; each of them collects the same counts.

    Args:
        run_key: Identifies the run (hashable), and later fetches its counts.
        batch_size: What LangChain passes to `on_chat_model_start`: prompts in one `generate()` call, which are
            all announced before the first is sent.
    """
    if _tap.state != "on" and not install():
        return
    with _tap.lock:
        known = _tap.waiting.get(run_key)
        if known is not None:
            known.expecters += 1
            return
    mine = _Expectation(run_key, batch_size)
    before: tuple[_Expectation, ...] = ()
    if batch_size > 1:
        same = [e for e in _pending.get() if e.batch_size == batch_size and not (e.taken or e.over)]
        before = tuple(same[-(batch_size - 1) :])
    with _tap.lock:
        _tap.waiting[run_key] = mine
        if len(_tap.waiting) > MAX_EXPECTED:
            _tap.waiting.popitem(last=False)[1].over = True
            _tap.forgotten += 1
    _pending.set((*before, mine))


def collect(run_key: object) -> dict[str, Any] | None:
    """What the wire said for a run, once for each `expect`: a raw message without content, or `None`.

    The mapping has the shape of Anthropic's own message (`id`, `model`, `usage`, `service_tier`,
    `stop_reason`), so `pricing.read_provider` reads it. `stop_reason` is `None` when the stream was cut before
    its last counts: the input is exact then, the output is not.
    """
    with _tap.lock:
        mine = _tap.waiting.get(run_key)
        if mine is None:
            return None
        mine.over = True
        mine.expecters -= 1
        if mine.expecters <= 0:
            del _tap.waiting[run_key]
        return mine.message


def status() -> WireStatus:
    """Whether the tap is on, and what it could not do."""
    return WireStatus(_tap.state, _tap.reason, len(_tap.waiting), _tap.unreadable, _tap.forgotten)


def install() -> bool:
    """Put the tap into the Anthropic SDK if it is loaded and has the shape we know; whether it is on."""
    if "anthropic" not in sys.modules:
        return False
    with _tap.lock:
        if _tap.state == "off":
            _tap.reason = _unknown_shape()
            if _tap.reason:
                _tap.state = "unsupported"
            else:
                streaming = importlib.import_module("anthropic._streaming")
                _wrap(streaming.Stream, _TappedIterator)
                _wrap(streaming.AsyncStream, _TappedAsyncIterator)
                _tap.state = "on"
        return _tap.state == "on"


def uninstall() -> None:
    """Take the tap out again; streams under way stop reporting, waiting runs are forgotten."""
    with _tap.lock:
        for owner, name, original in _tap.originals:
            setattr(owner, name, original)
        _tap.originals.clear()
        for expectation in _tap.waiting.values():
            expectation.over = True
        _tap.waiting.clear()
        _tap.state = "off"
        _tap.reason = ""
        _tap.unreadable = _tap.forgotten = 0


def _unknown_shape() -> str:
    """Why this SDK cannot be tapped, or an empty string."""
    try:
        streaming = importlib.import_module("anthropic._streaming")
    except ImportError as error:
        return f"anthropic has no module _streaming: {error}"
    for name in ("Stream", "AsyncStream"):
        members = vars(getattr(streaming, name, object))
        if not (callable(members.get("__init__")) and callable(members.get("__stream__"))):
            return f"anthropic._streaming.{name} has no __init__ and __stream__ to read from"
    return ""


def _wrap(owner: type, iterator: Callable[[Any, _Expectation], Any]) -> None:
    """Let streams of a class take the pending run at their construction and report to it."""
    original_init: Any = vars(owner)["__init__"]
    original_stream: Any = vars(owner)["__stream__"]

    @functools.wraps(original_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        # Before the original, since some SDK versions make their iterator while constructing.
        expectation = _take()
        if expectation is not None:
            setattr(self, _MARK, expectation)
        original_init(self, *args, **kwargs)

    @functools.wraps(original_stream)
    def stream(self: Any) -> Any:
        expectation: _Expectation | None = getattr(self, _MARK, None)
        events = original_stream(self)
        return events if expectation is None else iterator(events, expectation)

    _tap.originals += [(owner, "__init__", original_init), (owner, "__stream__", original_stream)]
    setattr(owner, "__init__", init)  # noqa: B010 - mypy refuses the assignment of a method
    setattr(owner, "__stream__", stream)  # noqa: B010 - the same


def _take() -> _Expectation | None:
    for expectation in _pending.get():
        with _tap.lock:
            if not (expectation.taken or expectation.over):
                expectation.taken = True
                return expectation
    return None


def _observe(expectation: _Expectation, event: Any) -> None:
    if expectation.over:
        return
    try:
        expectation.read(event)
    except Exception:  # noqa: BLE001 - an unknown event must not break the user's stream; doctor reports it
        _tap.unreadable += 1


def _counts(usage: Any) -> dict[str, Any]:
    """The fields of a usage object that are set."""
    fields: dict[str, Any] = usage.model_dump() if hasattr(usage, "model_dump") else dict(usage)
    return {name: value for name, value in fields.items() if value is not None}


class _TappedIterator:
    """The SDK's event generator, read while it passes; everything else is the generator's own."""

    __slots__ = ("_events", "_expectation")

    def __init__(self, events: Any, expectation: _Expectation) -> None:
        self._events = events
        self._expectation = expectation

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        event = next(self._events)
        _observe(self._expectation, event)
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)


class _TappedAsyncIterator:
    """The asynchronous twin of `_TappedIterator`."""

    __slots__ = ("_events", "_expectation")

    def __init__(self, events: Any, expectation: _Expectation) -> None:
        self._events = events
        self._expectation = expectation

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        event = await anext(self._events)
        _observe(self._expectation, event)
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)
