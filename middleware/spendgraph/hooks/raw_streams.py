"""Transparent proxies for what raw provider calls return, so that usage is read while the caller reads.

Each yields exactly what the SDK yields, passes every other attribute through and answers `isinstance` as the
object it stands for. A stream is booked when it is exhausted, closed, broken or garbage collected, whichever
comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

if TYPE_CHECKING:
    from types import TracebackType

    from spendgraph.hooks.raw_booking import RawBooking


class Booking(Protocol):
    """What is told how a stream goes; every end after the first does nothing."""

    def event(self, event: object) -> bool:
        """One event passes; whether it is more than is held for, and `outgrown` is to be called."""
        ...

    def outgrown(self) -> None:
        """Hold more, or raise: then the stream is closed, and `cut` with the error."""
        ...

    def exhausted(self) -> None:
        """The stream came to its end."""
        ...

    def cut(self, error: BaseException | None = None) -> None:
        """It ended before its end: closed, dropped or broken."""
        ...


def metered(answer: Any, booking: RawBooking) -> Any:
    """The answer of a streaming call, metered: an SDK stream, a generator, or boto3's mapping with a stream."""
    if isinstance(answer, dict):  # boto3
        mapping = cast("dict[str, Any]", answer)
        if "stream" not in mapping:
            booking.answered(mapping)
            return mapping
        return {**mapping, "stream": MeteredStream(mapping["stream"], booking)}
    if is_raw_response(answer):
        return MeteredRawResponse(answer, booking)
    if hasattr(answer, "__aiter__"):
        return MeteredAsyncStream(answer, booking)
    return MeteredStream(answer, booking)


def is_raw_response(answer: Any) -> bool:
    """Whether an answer is what the SDKs' `with_raw_response` returns."""
    return hasattr(answer, "http_response") and callable(getattr(answer, "parse", None))


class _Proxy:
    """Stands for another object."""

    def __init__(self, inner: Any, booking: Booking) -> None:
        self._inner = inner
        self._booking = booking
        # On collection, without keeping the proxy alive: a dropped stream is a cut stream.
        self._dropped = weakref.finalize(self, booking.cut)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def __class__(self) -> type[Any]:
        inner: object = self._inner
        return type(inner)

    @__class__.setter
    def __class__(self, value: type[Any]) -> None:
        raise TypeError(f"{type(self._inner).__name__} cannot become {value.__name__}")

    def __repr__(self) -> str:
        return repr(self._inner)


class MeteredStream(_Proxy):
    """A synchronous stream."""

    def __init__(self, inner: Any, booking: Booking) -> None:
        super().__init__(inner, booking)
        self._events: Iterator[Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._events is None:
            self._events = iter(self._inner)
        try:
            event = next(self._events)
        except StopIteration:
            self._booking.exhausted()
            raise
        except BaseException as error:
            self._booking.cut(error)
            raise
        if self._booking.event(event):
            try:
                self._booking.outgrown()
            except BaseException as error:
                self._booking.cut(error)
                self._end()
                raise
        return event

    def _end(self) -> None:
        """Have the provider end its answer; the reason for it is what the caller hears of, not how that went."""
        close = getattr(self._inner, "close", None) or getattr(self._events, "close", None)
        if close is not None:
            with contextlib.suppress(Exception):
                close()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        try:
            return self._inner.__exit__(kind, error, trace)
        finally:
            self._booking.cut(error)

    def close(self) -> None:
        """Close the stream; what was received so far is booked."""
        try:
            if hasattr(self._inner, "close"):
                self._inner.close()
        finally:
            self._booking.cut()


class MeteredAsyncStream(_Proxy):
    """An asynchronous stream."""

    def __init__(self, inner: Any, booking: Booking) -> None:
        super().__init__(inner, booking)
        self._events: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._events is None:
            self._events = aiter(self._inner)
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            self._booking.exhausted()
            raise
        except BaseException as error:
            self._booking.cut(error)
            raise
        if self._booking.event(event):
            try:
                await asyncio.to_thread(self._booking.outgrown)
            except BaseException as error:
                self._booking.cut(error)
                await self._end()
                raise
        return event

    async def _end(self) -> None:
        """Have the provider end its answer; the reason for it is what the caller hears of, not how that went."""
        close = getattr(self._inner, "close", None) or getattr(self._inner, "aclose", None)
        if close is not None:
            with contextlib.suppress(Exception):
                await close()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        try:
            return await self._inner.__aexit__(kind, error, trace)
        finally:
            self._booking.cut(error)

    async def close(self) -> None:
        """Close the stream; what was received so far is booked."""
        await self._closed("close")

    async def aclose(self) -> None:
        """Close the stream; what was received so far is booked."""
        await self._closed("aclose")

    async def _closed(self, name: str) -> None:
        try:
            close = getattr(self._inner, name, None)
            if close is not None:
                await close()
        finally:
            self._booking.cut()


class MeteredRawResponse(_Proxy):
    """What `with_raw_response` returns for a stream, or a `with_streaming_response` body: read by `parse()`.

    The booking passes to the parsed stream, which may well outlive this.
    """

    def __init__(self, inner: Any, booking: RawBooking) -> None:
        super().__init__(inner, booking)
        self._answer = booking
        self._parsed: tuple[object, weakref.ref[Any]] | None = None

    def parse(self, **kwargs: Any) -> Any:
        """Parse as the SDK does; the parsed stream or answer is metered."""
        parsed = self._inner.parse(**kwargs)
        return self._parsed_later(parsed) if inspect.isawaitable(parsed) else self._metered(parsed)

    async def _parsed_later(self, parsed: Any) -> Any:
        return self._metered(await parsed)

    def _metered(self, parsed: Any) -> Any:
        if not (hasattr(parsed, "__anext__") or hasattr(parsed, "__next__")):
            self._answer.answered(parsed)
            return parsed
        if self._parsed is not None and self._parsed[0] is parsed:  # the SDK keeps what it parsed once
            known = self._parsed[1]()
            if known is not None:
                return known
        stream = metered(parsed, self._answer)
        self._parsed = parsed, weakref.ref(stream)
        self._dropped.detach()
        return stream


class MeteredManager:
    """The `with` block of `client.messages.stream(...)` and its kin, or of `with_streaming_response`.

    The request is sent on entering, so that is where the step opens. The SDK's own stream object comes out of
    the block: the raw stream inside it is metered, so that `text_stream`, `until_done()` and
    `get_final_message()` are counted as iteration is.
    """

    def __init__(self, manager: Any, book: Callable[[], RawBooking]) -> None:
        self._manager = manager
        self._book = book
        self._booking: RawBooking | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def __enter__(self) -> Any:
        self._booking = booking = self._book()
        try:
            entered = self._manager.__enter__()
        except BaseException as error:
            booking.failed(error)
            raise
        return _metered_inside(entered, booking)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        try:
            return self._manager.__exit__(kind, error, trace)
        finally:
            self._left(error)

    async def __aenter__(self) -> Any:
        self._booking = booking = self._book()
        try:
            entered = await self._manager.__aenter__()
        except BaseException as error:
            booking.failed(error)
            raise
        return _metered_inside(entered, booking)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        try:
            return await self._manager.__aexit__(kind, error, trace)
        finally:
            self._left(error)

    def _left(self, error: BaseException | None) -> None:
        if self._booking is None:
            return
        if self._booking.request.shape == "http" and error is None:
            self._booking.unread()
        else:
            self._booking.cut(error)


def _metered_inside(entered: Any, booking: RawBooking) -> Any:
    raw = getattr(entered, "_raw_stream", None)
    if raw is None:
        return metered(entered, booking)
    entered._raw_stream = metered(raw, booking)  # noqa: SLF001 - where all four helper streams keep it
    return entered
