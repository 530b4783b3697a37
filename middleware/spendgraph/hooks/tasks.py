"""`meter.task(...)`: the block, decorator and async block that says who pays for what runs inside."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from spendgraph.context import CostContext, TaskScope, bind, unbind
from spendgraph.hooks.outcomes import task_status

if TYPE_CHECKING:
    from contextvars import Token

    from spendgraph.hooks.attribution import Attribution
    from spendgraph.hooks.recorder import StepRecorder

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

    def __init__(self, context: CostContext, attribution: Attribution, recorder: StepRecorder) -> None:
        self._context = context
        self._attribution = attribution
        self._recorder = recorder
        self._last_id = ""
        self._entered: list[tuple[TaskScope, Token[TaskScope | None]]] = []

    @property
    def task_id(self) -> str:
        """Id of the task that was entered last, also after its end.

        Raises:
            RuntimeError: The block has not been entered.
        """
        if self._entered:
            return self._attribution.task_of(self._entered[-1][0]).task_id
        if not self._last_id:
            raise RuntimeError("the task has no id before its block is entered")
        return self._last_id

    def __enter__(self) -> Self:
        scope = self._attribution.open_task(self._context)
        self._entered.append((scope, bind(scope)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scope, token = self._entered.pop()
        unbind(token)
        task = self._attribution.task_of(scope)
        self._last_id = task.task_id
        self._attribution.tasks.pop(scope.task_id, None)
        self._recorder.settle(task.open_steps.values())
        if not task.paused and task.announced:
            self._recorder.end_task(task, task_status(error))

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
                return fn(*args, **kwargs)

        return call

    def _fresh(self) -> TaskBlock:
        return TaskBlock(self._context, self._attribution, self._recorder)
