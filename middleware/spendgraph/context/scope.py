"""Which task the running code belongs to, where no LangChain run says it: one context variable.

`Meter.task` enters a scope around a block, `carry` binds one around a function that will run elsewhere. The
variable travels into asyncio tasks by itself; into raw threads and pools only with `carry` or
`spendgraph.context.threads`.

Scopes are linked from the inside out, for nested tasks and for several meters. A block is left by unlinking
its own scope, not by resetting the variable: generators that interleave in one context leave their blocks out
of order, and a reset would bring a scope back that has ended.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spendgraph.context.tags import CostContext


@dataclass(slots=True, eq=False)
class TaskScope:
    """A task as seen from the code inside it.

    Attributes:
        context: Who pays.
        task_id: The task.
        parent_task_id: The task it was opened in, if any.
        opened_in: The run that encloses the place where the task was opened; opaque here.
        carried: It only brings an enclosing run into another thread and is no task of its own.
        owner: The meter that opened it; opaque here.
        state: What that meter keeps of the task while it runs; opaque here.
        outer: The scope around this one, if any.
        closed: It was left in another context than the one that entered it, and counts no more.
        token: Tells which context entered it.
    """

    context: CostContext
    task_id: str
    parent_task_id: str | None = None
    opened_in: object | None = None
    carried: bool = False
    owner: object = None
    state: object = None
    outer: TaskScope | None = field(default=None, repr=False)
    closed: bool = False
    token: Token[TaskScope | None] | None = field(default=None, repr=False)


_scope: ContextVar[TaskScope | None] = ContextVar("spendgraph_scope", default=None)


def current() -> TaskScope | None:
    """The innermost open scope here, if any."""
    scope = _scope.get()
    while scope is not None and scope.closed:
        scope = scope.outer
    return scope


def around(scope: TaskScope | None) -> Iterator[TaskScope]:
    """The open scopes from this one outwards."""
    while scope is not None:
        if not scope.closed:
            yield scope
        scope = scope.outer


def enter(scope: TaskScope) -> None:
    """Make a scope the innermost one here, until `leave`."""
    scope.outer = current()
    scope.token = _scope.set(scope)


def leave(scope: TaskScope) -> None:
    """Take a scope out of those that hold here, wherever it stands.

    Copies of this context, those of background work, keep it: what was started inside goes on inside. In
    another context than the one that entered it (a generator was closed elsewhere), the scope is closed
    everywhere, because it cannot be taken out there.
    """
    top = _scope.get()
    inner, at = None, top
    while at is not None and at is not scope:
        inner, at = at, at.outer
    token, scope.token = scope.token, None
    try:
        if token is not None:
            _scope.reset(token)
    except ValueError:
        scope.closed = True
    if inner is None:
        _scope.set(scope.outer)
    else:
        if at is not None:
            inner.outer = scope.outer
        _scope.set(top)


def bind(scope: TaskScope | None) -> Token[TaskScope | None]:
    """Make a scope, with those around it, the only one here until `unbind`; `None` hides an outer one."""
    return _scope.set(scope)


def unbind(token: Token[TaskScope | None]) -> None:
    """Restore what was current before `bind`."""
    try:
        _scope.reset(token)
    except ValueError:
        # A generator that bound it was closed from another thread or task: that context holds nothing of ours.
        return
