"""A hold that was taken before LangChain announces its call, left for exactly that call to take over.

The agent's middleware reserves (on an event loop it awaits that) and then has the model called. When the call is
announced, its step takes the hold over, once, without asking the ledger again. Whatever else is called meanwhile
reserves for itself, and what nobody has taken over when the middleware gets its answer is given back.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from spendgraph.budgets.authority import Call
    from spendgraph.hooks.places import OpenStep
    from spendgraph.ledger.asks import Want

_INTERNAL = "lc_internal_call"
"""LangChain's mark on calls that a middleware makes for itself: a summary, a choice of tools."""


class Giver(Protocol):
    """The meter's recorder, which took a hold and can give it back."""

    def give_back(self, step: OpenStep) -> None:
        """Give back what is held for a step that was not begun."""
        ...


class Held:
    """A hold that waits for its call.

    Args:
        recorder: Whose step it is for.
        step: The step as it was reserved for; it has not begun.
        call: What was reserved for.
        wants: The windows.
        is_strict: A budget admits only proven ceilings: more than was reserved is never let out on it.
        last: The last message of the call.
    """

    __slots__ = ("_claiming", "call", "is_strict", "last", "outer", "recorder", "step", "wants")

    def __init__(
        self,
        recorder: Giver,
        step: OpenStep,
        call: Call,
        wants: tuple[Want, ...],
        last: Any,
        *,
        is_strict: bool,
    ) -> None:
        self.recorder = recorder
        self.step = step
        self.call = call
        self.wants = wants
        self.is_strict = is_strict
        self.last = last
        self.outer: Held | None = None
        self._claiming = threading.Lock()

    def claim(self) -> bool:
        """Whether the hold is the caller's: true once."""
        return self._claiming.acquire(blocking=False)

    def release(self) -> None:
        """Give it back, unless it was taken over."""
        if self.claim():
            self.recorder.give_back(self.step)

    def is_for(self, recorder: Giver, inputs: object) -> bool:
        """Whether it waits for a call of these messages, however much else of the call was changed since."""
        if recorder is not self.recorder or self._claiming.locked():
            return False
        last = _last(inputs)
        if last is self.last:
            return True
        known = getattr(self.last, "id", None)
        return known is not None and getattr(last, "id", None) == known


_HELD: ContextVar[Held | None] = ContextVar("spendgraph_held", default=None)


@contextmanager
def left_for_the_call(held: Held) -> Generator[None, None, None]:
    """Leave a hold to the call inside; give back what it did not take."""
    outer = held.outer = _HELD.get()
    _HELD.set(held)
    try:
        yield
    finally:
        _HELD.set(outer)
        held.release()


def waiting(recorder: Giver, inputs: object, metadata: dict[str, Any]) -> Held | None:
    """The hold that waits for a call that starts here, if there is one."""
    held = _HELD.get()
    if held is None or metadata.get(_INTERNAL):
        return None
    while held is not None and not held.is_for(recorder, inputs):
        held = held.outer
    return held


def _last(inputs: Any) -> Any:
    """The last message of what a chat model is sent."""
    try:
        return inputs[0][-1]
    except (IndexError, KeyError, TypeError):
        return None


def last_of(messages: Sequence[Any]) -> Any:
    """The last of a request's messages, if it has any."""
    return messages[-1] if messages else None
