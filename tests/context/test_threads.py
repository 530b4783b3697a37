"""The scope in raw threads and pools, while installed, and nothing else and nobody else's."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from multiprocessing.pool import ThreadPool

import pytest

from context.places import ACME, GLOBEX, here, here_for, in_thread, plain, under
from spendgraph.context import TaskScope, bind, carry, current_scope, threads


@pytest.fixture
def installed() -> Iterator[None]:
    """Threads carry the current scope; everything is as before afterwards."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    threads.install(current_scope)
    yield
    threads.uninstall(current_scope)
    assert threading.Thread.start is start
    assert ThreadPoolExecutor.submit is submit


class Overriding(threading.Thread):
    """A thread with a `run` of its own."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.work = work

    def run(self) -> None:
        self.work()


class Starting(Overriding):
    """A thread with a `start` of its own, too."""

    def start(self) -> None:
        super().start()


def daemon(work: Callable[[], None]) -> threading.Thread:
    """A daemon thread."""
    return threading.Thread(target=work, daemon=True)


def timer(work: Callable[[], None]) -> threading.Thread:
    """A timer's thread."""
    return threading.Timer(0.001, work)


THREADS = [
    pytest.param(plain, id="target"),
    pytest.param(daemon, id="daemon"),
    pytest.param(timer, id="timer"),
    pytest.param(Overriding, id="own run"),
    pytest.param(Starting, id="own start"),
]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("make", THREADS)
def test_a_thread_runs_under_the_scope_it_was_started_in(
    make: Callable[[Callable[[], None]], threading.Thread],
) -> None:
    """Threads of every making, with and without a scope to carry."""
    with under(ACME):
        assert in_thread(make) == "t-acme"
    assert in_thread(make) == ""


@pytest.mark.parametrize("make", THREADS)
def test_without_install_a_thread_sees_nothing(
    make: Callable[[Callable[[], None]], threading.Thread],
) -> None:
    """Wrapping `Thread` is opt-in."""
    with under(ACME):
        assert in_thread(make) == ""


@pytest.mark.usefixtures("installed")
def test_no_other_variable_is_carried() -> None:
    """LangChain's own variables do not reach a raw thread by our doing."""
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("submitter's")
    seen: list[str] = []
    with under(ACME), ThreadPoolExecutor(1) as pool:
        thread = threading.Thread(target=lambda: seen.append(variable.get()))
        thread.start()
        thread.join()
        assert pool.submit(variable.get).result() == "default"
    assert seen == ["default"]


@pytest.mark.usefixtures("installed")
def test_a_worker_started_by_one_tenant_does_not_keep_its_scope() -> None:
    """One worker, two tenants, and work without any: each piece is its submitter's."""
    with ThreadPoolExecutor(1) as pool:
        with under(ACME):
            first = pool.submit(lambda: (here(), threading.get_ident()))
        acme, worker = first.result()
        with under(GLOBEX):
            globex = pool.submit(lambda: (here(), threading.get_ident()))
        nobody = pool.submit(lambda: (here(), threading.get_ident()))
        assert acme == "t-acme"
        assert globex.result() == ("t-globex", worker)
        assert nobody.result() == ("", worker)
        with under(ACME):
            assert list(pool.map(here_for, range(3))) == ["t-acme"] * 3


@pytest.mark.usefixtures("installed")
def test_a_worker_that_inherited_a_scope_does_not_lend_it() -> None:
    """A worker may start with a scope (an initializer bound one): work without a scope sees none."""
    with ThreadPoolExecutor(1, initializer=bind, initargs=(GLOBEX,)) as pool:
        assert pool.submit(here).result() == ""


@pytest.mark.usefixtures("installed")
def test_a_callback_of_a_future_is_nobody_elses() -> None:
    """It runs after the work, outside of its scope."""
    seen: list[str] = []
    release = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with under(ACME):
            future: Future[bool] = pool.submit(release.wait)
        future.add_done_callback(lambda _: seen.append(here()))
        release.set()
    assert seen == [""]


@pytest.mark.usefixtures("installed")
def test_the_shared_workers_of_multiprocessing_carry_nothing() -> None:
    """A pool opened in one tenant's task would charge it for all: its work is unattributed, or carried by hand."""
    with under(ACME):
        pool = ThreadPool(2)
    with pool, under(GLOBEX):
        assert pool.map(here_for, range(4)) == [""] * 4
        assert pool.apply(carry(here, current_scope())) == "t-globex"
    pool.join()


@pytest.mark.usefixtures("installed")
def test_asyncio_executors_run_under_the_awaiting_tasks_scope() -> None:
    """`run_in_executor` and `to_thread`, default and own pool, tasks side by side."""

    async def pay(scope: TaskScope | None, pool: ThreadPoolExecutor) -> list[str]:
        loop = asyncio.get_running_loop()
        with under(scope):
            return [
                await loop.run_in_executor(None, here),
                await loop.run_in_executor(pool, here),
                await asyncio.to_thread(here),
            ]

    async def main() -> list[list[str]]:
        with ThreadPoolExecutor(1) as pool:
            return list(await asyncio.gather(pay(ACME, pool), pay(GLOBEX, pool), pay(None, pool)))

    assert asyncio.run(main()) == [["t-acme"] * 3, ["t-globex"] * 3, [""] * 3]


@pytest.mark.usefixtures("installed")
def test_a_context_that_was_copied_on_purpose_keeps_its_own_scope() -> None:
    """Work that runs in a copied context belongs where that was copied, whoever submits it."""
    with under(ACME):
        copied = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool, under(GLOBEX):
        assert pool.submit(copied.run, here).result() == "t-acme"


@pytest.mark.usefixtures("installed")
def test_a_loop_in_a_thread_passes_the_scope_to_its_tasks() -> None:
    """And a coroutine handed to that loop from elsewhere brings its own."""
    loops: list[asyncio.AbstractEventLoop] = []
    ready, seen = threading.Event(), list[str]()

    async def look() -> str:
        return here()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        seen.append(await asyncio.create_task(look()))
        stop = asyncio.Event()
        loops[0].call_later(30, stop.set)
        stops.append(lambda: loops[0].call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()

    stops: list[Callable[[], object]] = []
    with under(ACME):
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
    ready.wait(10)
    with under(GLOBEX):
        assert asyncio.run_coroutine_threadsafe(look(), loops[0]).result(10) == "t-globex"
    assert asyncio.run_coroutine_threadsafe(look(), loops[0]).result(10) == ""
    stops[0]()
    thread.join()
    assert seen == ["t-acme"]


@pytest.mark.usefixtures("installed")
def test_errors_are_what_they_were() -> None:
    """A second start, a refused submit and a raising target behave as without us."""
    with under(ACME):
        thread = threading.Thread(target=here)
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()
        assert "run" not in vars(thread)
        pool = ThreadPoolExecutor(1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 // 0).result()
        with pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        pool.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(here)
        assert issubclass(BrokenThreadPool, RuntimeError)
        assert in_thread(plain) == "t-acme"


@pytest.mark.usefixtures("installed")
def test_a_finished_thread_is_freed_without_the_garbage_collector() -> None:
    """The wrapped `run` makes no reference cycle."""
    gc.disable()
    try:
        with under(ACME):
            thread = Overriding(lambda: None)
            thread.start()
            thread.join()
        freed = weakref.ref(thread)
        del thread
        assert freed() is None
    finally:
        gc.enable()


@pytest.mark.usefixtures("installed")
def test_a_run_that_others_replaced_is_kept() -> None:
    """Tracers put a `run` of their own on a thread: it still runs, and is still there afterwards."""
    seen: list[str] = []

    def traced() -> None:
        seen.append(here())

    thread = threading.Thread()
    thread.run = traced  # type: ignore[method-assign]
    with under(ACME):
        thread.start()
    thread.join()
    assert seen == ["t-acme"]
    assert vars(thread)["run"] is traced
