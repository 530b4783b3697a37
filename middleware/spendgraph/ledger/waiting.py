"""Doing something on the ledger from wherever one is: at once, or on an event loop in the ledger thread, for a while.

On the thread of an event loop nothing may touch a database or wait for a lock. The ledger thread does it there, and
its reply is waited for on a `SimpleQueue`, which does stop the loop: so the wait has an end.
"""

from __future__ import annotations

import threading
from asyncio import _get_running_loop  # pyright: ignore[reportPrivateUsage] - exported; 20 times faster than get_running_loop raising
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from spendgraph.errors import LedgerBusy
from spendgraph.ledger.connection import BUSY_DEADLINE_S
from spendgraph.ledger.thread import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from spendgraph.ledger.writer import Writer

T = TypeVar("T")


def wherever(
    writer: Writer,
    act: Callable[[float], T],
    loop_wait_s: float,
    undo: Callable[[Any], None] | None = None,
) -> T:
    """What `act` returns, given how long it may wait: here, or where an event loop is running in the ledger thread.

    Args:
        writer: The ledger's.
        act: What is done.
        loop_wait_s: How long an event loop waits at most.
        undo: Called with a result that came when nobody waited any more.

    Raises:
        LedgerBusy: On an event loop, the ledger did not answer in time.
    """
    if _get_running_loop() is None:
        return act(BUSY_DEADLINE_S)
    found: Any = wait_for_thread(writer, lambda: act(loop_wait_s), loop_wait_s, undo)
    if isinstance(found, Exception):
        raise found
    done: T = found
    return done


def wait_for_thread(
    writer: Writer,
    act: Callable[[], object] | None,
    seconds: float,
    undo: Callable[[Any], None] | None = None,
) -> object:
    """What the ledger thread replies, or a `LedgerBusy` after some seconds.

    Args:
        writer: The ledger's.
        act: What the thread does, after everything queued is written.
        seconds: How long to wait for it.
        undo: Called by the thread with a result that came when nobody waited any more.
    """
    reply: SimpleQueue[object] = SimpleQueue()
    # Whoever takes it first decides: the thread that the result counts, or this one that it does not.
    deciding = threading.Lock()

    def answer(result: object) -> None:
        if deciding.acquire(blocking=False):
            reply.put(result)
        elif undo is not None:
            undo(result)

    writer.thread.ask(Request(answer, act))
    try:
        return reply.get(timeout=seconds)
    except Empty:
        if not deciding.acquire(blocking=False):
            return reply.get()
        return LedgerBusy(
            f"the ledger {writer.place.name} did not answer within {seconds * 1000:.0f} ms: another process"
            " holds the write lock, or the disk is slow"
        )
