"""Which task the running code belongs to, where no LangChain run says it: one context variable.

`Meter.task` binds a scope around a block, `carry` around a function that will run elsewhere. The variable
travels into asyncio tasks by itself; into raw threads and pools only with `carry` or
`spendgraph.context.threads`.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spendgraph.context.tags import CostContext


@dataclass(frozen=True, slots=True)
class TaskScope:
    """A task as seen from the code inside it.

    Attributes:
        context: Who pays.
        task_id: The task.
        parent_task_id: The task it was opened in, if any.
        opened_in: The run that encloses the place where the task was opened; opaque here.
        carried: It only brings an enclosing run into another thread and is no task of its own.
        owner: The meter that opened it; opaque here.
    """

    context: CostContext
    task_id: str
    parent_task_id: str | None = None
    opened_in: object | None = None
    carried: bool = False
    owner: object = None


_scope: ContextVar[TaskScope | None] = ContextVar("spendgraph_scope", default=None)


def current() -> TaskScope | None:
    """The scope bound here, if any."""
    return _scope.get()


def bind(scope: TaskScope | None) -> Token[TaskScope | None]:
    """Make a scope the current one until `unbind`; `None` hides an outer one."""
    return _scope.set(scope)


def unbind(token: Token[TaskScope | None]) -> None:
    """Restore what was current before `bind`."""
    try:
        _scope.reset(token)
    except ValueError:
        # A generator that bound it was closed from another thread or task: that context holds nothing of ours.
        return
