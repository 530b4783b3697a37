"""Amounts for people: dollars that add up to the cent, and shares in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spendgraph.money import NANO_PER_USD


def footed(nanousd: Sequence[int], places: int) -> list[int]:
    """Amounts rounded to so many places of a dollar, as integers of that place, that add up to the rounded sum.

    Each is its amount rounded down or up; as many are rounded up as it takes, those with the largest rest first.

    >>> footed([333_333_333, 333_333_333, 333_333_334], 2)
    [33, 33, 34]
    """
    unit = 10 ** (9 - places)
    wanted = rounded(sum(nanousd), unit)
    cells = [amount // unit for amount in nanousd]
    dearest_rest = sorted(range(len(cells)), key=lambda at: (-(nanousd[at] % unit), at))
    for at in dearest_rest[: wanted - sum(cells)]:
        cells[at] += 1
    return cells


def dollars(nanousd: int, places: int = 2) -> str:
    """Dollars for a person, rounded half even.

    >>> dollars(1_234_567_000_000), dollars(-5_000_000)
    ('$1,234.57', '-$0.00')
    """
    return written(rounded(nanousd, 10 ** (9 - places)), places, negative=nanousd < 0)


def places_of(nanousd: Sequence[int]) -> int:
    """How many places of a dollar a column needs to say something: cents, or more where everything is small.

    >>> places_of([2_000_000_000, 5]), places_of([40_000_000]), places_of([1_500])
    (2, 4, 9)
    """
    largest = max((abs(amount) for amount in nanousd), default=0)
    if largest >= NANO_PER_USD or not largest:
        return 2
    return 4 if largest >= NANO_PER_USD // 100 else 9


def share(part: int, whole: int) -> float:
    """A part of a whole as a ratio; of nothing, nothing.

    >>> share(1, 4), share(1, 0)
    (0.25, 0.0)
    """
    return part / whole if whole else 0.0


def change(now: int, before: int) -> float:
    """How much more there is than before, as a ratio; infinite where there was nothing.

    >>> change(3, 2), change(1, 0), change(0, 0)
    (0.5, inf, 0.0)
    """
    if now == before:
        return 0.0
    return (now - before) / abs(before) if before else math.copysign(math.inf, now)


def percent(share: float, *, signed: bool = False) -> str:
    """A share or a change in percent.

    >>> percent(0.1234), percent(-0.5, signed=True), percent(float("inf"), signed=True)
    ('12.3 %', '-50.0 %', 'new')
    """
    if math.isinf(share):
        return "new"
    return f"{100 * share:+,.1f} %" if signed else f"{100 * share:,.1f} %"


def counted(count: int, what: str) -> str:
    """So many of something.

    >>> counted(1, "team"), counted(1200, "late step")
    ('1 team', '1,200 late steps')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def written(units: int, places: int, *, negative: bool) -> str:
    """Dollars given in units of their last place."""
    whole, rest = divmod(abs(units), 10**places)
    return f"{'-' if negative else ''}${whole:,}.{rest:0{places}d}"


def rounded(amount: int, unit: int) -> int:
    """How many units an amount is, half even."""
    whole, rest = divmod(amount, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))
