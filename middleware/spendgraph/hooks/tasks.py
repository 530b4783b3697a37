"""`meter.task(...)`: the block, decorator and async block that says who pays for what runs inside."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from pydantic import ValidationError

from spendgraph.context import CostContext, TaskScope, around, current_scope, enter, leave
from spendgraph.errors import LedgerError
from spendgraph.hooks.dispatcher import DISPATCHER
from spendgraph.hooks.outcomes import task_status
from spendgraph.hooks.surroundings import task_of

if TYPE_CHECKING:
    from spendgraph.hooks.listener import Listener
    from spendgraph.policy import Budget

P = ParamSpec("P")
R = TypeVar("R")


class TaskBlock:
    """One task around a block of code or around every call of a function.

    Use it with `with`, `async with`, or as a decorator of plain and coroutine functions. Every entry opens a task of its own (unless the context names a `task_id`); inside
    another task it opens a child task, which inherits the tags it does not set.

    It does not attach the meter to raw threads: see `Meter.carry` and `Meter.install`.

    Attributes:
        task_id: Id of the task, once entered.
    """

    def __init__(
        self, context: CostContext, listener: Listener, *, keep: object, cap: Budget | None = None
    ) -> None:
        self._context = context
        self._cap = cap
        self._listener = listener
        self._keep = keep
        self._entered: list[TaskScope] = []
        self._last_id = ""

    @property
    def task_id(self) -> str:
        """Id of the task that was entered last, also after its end.

        Raises:
            RuntimeError: The block has not been entered.
        """
        if self._entered:
            return task_of(self._entered[-1]).task_id
        if not self._last_id:
            raise RuntimeError("the task has no id before its block is entered")
        return self._last_id

    def __enter__(self) -> Self:
        if self._listener.closed:
            raise LedgerError("this task's meter was closed: open the task with an open meter")
        DISPATCHER.attach(self._listener)
        scope = self._listener.attribution.open_task(self._context)
        if self._cap is not None:
            self._listener.recorder.cap(task_of(scope), self._cap)
        self._entered.append(scope)
        enter(scope)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scope = self._here()
        self._entered.remove(scope)
        leave(scope)
        task = task_of(scope)
        self._last_id = task.task_id
        self._listener.settle(task.open_steps.values())
        self._listener.recorder.envelopes.give_back(task)
        status = task_status(error)
        if not task.paused and (task.announced or status == "refused"):
            self._listener.recorder.end_task(task, status)

    def _here(self) -> TaskScope:
        """The scope of the entry that is left now: one block may be entered by several threads and tasks."""
        for scope in around(current_scope()):
            if scope in self._entered:
                return scope
        return self._entered[-1]

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function: every call of it is a task."""
        fresh = self._fresh
        if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
            raise TypeError(
                f"meter.task cannot decorate the generator {fn.__name__!r}: it shares its consumer's "
                "context. Open the task with `with meter.task(...)` around the code that iterates over it."
            )
        if inspect.iscoroutinefunction(fn):

            @wraps(fn)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with fresh():
                    return await fn(*args, **kwargs)

            return cast("Callable[P, R]", call_async)

        @wraps(fn)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with fresh():
                result = fn(*args, **kwargs)
            if inspect.iscoroutine(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
                raise TypeError(
                    f"meter.task decorates {fn.__name__!r}, which returned a {type(result).__name__}: what it "
                    "does runs after the task has ended. Open the task where it is awaited or iterated over."
                )
            return result

        return call

    def _fresh(self) -> TaskBlock:
        return TaskBlock(self._context, self._listener, keep=self._keep, cap=self._cap)


def limit_of(name: str, limits: dict[str, Any], *, strict: bool) -> Budget:
    """The budget of a block that may spend only so much.

    Args:
        name: What it is called, in the budget and in errors.
        limits: `usd`, `tokens` or `calls`, and how many.
        strict: Only calls with a proven ceiling count as fitting.

    Raises:
        ValueError: There is not exactly one limit, or it is not an amount.
    """
    from spendgraph.policy import Budget

    if len(limits) != 1:
        raise ValueError(
            f"{name}: expected one of usd, tokens and calls, found {' and '.join(limits) or 'none'}"
        )
    ((unit, most),) = limits.items()
    try:
        return Budget.model_validate(
            {"name": name, "reserve": "strict" if strict else "expected", f"limit_{unit}": most}
        )
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"{name}: {unit}: {said}") from None
