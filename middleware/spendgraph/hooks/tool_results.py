"""Results of tools that are not there when the tool returns: they are booked at their end.

A generator, an asynchronous generator and a coroutine come back as the same kind of object, and pass on what is
sent or thrown into them; another asynchronous iterator comes back as a proxy of itself; a future is itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Protocol, cast

from spendgraph.hooks.raw_streams import MeteredAsyncStream


class ToolCall(Protocol):
    """One call of a tool, booked by the first of these and by no later one."""

    def finish(self, result: object) -> None:
        """It returned a result."""
        ...

    def fail(self, error: BaseException) -> None:
        """It raised."""
        ...

    def stop(self) -> None:
        """Its result was given up before its end."""
        ...

    def drop(self) -> None:
        """Its result was never asked for."""
        ...


def booked_at_its_end(result: object, call: ToolCall) -> Any:
    """A result to hand out in place of a tool's own; a plain one is its own end."""
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        watch = _Watch(call)
        return watch.over(begun_later(result, watch.begin))
    if inspect.iscoroutine(result):
        watch = _Watch(call)
        return watch.over(_awaited(result, watch.begin))
    if asyncio.isfuture(result) or isinstance(result, concurrent.futures.Future):
        future = cast("Any", result)
        future.add_done_callback(functools.partial(_settled, call))
        return future
    if hasattr(cast("Any", type(result)), "__anext__"):
        return MeteredAsyncStream(result, _StreamedCall(call))
    call.finish(result)
    return result


def begun_later(inner: Any, begin: Callable[[], ToolCall]) -> Any:
    """A generator, asynchronous or not, whose call begins, as its code does, with the first item asked for."""
    return _iterated(inner, begin) if inspect.isgenerator(inner) else _iterated_later(inner, begin)


class _Watch:
    """Whether a result was ever asked for; if it is dropped before, none of its code has run."""

    __slots__ = ("begun", "call")

    def __init__(self, call: ToolCall) -> None:
        self.call = call
        self.begun = False

    def begin(self) -> ToolCall:
        self.begun = True
        return self.call

    def over(self, outer: Any) -> Any:
        weakref.finalize(outer, self.dropped)
        return outer

    def dropped(self) -> None:
        if self.begun:
            self.call.stop()
        else:
            self.call.drop()


def _iterated(inner: Generator[Any, Any, Any], begin: Callable[[], ToolCall]) -> Generator[Any, Any, Any]:
    call = begin()
    try:
        result = yield from inner
    except GeneratorExit:
        call.stop()
        raise
    except BaseException as error:
        call.fail(error)
        raise
    call.finish(result)
    return result


async def _awaited(inner: Any, begin: Callable[[], ToolCall]) -> Any:
    call = begin()
    try:
        result = await inner
    except BaseException as error:
        call.fail(error)
        raise
    call.finish(result)
    return result


async def _iterated_later(
    inner: AsyncGenerator[Any, Any], begin: Callable[[], ToolCall]
) -> AsyncGenerator[Any, Any]:
    call = begin()
    try:
        item = await anext(inner)
        while True:
            try:
                sent = yield item
            except GeneratorExit:
                await inner.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - it goes where it was thrown
                item = await inner.athrow(error)
            else:
                item = await inner.asend(sent)
    except StopAsyncIteration:
        call.finish(None)
    except GeneratorExit:
        call.stop()
        raise
    except BaseException as error:
        call.fail(error)
        raise


def _settled(call: ToolCall, future: Any) -> None:
    if future.cancelled():
        call.fail(asyncio.CancelledError())
    elif future.exception() is not None:
        call.fail(future.exception())
    else:
        call.finish(future.result())


class _StreamedCall:
    """A tool's call as the end of a stream."""

    def __init__(self, call: ToolCall) -> None:
        self._call = call

    def event(self, event: object) -> bool:  # noqa: ARG002 - as Booking has it
        """Items are the caller's alone."""
        return False

    def outgrown(self) -> None:
        """What a tool costs does not grow with what it says."""

    def exhausted(self) -> None:
        """The iteration came to its end."""
        self._call.finish(None)

    def cut(self, error: BaseException | None = None) -> None:
        """It was left or broke before its end."""
        if error is None:
            self._call.stop()
        else:
            self._call.fail(error)
