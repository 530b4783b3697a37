"""Carries the scope into raw threads and thread pools, for a whole process, until uninstalled.

`threading.Thread.start` and `ThreadPoolExecutor.submit` are wrapped. The scope is captured where a thread is
started or work is submitted, and bound around the thread's `run` or the one piece of work; no other context
variable travels. A worker that serves many submitters never keeps the scope of the one that started it.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from spendgraph.context.carry import run_under
from spendgraph.context.scope import TaskScope, around, current

Capture = Callable[[], TaskScope | None]
"""Returns the scope to carry from the place that calls it."""

# Threads that outlive the task that started them and serve everyone: bound to that task they would charge it
# for all others. What they run without a scope of its own is unattributed.
_SHARED_WORKERS = frozenset(
    {"concurrent.futures.thread", "concurrent.futures.process", "multiprocessing.pool"}
)

# Its work runs in another interpreter: a scope can neither be sent there nor mean anything.
_OTHER_INTERPRETERS: tuple[type, ...] = tuple(
    filter(None, [getattr(concurrent.futures, "InterpreterPoolExecutor", None)])
)


class _Submits(threading.local):
    """How many submits the running thread is inside of."""

    depth: int = 0


_lock = threading.Lock()
_captures: list[Capture] = []
_patches: list[_Patch] = []
_submits = _Submits()


def install(capture: Capture) -> None:
    """Carry what `capture` returns into every thread and pool from now on.

    Installing again counts: each call needs its own `uninstall`. Of several captures every one is heard; the
    latest is the innermost scope.
    """
    with _lock:
        _captures.append(capture)
        if len(_captures) == 1:
            _patches.append(_Patch(threading.Thread, "start", _carrying_start))
            _patches.append(_Patch(concurrent.futures.ThreadPoolExecutor, "submit", _carrying_submit))


def uninstall(capture: Capture | None = None) -> None:
    """Undo one `install`: of this capture, or the latest; the last one restores the originals.

    Where somebody has wrapped over us in the meantime, our wrapper stays in the chain and does nothing.
    """
    with _lock:
        if not _captures or (capture is not None and capture not in _captures):
            return
        _captures.remove(_captures[-1] if capture is None else capture)
        if not _captures:
            while _patches:
                _patches.pop().restore()


class _Patch:
    """One wrapped method, which can be told to do nothing where it cannot be taken out."""

    def __init__(
        self, owner: type, name: str, make: Callable[[Callable[..., Any], _Patch], Callable[..., Any]]
    ) -> None:
        self.active = True
        self.owner = owner
        self.name = name
        self.original: Callable[..., Any] = getattr(owner, name)
        self.wrapper = wraps(self.original)(make(self.original, self))
        setattr(owner, name, self.wrapper)

    def restore(self) -> None:
        self.active = False
        if getattr(self.owner, self.name) is self.wrapper:
            setattr(self.owner, self.name, self.original)


def _captured() -> TaskScope | None:
    scope = current()
    for capture in _captures.copy():
        found = capture()
        if found is not None and all(each is not found for each in around(scope)):
            found.outer = scope
            scope = found
    return scope


def _carrying_start(original: Callable[..., Any], patch: _Patch) -> Callable[..., Any]:
    def start(thread: threading.Thread) -> None:
        if not patch.active or _submits.depth or _serves_many(thread) or (scope := _captured()) is None:
            original(thread)
        else:
            _start_under(scope, thread, original)

    return start


def _start_under(scope: TaskScope, thread: threading.Thread, original: Callable[..., Any]) -> None:
    """Start a thread whose `run`, overridden or not, runs under the scope."""
    carried = _CarriedRun(scope, thread)
    try:
        original(thread)
    except BaseException:
        carried.put_back()
        raise


class _CarriedRun:
    """Stands in for a thread's `run` until it is called, and then leaves: thread and stand-in are no cycle."""

    __slots__ = ("attributes", "replaced", "run", "scope")

    def __init__(self, scope: TaskScope, thread: threading.Thread) -> None:
        self.scope = scope
        self.run = thread.run
        self.attributes: dict[str, Any] = vars(thread)
        self.replaced: Callable[[], None] | None = self.attributes.get("run")
        self.attributes["run"] = self

    def __call__(self) -> None:
        self.put_back()
        run_under(self.scope, self.run)

    def put_back(self) -> None:
        if self.attributes.get("run") is not self:
            return
        if self.replaced is None:
            del self.attributes["run"]
        else:
            self.attributes["run"] = self.replaced


def _serves_many(thread: threading.Thread) -> bool:
    target: object = getattr(thread, "_target", None)
    return type(thread).__module__ in _SHARED_WORKERS or getattr(target, "__module__", "") in _SHARED_WORKERS


def _carrying_submit(original: Callable[..., Any], patch: _Patch) -> Callable[..., Any]:
    def submit(pool: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if not patch.active or isinstance(pool, _OTHER_INTERPRETERS):
            return original(pool, fn, *args, **kwargs)
        scope = _captured()
        # The pool starts its workers in here; they must not take this submitter's scope for their own.
        _submits.depth += 1
        try:
            # Bound even when there is none: whatever a worker may have inherited is not this work's.
            return original(pool, run_under, scope, fn, *args, **kwargs)
        finally:
            _submits.depth -= 1

    return submit
