"""What one call of a tool costs: a price, a result, a charge.

A charge that cannot be computed is *unpriced* and says why; it never raises, because the tool has run and its
result is worth more than its row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from spendgraph.money import nanousd
from spendgraph.pricing.counts import field

if TYPE_CHECKING:
    from spendgraph.ledger.records import CostBasis


class Charge(NamedTuple):
    """What one call of a tool costs.

    Attributes:
        cost_nanousd: The cost, or `None`: free when `basis` is `None`, else not computable.
        owner: The team that publishes the tool, or empty.
        quantity: Units used, where the tool is counted.
        unit: What the units are.
        basis: `configured`, `unpriced`, or `None` for a tool without a price.
        note: Why it is unpriced, or empty.
    """

    cost_nanousd: int | None = None
    owner: str = ""
    quantity: float | None = None
    unit: str = ""
    basis: CostBasis | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ToolPrice:
    """A tool's price; amounts are dollars.

    Attributes:
        owner: The team that publishes the tool.
        usd_per_call: Each call.
        usd_per_unit: Each unit of the quantity found in the result.
        unit: What is counted, such as `page`.
        price: Computes the dollars of one call from its result.
    """

    owner: str = ""
    usd_per_call: Decimal | None = None
    usd_per_unit: Decimal | None = None
    unit: str = ""
    price: Callable[[Any], object] | None = None

    @property
    def is_priced(self) -> bool:
        """Whether it says anything about money."""
        return self.usd_per_call is not None or self.usd_per_unit is not None or self.price is not None

    def is_like(self, other: ToolPrice) -> bool:
        """Whether both say the same; two functions made by the same code do."""
        mine, others = (getattr(price, "__code__", price) for price in (self.price, other.price))
        return mine == others and replace(self, price=None) == replace(other, price=None)

    def __str__(self) -> str:
        function = None if self.price is None else getattr(self.price, "__qualname__", repr(self.price))
        said = {
            "owner": self.owner or None,
            "usd_per_call": self.usd_per_call,
            "usd_per_unit": self.usd_per_unit,
            "unit": self.unit or None,
            "price": function,
        }
        parts = [f"{name}={value}" for name, value in said.items() if value is not None]
        return ", ".join(parts) or "no price"


def dollars(amount: object, *, name: str) -> int:
    """Nano-USD of an amount of dollars, whole numbers included: `usd=5` is five dollars.

    Raises:
        ValueError: It is not a finite amount of at least 0.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, str, Decimal, float)):
        raise ValueError(  # noqa: TRY004 - one error for whatever is no amount
            f"{name}: expected dollars such as '0.25', found {amount!r}"
        )
    return nanousd(Decimal(amount) if isinstance(amount, int) else amount, name=name)


def amount_used(quantity: object, *, name: str) -> Decimal:
    """A quantity from outside, exactly: an int, a float (through its repr) or a Decimal.

    Raises:
        ValueError: It is not a finite number of at least 0.
    """
    if not isinstance(quantity, bool) and isinstance(quantity, (int, float, Decimal)):
        exact = Decimal(repr(float(quantity))) if isinstance(quantity, float) else Decimal(quantity)
        if exact.is_finite() and exact >= 0 and math.isfinite(float(exact)):
            return exact
    raise ValueError(f"{name}: expected a quantity of at least 0, found {quantity!r}")


def charged(price: ToolPrice, result: object) -> Charge:
    """What a call that returned `result` costs, priced or not; never raises."""
    return charge(price, result) if price.is_priced else Charge(owner=price.owner)


def charge(price: ToolPrice, result: object) -> Charge:
    """What a call that returned `result` costs at a price that is one; never raises."""
    readings = _readings(result)
    quantity = next((q for q in (_units(r, price.unit) for r in readings) if q is not None), None)
    if price.price is not None:
        return _computed(price, readings, quantity)
    if price.usd_per_unit is not None:
        if quantity is None:
            return Charge(
                owner=price.owner,
                unit=price.unit,
                basis="unpriced",
                note=f"the result does not say how many {price.unit or 'units'} were used",
            )
        return per_unit(price, quantity)
    assert price.usd_per_call is not None
    cost = nanousd(price.usd_per_call)
    return Charge(cost, price.owner, quantity, price.unit if quantity is not None else "", "configured")


def per_unit(price: ToolPrice, quantity: Decimal | float) -> Charge:
    """What a known quantity costs at a price per unit."""
    unit_price = price.usd_per_unit or Decimal(0)
    try:
        used = amount_used(quantity, name="quantity")
        cost = nanousd(unit_price * used + (price.usd_per_call or 0), name="price")
    except (ArithmeticError, ValueError) as error:
        return Charge(None, price.owner, None, price.unit, "unpriced", str(error))
    return Charge(cost, price.owner, float(used), price.unit, "configured")


def _computed(price: ToolPrice, readings: list[object], quantity: float | None) -> Charge:
    assert price.price is not None
    unit = price.unit if quantity is not None else ""
    problem = ""
    for reading in readings:
        try:
            cost = dollars(price.price(reading), name="price")
        except Exception as error:  # noqa: BLE001 - somebody's price function must not lose a paid result
            problem = problem or f"its price could not be computed: {type(error).__name__}: {error}"
            continue
        return Charge(cost, price.owner, quantity, unit, "configured")
    return Charge(None, price.owner, quantity, unit, "unpriced", problem[:300])


def _readings(result: object) -> list[object]:
    """What a price may mean by *the result*, the likeliest first.

    LangChain hands out a tool's own return value, or, for an agent's call, a message with that value as JSON
    text and, for some tools, an artifact beside it.
    """
    if getattr(result, "type", None) != "tool" or not hasattr(result, "content"):
        return [result]
    message: Any = result
    readings: list[object] = [] if message.artifact is None else [message.artifact]
    content: object = message.content
    if isinstance(content, str) and content[:1] in {"{", "["}:
        try:
            readings.append(json.loads(content))
        except ValueError:
            readings.append(content)
            return readings
    return [*readings, content]


def _units(result: object, unit: str) -> float | None:
    """The quantity a result reports under its unit's name (`page` or `pages`) or as `quantity`."""
    for name in (unit, f"{unit}s", "quantity") if unit else ("quantity",):
        value = field(result, name)
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
            continue
        try:
            number = float(Decimal(value) if isinstance(value, str) else value)
        except (InvalidOperation, OverflowError):
            continue
        if math.isfinite(number) and number >= 0:
            return number
    return None
