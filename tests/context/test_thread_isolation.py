"""Two tenants at once in one process: nobody's scope reaches anybody else's threads or tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from context.places import ACME, GLOBEX, here, under
from spendgraph.context import TaskScope, current_scope, threads


@pytest.fixture
def installed() -> Iterator[None]:
    """Threads carry the current scope."""
    threads.install(current_scope)
    yield
    threads.uninstall(current_scope)


@pytest.mark.usefixtures("installed")
def test_two_tenants_in_many_threads_never_swap() -> None:
    """50 pieces of work each, over raw threads that submit to one shared pool and start threads themselves."""
    wrong: list[tuple[str, str]] = []
    seen: list[str] = []

    def check(expected: str) -> None:
        seen.append(expected)
        if here() != expected:
            wrong.append((expected, here()))

    def work(expected: str, pool: ThreadPoolExecutor) -> None:
        check(expected)
        pool.submit(check, expected).result()
        inner = threading.Thread(target=check, args=(expected,))
        inner.start()
        inner.join()

    with ThreadPoolExecutor(4) as pool:
        started: list[threading.Thread] = []
        for _ in range(50):
            for scope in (ACME, GLOBEX):
                with under(scope):
                    thread = threading.Thread(target=work, args=(scope.task_id, pool))
                    thread.start()
                    started.append(thread)
        for thread in started:
            thread.join()
    assert wrong == []
    assert (seen.count("t-acme"), seen.count("t-globex")) == (150, 150)


@pytest.mark.usefixtures("installed")
def test_two_tenants_in_many_tasks_never_swap() -> None:
    """50 asyncio tasks each, hopping through a pool and back."""

    async def pay(scope: TaskScope, pool: ThreadPoolExecutor) -> set[str]:
        loop = asyncio.get_running_loop()
        with under(scope):
            found = {here()}
            for _ in range(3):
                await asyncio.sleep(0)
                found |= {here(), await loop.run_in_executor(pool, here), await asyncio.create_task(look())}
        return found

    async def look() -> str:
        await asyncio.sleep(0)
        return here()

    async def main() -> list[set[str]]:
        with ThreadPoolExecutor(3) as pool:
            return await asyncio.gather(*(pay(scope, pool) for scope in (ACME, GLOBEX) for _ in range(50)))

    assert asyncio.run(main()) == [{"t-acme"}] * 50 + [{"t-globex"}] * 50
