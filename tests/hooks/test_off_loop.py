"""What was opened in a thread for somebody who has given up is undone, whoever notices first."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from spendgraph import Refusal
from spendgraph.hooks.off_loop import off_the_loop


def test_what_is_made_is_returned_and_kept() -> None:
    """Nothing is undone."""
    undone: list[int] = []
    assert asyncio.run(off_the_loop(lambda: 1, undone.append)) == 1
    assert undone == []


def test_what_is_ready_when_the_caller_gives_up_is_undone_once() -> None:
    """The thread is done, the loop has not heard of it yet, and the caller is cancelled."""
    undone: list[int] = []
    made = threading.Event()

    def make() -> int:
        made.set()
        return 1

    async def main() -> None:
        running = asyncio.create_task(off_the_loop(make, undone.append))
        await asyncio.sleep(0)
        made.wait()
        time.sleep(0.1)  # noqa: ASYNC251 - the loop is to hear nothing
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert undone == [1]


def test_what_comes_after_the_caller_gave_up_is_undone_once() -> None:
    """The thread goes on alone, even if the loop has ended."""
    undone: list[int] = []
    go = threading.Event()

    def make() -> int:
        go.wait()
        return 1

    async def main() -> None:
        running = asyncio.create_task(off_the_loop(make, undone.append))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        go.set()

    asyncio.run(main())
    assert undone == [1]


def test_what_cannot_be_made_is_an_error_and_nothing_is_undone() -> None:
    """The error is the caller's."""
    undone: list[int] = []

    def make() -> int:
        raise LookupError("no")

    with pytest.raises(LookupError):
        asyncio.run(off_the_loop(make, undone.append))
    assert undone == []


def test_a_refusal_that_comes_after_the_caller_gave_up_counts_as_dealt_with() -> None:
    """It reaches nobody who could ignore it."""
    refusal = Refusal("no")
    go = threading.Event()

    def make() -> int:
        go.wait()
        raise refusal

    async def main() -> None:
        running = asyncio.create_task(off_the_loop(make, lambda _: None))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        go.set()

    asyncio.run(main())
    assert refusal.is_handled


def test_a_refusal_that_the_caller_hears_is_the_callers_to_deal_with() -> None:
    """It is raised as it is."""
    refusal = Refusal("no")

    def make() -> int:
        raise refusal

    with pytest.raises(Refusal) as caught:
        asyncio.run(off_the_loop(make, lambda _: None))
    assert caught.value is refusal
    assert not refusal.is_handled
