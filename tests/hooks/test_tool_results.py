"""Tools whose result is not there when they return, and tools that share a name."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import pytest
from langchain_core.tools import BaseTool, tool

from hooks.conftest import Desk
from spendgraph.context import CostContext

TEN_CENTS = 100_000_000


def pages(result: Any) -> str:
    """One dollar a page."""
    return str(result["pages"])


def counting(
    desk: Desk, *, is_plain: bool, **price: Any
) -> Callable[[int], Generator[int, int, dict[str, int]]]:
    """A generator function, decorated; or a plain one that returns its generator."""

    def scan(count: int) -> Generator[int, int, dict[str, int]]:
        total = 0
        for page in range(count):
            total += (yield page) or 1
        return {"pages": total}

    def begun(count: int) -> Generator[int, int, dict[str, int]]:
        return scan(count)

    return desk.meter.tool(name="scan", **price)(begun if is_plain else scan)


@pytest.mark.parametrize("is_plain", [False, True])
def test_a_generator_is_booked_at_its_end_by_what_it_returns(desk: Desk, *, is_plain: bool) -> None:
    """Items and what is sent pass through; the row comes with the last item."""
    scan = counting(desk, is_plain=is_plain, price=pages)(2)
    assert next(scan) == 0
    assert scan.send(5) == 1
    assert desk.rows() == []
    with pytest.raises(StopIteration) as end:
        next(scan)
    assert end.value.value == {"pages": 6}
    assert (desk.row()["status"], desk.row()["cost_nanousd"]) == ("ok", 6_000_000_000)


@pytest.mark.parametrize("is_plain", [False, True])
def test_a_generator_left_early_is_cut_and_one_that_raises_an_error(desk: Desk, *, is_plain: bool) -> None:
    """The call is charged where it was used, not where it failed."""
    scan = counting(desk, is_plain=is_plain, price="0.1")
    for page in scan(9):
        assert page == 0
        break
    gc.collect()
    failing = scan(9)
    next(failing)
    with pytest.raises(KeyError):
        failing.throw(KeyError("page"))
    rows = [(row["status"], row["cost_nanousd"], row["error_class"]) for row in desk.rows()]
    assert rows == [("cut", TEN_CENTS, ""), ("error", 0, "KeyError")]


def test_a_generator_never_asked_costs_nothing(desk: Desk) -> None:
    """A generator function has not even begun; a function that returned one has."""
    counting(desk, is_plain=False, price="0.1")(3)
    assert desk.rows() == []
    counting(desk, is_plain=True, price="0.1")(3)
    gc.collect()
    row = desk.row()
    assert (row["status"], row["cost_nanousd"]) == ("cut", 0)
    assert row["usage_note"] == "its result was never asked for"


class Feed:
    """An asynchronous iterator that is no generator."""

    def __init__(self) -> None:
        self.left = 3
        self.title = "news"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return self.left


async def items() -> AsyncGenerator[int, None]:
    """Three items."""
    for item in (2, 1, 0):
        yield item


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["function", "generator", "iterator"])
async def test_asynchronous_iteration_is_booked_at_its_end(desk: Desk, kind: str) -> None:
    """However the iterator was made."""
    made: dict[str, Callable[[], AsyncIterator[int]]] = {
        "function": items, "generator": lambda: items(), "iterator": Feed,
    }  # fmt: skip
    read = desk.meter.tool(name="read", price="0.1")(made[kind] if kind != "iterator" else lambda: Feed())
    seen: list[int] = []
    async for item in read():
        assert desk.rows() == []
        seen.append(item)
    assert seen == [2, 1, 0]
    assert (desk.row()["status"], desk.row()["cost_nanousd"]) == ("ok", TEN_CENTS)
    if kind == "iterator":
        feed: Any = read()
        assert isinstance(feed, Feed)
        assert feed.title == "news"


@pytest.mark.asyncio
async def test_asynchronous_generators_take_what_is_sent_and_thrown(desk: Desk) -> None:
    """As an undecorated one does."""

    @desk.meter.tool(price="0.1")
    async def echo() -> AsyncGenerator[str, str]:
        heard = "hello"
        while True:
            try:
                heard = yield heard
            except LookupError:
                heard = "caught"

    talk = echo()
    assert await anext(talk) == "hello"
    assert await talk.asend("again") == "again"
    assert await talk.athrow(LookupError()) == "caught"
    with pytest.raises(RuntimeError, match="enough"):
        await talk.athrow(RuntimeError("enough"))
    left = echo()
    await anext(left)
    await left.aclose()
    await desk.meter.aflush()
    assert [(row["status"], row["cost_nanousd"]) for row in desk.rows()] == [("error", 0), ("cut", TEN_CENTS)]


@pytest.mark.asyncio
async def test_a_coroutine_and_a_future_from_a_plain_function_are_booked_when_done(desk: Desk) -> None:
    """Not while they are under way, and a failure is one."""

    async def fetch(url: str) -> dict[str, int]:
        await asyncio.sleep(0)
        if not url:
            raise ValueError("no url")
        return {"pages": len(url)}

    def begin(url: str) -> Coroutine[Any, Any, dict[str, int]]:
        return fetch(url)

    def schedule(url: str) -> asyncio.Future[dict[str, int]]:
        return asyncio.ensure_future(fetch(url))

    begun = desk.meter.tool(name="fetch", price=pages)(begin)("abc")
    assert desk.rows() == []
    assert await begun == {"pages": 3}
    assert await desk.meter.tool(name="schedule", price=pages)(schedule)("ab") == {"pages": 2}
    with pytest.raises(ValueError, match="no url"):
        await desk.meter.tool(name="fetch", price=pages)(begin)("")
    await asyncio.sleep(0)
    await desk.meter.aflush()
    rows = [(row["name"], row["status"], row["cost_nanousd"]) for row in desk.rows()]
    assert rows == [("fetch", "ok", 3_000_000_000), ("schedule", "ok", 2_000_000_000), ("fetch", "error", 0)]


def test_a_job_of_a_pool_is_booked_when_it_is_done(desk: Desk) -> None:
    """The future itself is returned."""
    with ThreadPoolExecutor(1) as pool:

        @desk.meter.tool(price=pages)
        def submit(count: int) -> Future[dict[str, int]]:
            return pool.submit(dict, pages=count)

        assert submit(2).result() == {"pages": 2}
    assert desk.row()["cost_nanousd"] == 2_000_000_000


def test_a_generator_of_a_langchain_tool_is_one_row(desk: Desk) -> None:
    """LangChain announced the call; iterating its result is not another one."""

    @tool
    @desk.meter.tool(price="0.1")
    def scan(count: int) -> Iterator[int]:
        """Scan."""
        yield from range(count)

    result = scan.invoke({"count": 2}, desk.meter.config(CostContext(feature="archive")))
    assert list(result) == [0, 1]
    assert desk.row()["cost_nanousd"] == TEN_CENTS


def test_one_name_has_one_price(desk: Desk) -> None:
    """LangChain tells tools apart by name; the same price again, as from a factory, is fine."""

    def made(price: Any) -> Callable[[], str]:
        @desk.meter.tool(owner="maps", price=price)
        def search() -> str:
            return "found"

        return search

    made("0.1")
    made("0.10")()
    with pytest.raises(
        ValueError, match=r"'search' has another price or owner already: found owner=maps, usd"
    ):
        made("0.2")
    assert desk.row()["cost_nanousd"] == TEN_CENTS
    for name in ("computed", "computed"):
        desk.meter.tool(name=name, price=factory())(len)
    with pytest.raises(ValueError, match=r"price=pages"):
        desk.meter.tool(name="computed", price=pages)(len)


def factory() -> Callable[[Any], object]:
    """A price function, made anew each time."""

    def price(result: Any) -> object:
        return result

    return price


def named(desk: Desk, *, is_async: bool) -> BaseTool:
    """LangChain knows the function by a name that our decorator is not told."""
    if is_async:

        @tool("lookup_page")
        @desk.meter.tool(owner="documents", price=pages)
        async def later(path: str) -> dict[str, int]:
            """Scan."""
            return {"pages": len(path)}

        return later

    @tool("lookup_page")
    @desk.meter.tool(owner="documents", price=pages)
    def scan(path: str) -> dict[str, int]:
        """Scan."""
        return {"pages": len(path)}

    return scan


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "coroutine"])
async def test_langchains_other_name_makes_no_second_row(desk: Desk, way: str) -> None:
    """The tool's row has the function's price, each time."""
    scan = named(desk, is_async=way == "coroutine")
    config = desk.meter.config(CostContext(feature="archive"))
    for path in ("ab", "a"):
        if way == "invoke":
            scan.invoke({"path": path}, config)
        else:
            await scan.ainvoke({"path": path}, config)
    await desk.meter.aflush()
    rows = [(row["name"], row["cost_nanousd"], row["owner_team"]) for row in desk.rows()]
    assert rows == [("lookup_page", 2_000_000_000, "documents"), ("lookup_page", 1_000_000_000, "documents")]
