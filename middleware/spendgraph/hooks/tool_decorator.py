"""`@meter.tool`: a price and an owner for a tool, where it is written.

The decorator works on a plain function, a coroutine function and a LangChain tool, above or below LangChain's
own `@tool`. A tool that LangChain runs is booked by the callback handler; a decorated function that is simply
called is booked here. Each call is one row either way.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, cast

from spendgraph.hooks.tool_prices import ToolPrice, dollars
from spendgraph.ids import new_id
from spendgraph.money import usd

if TYPE_CHECKING:
    from spendgraph.hooks.recorder import StepRecorder
    from spendgraph.hooks.steps import OpenStep
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.ledger.records import StepStatus

_ToolT = TypeVar("_ToolT")
Amount = Decimal | str | int | float


def tool_decorator(
    recorder: StepRecorder,
    registry: ToolRegistry,
    *,
    name: str = "",
    owner: str = "",
    price: Amount | Callable[[Any], object] | None = None,
    usd_per_call: Amount | None = None,
    usd_per_unit: Amount | None = None,
    unit: str = "",
) -> Callable[[_ToolT], _ToolT]:
    """A decorator that says what a tool costs and who publishes it, and books its plain calls.

    Args:
        recorder: Books calls that LangChain does not announce.
        registry: Learns the price.
        name: The tool's name where it differs from the function's, as with `@tool("search")`.
        owner: The team that publishes the tool.
        price: Dollars of each call, or a function of the result that returns dollars.
        usd_per_call: Dollars of each call; the same as a flat `price`.
        usd_per_unit: Dollars of each unit; the result says how many, under the unit's name (`page` or
            `pages`) or as `quantity`.
        unit: What is counted.

    Raises:
        ValueError: Two prices of one kind, a bad amount, or `usd_per_unit` without `unit`.
    """
    if price is not None and (usd_per_call is not None or usd_per_unit is not None):
        raise ValueError("meter.tool: expected either `price` or `usd_per_call`/`usd_per_unit`, found both")
    if usd_per_unit is not None and not unit:
        raise ValueError(
            "meter.tool: expected `unit` beside `usd_per_unit`: say what is counted, such as page"
        )
    computed = price if callable(price) else None
    flat = usd_per_call if price is None else None if callable(price) else price
    entry = ToolPrice(
        owner=owner,
        usd_per_call=_exact(flat, "usd_per_call"),
        usd_per_unit=_exact(usd_per_unit, "usd_per_unit"),
        unit=unit,
        price=computed,
    )

    def decorate(tool: _ToolT) -> _ToolT:
        target: Any = tool
        is_langchain_tool = not inspect.isroutine(target) and hasattr(target, "ainvoke")
        known_as = name or getattr(target, "name" if is_langchain_tool else "__name__", "")
        if not known_as or (not callable(target) and not is_langchain_tool):
            raise ValueError(f"meter.tool: expected a function or a LangChain tool, found {target!r}")
        registry.register(known_as, entry)
        if is_langchain_tool:
            return tool
        return cast("_ToolT", _booked(target, known_as, recorder, registry))

    return decorate


def _booked(
    function: Callable[..., Any], name: str, recorder: StepRecorder, registry: ToolRegistry
) -> Callable[..., Any]:
    """A function that books each of its calls that is not already a LangChain tool's."""

    def start() -> OpenStep | None:
        place = recorder.here()
        around = place.task.open_steps.get(place.parent_step_id or "")
        if around is not None and around.kind == "tool" and around.name.rpartition("/")[2] == name:
            return None
        return recorder.open(new_id(), place, "tool", name)

    def finish(step: OpenStep | None, result: object) -> None:
        if step is None:
            return
        charge = registry.charge(name, result)
        recorder.close(
            step,
            cost_nanousd=charge.cost_nanousd,
            cost_basis=charge.basis,
            owner=charge.owner,
            quantity=charge.quantity,
            unit=charge.unit,
            note=charge.note,
        )

    def fail(step: OpenStep | None, error: BaseException) -> None:
        if step is not None:
            status: StepStatus = "error" if isinstance(error, Exception) else "cancelled"
            recorder.close(step, status=status, error=error, owner=registry.owner(name))

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            step = start()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                fail(step, error)
                raise
            finish(step, result)
            return result

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        step = start()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            fail(step, error)
            raise
        finish(step, result)
        return result

    return called


def _exact(amount: Amount | None, name: str) -> Decimal | None:
    """An amount of dollars, exact to the nano-dollar or finer."""
    if amount is None:
        return None
    whole = usd(dollars(amount, name=f"meter.tool {name}"))
    exact = Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)
    return exact if exact != whole else whole
