"""Opening something on the ledger from an event loop: in a thread, awaited, and undone if nobody waits any more."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar, cast

from spendgraph.hooks.outcomes import is_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.hooks.refusals import Refusal

T = TypeVar("T")


async def off_the_loop(make: Callable[[], T], undo: Callable[[T], object]) -> T:
    """What `make` returns in a thread; undone there or here if the caller was cancelled meanwhile.

    A thread cannot be cancelled, and a loop that is shut down runs no more callbacks: so the thread itself has to find
    out that its result is not wanted.
    """
    # Whoever takes it first decides: the thread that the result counts, or the caller that it does not.
    deciding = threading.Lock()
    made: list[T] = []

    def run() -> T:
        try:
            result = make()
        except Exception as error:
            if not deciding.acquire(blocking=False) and is_refusal(error):
                cast(
                    "Refusal", error
                ).handled()  # whoever asked has given up: it reaches nobody who could ignore it
            raise
        made.append(result)
        if not deciding.acquire(blocking=False):
            undo(result)
        return result

    try:
        return await asyncio.to_thread(run)
    except BaseException:
        if not deciding.acquire(blocking=False) and made:
            undo(made[0])
        raise
