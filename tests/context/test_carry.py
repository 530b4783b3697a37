"""Scopes, and functions that take theirs along."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncGenerator, Generator
from functools import partial

import pytest

from spendgraph.context import CostContext, TaskScope, bind, carry, current_scope, unbind

ACME = TaskScope(CostContext(tenant="acme"), "t-acme")
GLOBEX = TaskScope(CostContext(tenant="globex"), "t-globex")


def here() -> str:
    """The task bound here."""
    scope = current_scope()
    return scope.task_id if scope else ""


def test_a_scope_is_bound_until_it_is_unbound() -> None:
    """Scopes nest; `None` hides an outer one."""
    outer = bind(ACME)
    inner = bind(None)
    assert here() == ""
    unbind(inner)
    assert here() == "t-acme"
    unbind(outer)
    assert here() == ""


def test_unbinding_in_another_context_is_no_error() -> None:
    """A generator may be closed from another thread; that thread's own scope stays."""
    token = contextvars.copy_context().run(bind, ACME)
    mine = bind(GLOBEX)
    unbind(token)
    assert here() == "t-globex"
    unbind(mine)


def test_a_plain_function_runs_under_its_scope_and_leaves_none_behind() -> None:
    """Arguments, result and name are the function's own; an error unbinds, too."""

    def add(left: int, *, right: int) -> tuple[int, str]:
        """Add."""
        return left + right, here()

    carried = carry(add, ACME)
    token = bind(GLOBEX)
    assert carried(1, right=2) == (3, "t-acme")
    assert carry(add, None)(1, right=2) == (3, "")
    with pytest.raises(TypeError):
        carried("a", right=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert here() == "t-globex"
    unbind(token)
    assert (carried.__name__, carried.__doc__) == ("add", "Add.")


def test_nothing_but_the_scope_is_carried() -> None:
    """Other context variables are those of the place where the function runs."""
    variable = contextvars.ContextVar("variable", default="default")
    seen: list[tuple[str, str]] = []
    variable.set("submitter's")

    def look() -> None:
        seen.append((here(), variable.get()))

    thread = threading.Thread(target=carry(look, ACME))
    thread.start()
    thread.join()
    assert seen == [("t-acme", "default")]


def test_a_coroutine_function_runs_under_its_scope() -> None:
    """It stays a coroutine function, and tasks side by side keep their own scopes."""

    async def pay() -> list[str]:
        found = [here()]
        await asyncio.sleep(0)
        return [*found, here(), await asyncio.create_task(inner())]

    async def inner() -> str:
        return here()

    async def main() -> list[list[str]]:
        assert here() == ""
        found = list(await asyncio.gather(carry(pay, ACME)(), carry(pay, GLOBEX)(), pay()))
        found.append(await carry(pay, ACME)())
        assert here() == ""
        return found

    assert inspect.iscoroutinefunction(carry(pay, ACME))
    assert asyncio.run(main()) == [["t-acme"] * 3, ["t-globex"] * 3, [""] * 3, ["t-acme"] * 3]


def numbers() -> Generator[str, str, str]:
    """Yields the scope it sees, and shows all it is told."""
    told = ""
    try:
        while told != "stop":
            try:
                told = yield f"{here()}{told}"
            except KeyError as error:
                told = f" caught {error.args[0]}"
    finally:
        closed.append(here())
    return f"returned in {here()}"


closed: list[str] = []


def test_a_generator_has_its_scope_only_while_it_runs() -> None:
    """Its consumer's scope is untouched between items; send, throw and return arrive."""
    closed.clear()
    generator = carry(numbers, ACME)()
    assert next(generator) == "t-acme"
    assert here() == ""
    assert generator.send(" sent") == "t-acme sent"
    assert generator.throw(KeyError("k")) == "t-acme caught k"
    assert here() == ""
    with pytest.raises(StopIteration) as end:
        generator.send("stop")
    assert end.value.value == "returned in t-acme"
    assert closed == ["t-acme"]
    assert inspect.isgeneratorfunction(carry(numbers, ACME))


def test_a_generator_closed_early_from_another_thread_ends_in_its_scope() -> None:
    """Neither thread keeps the scope."""
    closed.clear()
    generator = carry(numbers, ACME)()
    next(generator)
    left: list[str] = []

    def close() -> None:
        token = bind(GLOBEX)
        generator.close()
        left.append(here())
        unbind(token)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert (closed, left, here()) == (["t-acme"], ["t-globex"], "")


async def anumbers() -> AsyncGenerator[str, str]:
    """The same, asynchronous."""
    told = ""
    try:
        while told != "stop":
            await asyncio.sleep(0)
            try:
                told = yield f"{here()}{told}"
            except KeyError as error:
                told = f" caught {error.args[0]}"
    finally:
        await asyncio.sleep(0)
        closed.append(here())


def test_an_async_generator_has_its_scope_only_while_it_runs() -> None:
    """As a generator; early closing reaches its `finally`, too."""
    closed.clear()

    async def main() -> None:
        generator = carry(anumbers, ACME)()
        assert await anext(generator) == "t-acme"
        assert here() == ""
        assert await generator.asend(" sent") == "t-acme sent"
        assert await generator.athrow(KeyError("k")) == "t-acme caught k"
        with pytest.raises(StopAsyncIteration):
            await generator.asend("stop")
        broken = carry(anumbers, GLOBEX)()
        await anext(broken)
        await broken.aclose()
        assert here() == ""

    asyncio.run(main())
    assert closed == ["t-acme", "t-globex"]
    assert inspect.isasyncgenfunction(carry(anumbers, ACME))


class Tool:
    """A callable object with an asynchronous call."""

    async def __call__(self) -> str:
        await asyncio.sleep(0)
        return here()


def test_a_partial_of_a_generator_function_is_a_generator_function() -> None:
    """What counts is what the call returns."""
    generator = carry(partial(numbers), ACME)()
    assert next(generator) == "t-acme"
    assert here() == ""
    generator.close()


def test_what_is_no_function_is_carried_by_its_call() -> None:
    """A callable object's coroutine runs under the scope; a class and a built-in are plain calls."""
    assert asyncio.run(carry(Tool(), ACME)()) == "t-acme"
    assert carry(str, ACME)(1) == "1"
    assert carry(len, ACME)([1, 2]) == 2
