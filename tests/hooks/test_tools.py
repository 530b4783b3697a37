"""Prices and owners of tools, from the policy and from the code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, tool

from hooks.conftest import Desk
from spendgraph.context import CostContext
from spendgraph.hooks.tool_prices import Charge, ToolPrice
from spendgraph.hooks.tools import ToolRegistry
from spendgraph.policy import parse_policy

POLICY = parse_policy("""
tools:
  web_search: {owner: search-platform, usd_per_call: "0.005"}
  "billing-mcp/*": {owner: payments, usd_per_unit: "0.0007", unit: page}
  lookup: {owner: data}
  "*_report": {usd_per_call: "0"}
""")


@pytest.fixture
def registry() -> ToolRegistry:
    """The registry of a policy with four entries."""
    return ToolRegistry(POLICY)


def message(content: str, artifact: object = None) -> ToolMessage:
    """A tool's result as an agent sees it."""
    return ToolMessage(content, tool_call_id="1", artifact=artifact)


@pytest.mark.parametrize(
    ("name", "result", "charge"),
    [
        ("web_search", "found", Charge(5_000_000, "search-platform", None, "", "configured")),
        ("lookup", "found", Charge(None, "data")),
        ("nobody_knows", "found", Charge()),
        ("cost_report", "found", Charge(0, "", None, "", "configured")),
        ("billing-mcp/scan", {"pages": 3}, Charge(2_100_000, "payments", 3, "page", "configured")),
        ("billing-mcp/scan", {"page": "1.5"}, Charge(1_050_000, "payments", 1.5, "page", "configured")),
        ("billing-mcp/scan", message('{"pages": 2}'), Charge(1_400_000, "payments", 2, "page", "configured")),
        (
            "billing-mcp/scan",
            message("ok", {"quantity": 1}),
            Charge(700_000, "payments", 1, "page", "configured"),
        ),
    ],
    ids=["flat", "free", "unknown", "zero", "units", "text units", "agent's message", "artifact"],
)
def test_a_tool_costs_what_the_policy_says(
    registry: ToolRegistry, name: str, result: object, charge: Charge
) -> None:
    """Flat, by unit, free, and unknown."""
    assert registry.charge(name, result) == charge


@pytest.mark.parametrize(
    "result", ["text", {"pages": -1}, {"pages": "many"}, {"pages": True}, None, message("[1")]
)
def test_units_that_nobody_reports_are_unpriced_not_free(registry: ToolRegistry, result: object) -> None:
    """The row says why."""
    charge = registry.charge("billing-mcp/scan", result)
    assert (charge.cost_nanousd, charge.basis) == (None, "unpriced")
    assert charge.note == "the result does not say how many page were used"


def test_a_server_names_its_tools(registry: ToolRegistry) -> None:
    """MCP tools are matched as `server/tool`, then by their bare name."""

    @tool
    def scan() -> str:
        """Scan."""
        return "scanned"

    assert registry.mcp("billing-mcp", [scan]) == [scan]
    assert registry.qualified("scan", scan.metadata) == "billing-mcp/scan"
    assert registry.qualified("scan", {"mcp_server_name": "other"}) == "other/scan"
    assert registry.qualified("scan", None) == "scan"
    assert registry.find("other/web_search").owner == "search-platform"


def test_the_policy_overrides_the_code_field_by_field(registry: ToolRegistry) -> None:
    """Its price wins, the code's owner stays where it names none."""
    registry.register("web_search", ToolPrice(owner="me", usd_per_call=Decimal(9)))
    registry.register("cost_report", ToolPrice(owner="me", usd_per_call=Decimal(9)))
    registry.register("lookup", ToolPrice(owner="me", usd_per_call=Decimal("0.25")))
    assert registry.charge("web_search", "") == Charge(5_000_000, "search-platform", None, "", "configured")
    assert registry.charge("cost_report", "") == Charge(0, "me", None, "", "configured")
    assert registry.charge("lookup", "") == Charge(250_000_000, "data", None, "", "configured")


def pages(result: Any) -> Decimal:
    """A price computed from a result."""
    return Decimal("0.005") * int(result["pages"])


def test_a_plain_call_of_a_decorated_function_is_booked(desk: Desk) -> None:
    """Outside LangChain the decorator books it itself, under the task around it."""

    @desk.meter.tool(owner="documents", price=pages, unit="page")
    def scan(path: str) -> dict[str, int]:
        return {"pages": len(path)}

    with desk.meter.task(CostContext(feature="archive")):
        assert scan("abc") == {"pages": 3}
    row = desk.row()
    assert (row["kind"], row["name"], row["feature"]) == ("tool", "scan", "archive")
    assert (row["cost_nanousd"], row["owner_team"]) == (15_000_000, "documents")
    assert (row["quantity"], row["unit"], row["cost_basis"]) == (3, "page", "configured")


@pytest.mark.asyncio
async def test_a_coroutine_function_is_booked_when_it_ends(desk: Desk) -> None:
    """Success, failure and cancellation are one row each."""

    @desk.meter.tool(price="0.01")
    async def wait(seconds: float) -> str:
        if seconds < 0:
            raise ValueError("no time machine")
        await asyncio.sleep(seconds)
        return "done"

    assert await wait(0) == "done"
    with pytest.raises(ValueError, match="time machine"):
        await wait(-1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(30), 0.01)
    await desk.meter.aflush()
    rows = [(row["status"], row["cost_nanousd"], row["error_class"]) for row in desk.rows()]
    assert rows == [("ok", 10_000_000, ""), ("error", 0, "ValueError"), ("cancelled", 0, "CancelledError")]


def inside(desk: Desk) -> BaseTool:
    """LangChain's decorator above ours."""

    @tool
    @desk.meter.tool(owner="documents", price=pages)
    def scan(path: str) -> dict[str, int]:
        """Scan a document."""
        return {"pages": len(path)}

    return scan


def outside(desk: Desk) -> BaseTool:
    """Ours above LangChain's decorator."""

    @desk.meter.tool(owner="documents", price=pages)
    @tool
    def scan(path: str) -> dict[str, int]:
        """Scan a document."""
        return {"pages": len(path)}

    return scan


@pytest.mark.parametrize("made", [inside, outside])
def test_a_langchain_tool_is_one_row_in_either_order(desk: Desk, made: Callable[[Desk], BaseTool]) -> None:
    """The callback handler books it, with the decorator's price and owner."""
    scan = made(desk)
    assert scan.args == {"path": {"title": "Path", "type": "string"}}
    config = desk.meter.config(CostContext(feature="archive"))
    assert scan.invoke({"path": "four"}, config) == {"pages": 4}
    call = {"name": "scan", "args": {"path": "ab"}, "id": "1", "type": "tool_call"}
    assert scan.invoke(call, config).content == '{"pages": 2}'
    rows = [(row["name"], row["cost_nanousd"], row["owner_team"], row["feature"]) for row in desk.rows()]
    assert rows == [
        ("scan", 20_000_000, "documents", "archive"),
        ("scan", 10_000_000, "documents", "archive"),
    ]


@pytest.mark.asyncio
async def test_an_asynchronous_langchain_tool_is_one_row(desk: Desk) -> None:
    """A coroutine function under LangChain's decorator."""

    @tool
    @desk.meter.tool(usd_per_call="0.02")
    async def fetch(url: str) -> str:
        """Fetch a page."""
        return url

    assert await fetch.ainvoke({"url": "x"}, desk.meter.config(CostContext(feature="archive"))) == "x"
    await desk.meter.aflush()
    assert desk.row()["cost_nanousd"] == 20_000_000


def test_a_helper_inside_another_tool_is_a_row_of_its_own(desk: Desk) -> None:
    """Only the tool LangChain runs is LangChain's to book."""

    @desk.meter.tool(price="0.001")
    def geocode(place: str) -> str:
        return place.upper()

    @tool
    def weather(place: str) -> str:
        """Tell the weather."""
        return geocode(place)

    weather.invoke({"place": "oslo"}, desk.meter.config(CostContext(feature="trips")))
    rows = {row["name"]: row for row in desk.rows()}
    assert (rows["geocode"]["cost_nanousd"], rows["weather"]["cost_nanousd"]) == (1_000_000, 0)
    assert rows["geocode"]["parent_step_id"] == rows["weather"]["step_id"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_tool_that_calls_itself_is_a_row_a_call(desk: Desk, asynchronous: bool) -> None:
    """LangChain announces the first; the function books the three within."""

    @desk.meter.tool(price="0.01")
    def descend(depth: int) -> int:
        """Go down."""
        return 0 if depth == 0 else 1 + descend(depth - 1)

    @desk.meter.tool(price="0.01", name="descend")
    async def adescend(depth: int) -> int:
        """Go down."""
        return 0 if depth == 0 else 1 + await adescend(depth - 1)

    config = desk.meter.config(CostContext(feature="archive"))
    if asynchronous:
        made = StructuredTool.from_function(coroutine=adescend, name="descend")
        assert asyncio.run(made.ainvoke({"depth": 3}, config)) == 3
    else:
        assert StructuredTool.from_function(descend).invoke({"depth": 3}, config) == 3
    rows = desk.rows()
    assert [(row["name"], row["cost_nanousd"]) for row in rows] == [("descend", 10_000_000)] * 4
    (outer,) = [row for row in rows if row["parent_step_id"] is None]
    assert {row["parent_step_id"] for row in rows} == {None, outer["step_id"]}


def test_a_function_called_twice_within_its_own_tool_is_two_calls(desk: Desk) -> None:
    """A tool of that name which calls the function again pays for it again."""

    @desk.meter.tool(price="0.01")
    def search(query: str) -> str:
        return query

    @tool("search")
    def both(query: str) -> str:
        """Search twice."""
        return search(query) + search(query)

    both.invoke({"query": "a"}, desk.meter.config(CostContext(feature="archive")))
    assert [row["cost_nanousd"] for row in desk.rows()] == [10_000_000, 10_000_000]


def test_an_attempt_that_failed_leaves_the_announcement_to_the_next(desk: Desk) -> None:
    """A retry between LangChain's decorator and ours: one tool call that went well, at its price once."""
    tries: list[str] = []

    @desk.meter.tool(price="0.01")
    def search(query: str) -> str:
        tries.append(query)
        if len(tries) == 1:
            raise TimeoutError
        return query

    @tool("search")
    def patient(query: str) -> str:
        """Search, twice if need be."""
        try:
            return search(query)
        except TimeoutError:
            return search(query)

    patient.invoke({"query": "a"}, desk.meter.config(CostContext(feature="archive")))
    assert [row["cost_nanousd"] for row in desk.rows()] == [10_000_000]


def price_that_raises(result: Any) -> object:
    """A bug in somebody's price."""
    return result["pages"] / 0


def price_of_words(result: Any) -> object:
    """No number."""
    return "a lot"


def price_below_nothing(result: Any) -> object:
    """A refund is no price."""
    return -1


@pytest.mark.parametrize(
    ("price", "note"),
    [
        (
            price_that_raises,
            "its price could not be computed: ZeroDivisionError: division by zero",
        ),
        (
            price_of_words,
            "its price could not be computed: ValueError: price: expected dollars such as '0.25', found 'a lot'",
        ),
        (
            price_below_nothing,
            "its price could not be computed: ValueError: price: expected an amount of at least 0, found "
            + "Decimal('-1')",
        ),
    ],
    ids=["raises", "nonsense", "negative"],
)
def test_a_price_that_fails_loses_neither_step_nor_result(
    desk: Desk, price: Callable[[Any], object], note: str
) -> None:
    """The row is unpriced and says why."""

    @desk.meter.tool(price=price)
    def scan() -> dict[str, int]:
        return {"pages": 1}

    assert scan() == {"pages": 1}
    row = desk.row()
    assert (row["cost_basis"], row["cost_nanousd"], row["usage_note"]) == ("unpriced", 0, note)


def test_whole_dollars_are_dollars(desk: Desk) -> None:
    """`price=2` is two dollars, not two nano-dollars."""

    @desk.meter.tool(price=2)
    def survey() -> str:
        return "asked"

    survey()
    assert desk.row()["cost_nanousd"] == 2_000_000_000


@pytest.mark.parametrize(
    "arguments",
    [
        {"price": "1", "usd_per_call": "1"},
        {"usd_per_unit": "1"},
        {"price": "-1"},
        {"usd_per_call": "much"},
        {"usd_per_call": True},
    ],
    ids=["two prices", "no unit", "negative", "no number", "bool"],
)
def test_a_bad_price_is_refused_where_it_is_written(desk: Desk, arguments: dict[str, Any]) -> None:
    """Not when the tool runs."""
    with pytest.raises(ValueError, match=r"meter\.tool"):
        desk.meter.tool(**arguments)


def test_only_functions_and_tools_can_be_decorated(desk: Desk) -> None:
    """Anything else is named."""
    with pytest.raises(ValueError, match="expected a function or a LangChain tool"):
        desk.meter.tool(price="1")(42)
