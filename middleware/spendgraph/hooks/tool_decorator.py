"""`@meter.tool`: a price and an owner for a tool, where it is written.

The decorator works on a plain function, a coroutine function and a LangChain tool, above or below LangChain's
own `@tool`. A tool that LangChain runs is booked by the callback handler; a decorated function that is simply
called is booked here. Each call is one row either way, also where LangChain knows the function by another name
(`@tool("search")` above `@meter.tool(...)`): its first run there teaches the registry that name. Give such a
tool that name here too, with `name="search"`, where the ledger should not depend on it. What a tool's function calls
while it runs is a row of its own, also where it calls itself.

A call of a generator function, or one that returns a generator, a coroutine or an asynchronous iterator, is
booked when that has ended. Its result, for a price that depends on it, is what a generator returns; an
asynchronous iterator has none. One that is left early is charged as a call, with the status `cut`.

A call that raises is charged nothing, unless it was cancelled, timed out or lost its connection: then it is booked at
all that is held for it in budgets.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar, cast

from spendgraph.errors import unexpected
from spendgraph.hooks.raw_errors import is_lost
from spendgraph.hooks.tool_prices import ToolPrice, charged, dollars
from spendgraph.hooks.tool_results import begun_later, booked_at_its_end
from spendgraph.money import usd

if TYPE_CHECKING:
    from spendgraph.hooks.places import OpenStep, Place
    from spendgraph.hooks.recorder import StepRecorder
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
        ValueError: Two prices of one kind, a bad amount, `usd_per_unit` without `unit`, or (when it
            decorates) a name that has another price already.
    """
    for word, given in (("name", name), ("owner", owner), ("unit", unit)):
        if not isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance] - from outside
            raise ValueError(unexpected(f"meter.tool: {word}", "a string", given))  # noqa: TRY004 - bad arguments are one kind of error
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
        return cast("_ToolT", _Booked(known_as, entry, recorder, registry).wrap(target))

    return decorate


class _Call:
    """One plain call of a decorated function; booked once, since the recorder takes one end of a step."""

    __slots__ = ("_price", "_recorder", "_step")

    def __init__(self, recorder: StepRecorder, step: OpenStep, price: ToolPrice) -> None:
        self._recorder = recorder
        self._step = step
        self._price = price

    def finish(self, result: object) -> None:
        self._charge(result, "ok")

    def stop(self) -> None:
        self._charge(None, "cut")

    def drop(self) -> None:
        note = "its result was never asked for"
        self._recorder.close(self._step, status="cut", owner=self._price.owner, note=note)

    def fail(self, error: BaseException) -> None:
        status: StepStatus = "error" if isinstance(error, Exception) else "cancelled"
        self._recorder.close(
            self._step, status=status, error=error, owner=self._price.owner, is_unheard=is_lost(error)
        )

    def _charge(self, result: object, status: StepStatus) -> None:
        charge = charged(self._price, result)
        self._recorder.close(
            self._step,
            status=status,
            cost_nanousd=charge.cost_nanousd,
            cost_basis=charge.basis,
            owner=charge.owner,
            quantity=charge.quantity,
            unit=charge.unit,
            note=charge.note,
        )


class _Booked:
    """Makes a function book each of its calls that is not already a LangChain tool's."""

    def __init__(self, name: str, entry: ToolPrice, recorder: StepRecorder, registry: ToolRegistry) -> None:
        self._name = name
        self._entry = entry
        self._price = registry.own(name, entry)
        self._recorder = recorder
        self._registry = registry

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, booking."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            def iterated(*args: Any, **kwargs: Any) -> Any:
                inner = function(*args, **kwargs)
                if self._announced(self._recorder.here(), _caller()) is not None:
                    return inner
                return begun_later(inner, lambda: self._open((args, kwargs)))

            return iterated

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                announced = self._announced(self._recorder.here(), _caller())
                if announced is not None:
                    with _running(announced):
                        return await function(*args, **kwargs)
                call = self._open((args, kwargs))
                try:
                    result = await function(*args, **kwargs)
                except BaseException as error:
                    call.fail(error)
                    raise
                return booked_at_its_end(result, call)

            return awaited

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            announced = self._announced(self._recorder.here(), _caller())
            if announced is not None:
                with _running(announced):
                    return function(*args, **kwargs)
            call = self._open((args, kwargs))
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                call.fail(error)
                raise
            return booked_at_its_end(result, call)

        return called

    def _open(self, inputs: object) -> _Call:
        step = self._recorder.open_here("tool", self._name, inputs=inputs)
        return _Call(self._recorder, step, self._price)

    def _announced(self, place: Place, caller: str) -> OpenStep | None:
        """The step that LangChain has announced for this very call, as the tool that runs here; `None` books it here.

        A tool that LangChain runs is one call: whatever its function calls while it runs, itself included, and what is
        called after it, is a row of its own.
        """
        around = place.task.open_steps.get(place.parent_step_id or "")
        if around is None or around.kind != "tool" or around.is_called:
            return None
        running = around.name.rpartition("/")[2]
        if running != self._name and not (caller in _LANGCHAIN_TOOLS and self._is_known_as(running)):
            return None
        with _calling:
            if around.is_called:
                return None
            around.is_called = True
        return around

    def _is_known_as(self, name: str) -> bool:
        """Whether a LangChain tool that calls the function itself may be booked at its price."""
        try:
            self._registry.register(name, self._entry)
        except ValueError:  # that name has a price of its own: the function's is a row beside it
            return False
        return True


_LANGCHAIN_TOOLS = frozenset({"langchain_core.tools.structured", "langchain_core.tools.simple"})
_calling = threading.Lock()


@contextmanager
def _running(announced: OpenStep) -> Generator[None]:
    """The call that LangChain has announced; when it raises, another attempt within the same tool is that call."""
    try:
        yield
    except BaseException:
        announced.is_called = False
        raise


def _caller() -> str:
    """The module that called the decorated function."""
    here = inspect.currentframe()
    wrapper = None if here is None else here.f_back
    caller = None if wrapper is None else wrapper.f_back
    return "" if caller is None else str(caller.f_globals.get("__name__", ""))


def _exact(amount: Amount | None, name: str) -> Decimal | None:
    """An amount of dollars, exact to the nano-dollar or finer."""
    if amount is None:
        return None
    whole = usd(dollars(amount, name=f"meter.tool {name}"))
    exact = Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)
    return exact if exact != whole else whole
