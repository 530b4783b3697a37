"""Axes in dollars and in days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Final

from spendgraph_reports.amounts import dollars, places_of
from spendgraph_reports.plots.sheet import SMALL, widest

_STEPS: Final = (1, 2, 5, 10)
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)  # in any locale


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that cover a stretch, at most so many and one.

    >>> ticks(0, 61.2)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    span = high - low
    if span <= 0:
        return [0.0, 1.0] if high <= 0 else [0.0, high]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * size for size in _STEPS if span / (power * size) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def fitting(low: float, high: float, room: float, most: int = 5) -> tuple[list[float], list[str]]:
    """The most ticks in dollars whose labels stand beside each other in so many pixels; one label, where none but that fits."""
    places = ticks(low, high, most)
    labels = usd_labels(places)
    if (widest(labels, SMALL) + 12) * (len(places) - 1) <= room:
        return places, labels
    if most > 1:
        return fitting(low, high, room, most - 1)
    return places, ["" for _ in labels[1:]] + labels[-1:]


def usd_labels(amounts: Sequence[float]) -> list[str]:
    """Dollars beside an axis, with as many places as the ticks need to differ.

    >>> usd_labels([0.0, 0.5, 1.0]), usd_labels([0.0, 2000.0])
    (['$0.00', '$0.50', '$1.00'], ['$0', '$2,000'])
    """
    places = next((places for places in (0, 2, 3, 4, 6) if _tell_apart(amounts, places)), 9)
    return [f"-${-tick:,.{places}f}" if tick < 0 else f"${tick:,.{places}f}" for tick in amounts]


def amount(nanousd: int) -> str:
    """One amount for a person, with places enough to say something.

    >>> amount(12_300_000), amount(5_000_000_000)
    ('$0.0123', '$5.00')
    """
    return dollars(nanousd, places_of([nanousd]))


def amounts(nanousd: Sequence[int]) -> list[str]:
    """Amounts that stand beside each other, all with the same places.

    >>> amounts([12_300_000, 5_000_000_000])
    ['$0.01', '$5.00']
    """
    places = places_of(nanousd)
    return [dollars(each, places) for each in nanousd]


def power_label(power: int) -> str:
    """Ten to so many nano-USD, as dollars.

    >>> power_label(4), power_label(8), power_label(12)
    ('$0.00001', '$0.10', '$1,000')
    """
    return f"${10 ** (power - 9):,}" if power >= 9 else f"${10.0 ** (power - 9):.{max(9 - power, 2)}f}"


def day_label(day: date) -> str:
    """A day beside an axis.

    >>> day_label(date(2026, 9, 1))
    '1 Sep'
    """
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _tell_apart(amounts: Sequence[float], places: int) -> bool:
    return all(abs(round(tick, places) - tick) < 1e-12 + abs(tick) * 1e-9 for tick in amounts)
