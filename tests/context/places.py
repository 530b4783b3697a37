"""Two tenants' tasks, and ways to look at which of them code runs under."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from spendgraph.context import CostContext, TaskScope, bind, current_scope, unbind

ACME = TaskScope(CostContext(tenant="acme"), "t-acme")
GLOBEX = TaskScope(CostContext(tenant="globex"), "t-globex")


def here() -> str:
    """The task bound here."""
    scope = current_scope()
    return scope.task_id if scope else ""


def here_for(_: int) -> str:
    """The task bound here, for `map`."""
    return here()


@contextmanager
def under(scope: TaskScope | None) -> Generator[None]:
    """A block under a scope."""
    token = bind(scope)
    try:
        yield
    finally:
        unbind(token)


def in_thread(make: Callable[[Callable[[], None]], threading.Thread]) -> str:
    """What a thread made from a target sees."""
    seen: list[str] = []
    thread = make(lambda: seen.append(here()))
    thread.start()
    thread.join()
    return seen[0]


def plain(work: Callable[[], None]) -> threading.Thread:
    """A thread with a target."""
    return threading.Thread(target=work)
