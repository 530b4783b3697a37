"""Functions that take their task along: into threads, pools, callbacks, queues."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast

from spendgraph.context.scope import TaskScope, bind, unbind

P = ParamSpec("P")
R = TypeVar("R")


def carry(fn: Callable[P, R], scope: TaskScope | None) -> Callable[P, R]:
    """Return `fn` so that wherever it runs, it runs under `scope`.

    Plain functions, coroutine functions, generators and async generators stay what they are. A generator
    has the scope bound only while its own code runs, never in the code that iterates over it. No other
    context variable is carried.

    Args:
        fn: What will run elsewhere.
        scope: The scope to run it under; `None` runs it under none, whatever the other place has bound.
    """
    code = _code_of(fn)
    if inspect.isasyncgenfunction(code):
        carried: Callable[..., object] = _async_generator(
            cast("Callable[..., AsyncGenerator[Any, Any]]", fn), scope
        )
    elif inspect.isgeneratorfunction(code):
        carried = _generator(cast("Callable[..., Generator[Any, Any, Any]]", fn), scope)
    elif inspect.iscoroutinefunction(code):
        carried = _coroutine(cast("Callable[..., Any]", fn), scope)
    else:
        carried = _plain(fn, scope)
    return cast("Callable[P, R]", wraps(fn)(carried))


def run_under(scope: TaskScope | None, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `fn` under a scope."""
    token = bind(scope)
    try:
        return fn(*args, **kwargs)
    finally:
        unbind(token)


def _code_of(fn: Callable[..., object]) -> Callable[..., object]:
    """The function that tells what kind `fn` is: of a callable object, its `__call__`."""
    bare: object = fn
    while isinstance(bare, partial):
        bare = cast("partial[object]", bare).func
    if inspect.isroutine(bare) or inspect.isclass(bare):
        return cast("Callable[..., object]", bare)
    return cast("Callable[..., object]", getattr(bare, "__call__", bare))  # noqa: B004 - its kind is asked, not whether


def _plain(fn: Callable[..., Any], scope: TaskScope | None) -> Callable[..., Any]:
    def carried(*args: Any, **kwargs: Any) -> Any:
        return run_under(scope, fn, *args, **kwargs)

    return carried


def _coroutine(fn: Callable[..., Any], scope: TaskScope | None) -> Callable[..., Any]:
    async def carried(*args: Any, **kwargs: Any) -> Any:
        return await _await_under(scope, fn, *args, **kwargs)

    return carried


def _generator(
    fn: Callable[..., Generator[Any, Any, Any]], scope: TaskScope | None
) -> Callable[..., Generator[Any, Any, Any]]:
    def carried(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inner = fn(*args, **kwargs)
        advance: Callable[[Any], Any] = inner.send
        value: Any = None
        while True:
            try:
                item = run_under(scope, advance, value)
            except StopIteration as stop:
                return stop.value
            # Bound again only for the next advance: a generator shares its consumer's context.
            try:
                advance, value = inner.send, (yield item)
            except GeneratorExit:
                run_under(scope, inner.close)
                raise
            except BaseException as error:  # noqa: BLE001 - handed on to the generator it was thrown at
                advance, value = inner.throw, error

    return carried


def _async_generator(
    fn: Callable[..., AsyncGenerator[Any, Any]], scope: TaskScope | None
) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def carried(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = fn(*args, **kwargs)
        advance: Callable[[Any], Any] = inner.asend
        value: Any = None
        while True:
            try:
                item = await _await_under(scope, advance, value)
            except StopAsyncIteration:
                return
            try:
                advance, value = inner.asend, (yield item)
            except GeneratorExit:
                await _await_under(scope, inner.aclose)
                raise
            except BaseException as error:  # noqa: BLE001 - handed on to the generator it was thrown at
                advance, value = inner.athrow, error

    return carried


async def _await_under(scope: TaskScope | None, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    token = bind(scope)
    try:
        return await fn(*args, **kwargs)
    finally:
        unbind(token)
