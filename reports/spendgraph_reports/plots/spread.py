"""How dear single tasks are: how many there are at each cost, on a logarithmic axis, with the median and the dearest twentieth."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import NullLocator

from spendgraph_reports.plots.palette import MUTED, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.scales import amount, power_label, ticks
from spendgraph_reports.plots.sheet import SMALL, boxes, line, sheet, widest, width_of, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS: Final = 8
"""Bars from one power of ten to the next."""

_ABOVE: Final = 50
_BELOW: Final = 28
"""Pixels for the names of the marks, and for the dollars."""


def spread(counts: Mapping[int, int], what: str = "task") -> Plot:
    """How many tasks cost how much.

    Args:
        counts: How many cost so many nano-USD; what cost nothing, or less, counts for the percentiles and is not drawn.
        what: What they are the costs of.
    """
    total = sum(counts.values())
    free = sum(count for cost, count in counts.items() if cost <= 0)
    drawn = {cost: count for cost, count in counts.items() if cost > 0}
    if not drawn:
        title = f"No {what} cost anything." if total else f"There is no {what}."
        return Plot(title, title)
    median, dear = (percentile(counts, part) for part in (50, 95))
    return Plot(
        title=f"Half of the {what}s cost at most {amount(median)}, and 95 % at most {amount(dear)}.",
        alt=(
            f"How many of {total:,} {what}s cost how much, on a logarithmic axis from {amount(min(drawn))} to {amount(max(drawn))}:"
            f" the median is {amount(median)}, the 95th percentile {amount(dear)}."
        ),
        draw=lambda width: _draw(drawn, {"median": median, "95th percentile": dear}, width),
        note=f"{free:,} of {total:,} {what}s cost nothing and are not drawn." if free else "",
    )


def percentile(counts: Mapping[int, int], part: int) -> int:
    """The first of the ordered values that so many percent do not exceed: what something really cost.

    >>> percentile({10: 1, 20: 1, 500: 1}, 50), percentile({10: 95, 20: 5}, 95)
    (20, 10)
    """
    wanted = -(-sum(counts.values()) * part // 100)
    passed = 0
    for value in sorted(counts):
        passed += counts[value]
        if passed >= wanted:
            return value
    raise ValueError("expected at least one value, found none")


def _draw(counts: Mapping[int, int], marks: Mapping[str, int], width: int) -> Figure:
    binned: Counter[int] = Counter()
    for cost, count in counts.items():
        binned[math.floor(math.log10(cost) * _BINS)] += count
    first, last = min(binned), max(binned)
    powers = list(range(math.ceil(first / _BINS), (last + 1) // _BINS + 1))
    below = [power_label(power) for power in powers]
    whole = [count for count in ticks(0, max(binned.values()), 3) if count == int(count)]
    beside = [f"{int(count):,}" for count in whole]
    half = widest(below, SMALL) / 2 + 2
    left, height = max(widest(beside, SMALL) + 8, half), 250 if width < 600 else 290
    inside = width - left - half, height - _ABOVE - _BELOW
    figure, axes = sheet(width, height, left=left, right=half, top=_ABOVE, bottom=_BELOW)
    axes.set_xscale("log")
    axes.set_xlim(10 ** (first / _BINS), 10 ** ((last + 1) / _BINS))
    axes.set_ylim(0, whole[-1])
    axes.set_yticks(whole, beside)
    axes.grid(axis="y")
    axes.xaxis.set_minor_locator(NullLocator())
    every = max(1, math.ceil((2 * half + 10) * (last + 1 - first) / _BINS / inside[0]))
    axes.set_xticks([10.0**power for power in powers[::every]], below[::every])
    corners = [
        (10 ** (at / _BINS), 0.0, 10 ** ((at + 1) / _BINS), float(count)) for at, count in binned.items()
    ]
    boxes(axes, corners, SERIES[0])
    line(axes, axes.get_xlim(), [0, 0], MUTED, width=1)
    for row, (name, cost) in enumerate(marks.items()):
        if cost > 0:
            before = (math.log10(cost) * _BINS - first) / (last + 1 - first) * inside[0]
            _mark(
                axes,
                f"{name} {amount(cost)}",
                cost,
                row,
                (left + before, half + inside[0] - before),
                inside[1],
            )
    return figure


def _mark(axes: Axes, text: str, cost: int, row: int, room: tuple[float, float], height: float) -> None:
    """A line at a cost, named above the bars: the first to its left, the other to its right, as far as there is room."""
    up, ceiling = 16 + 20 * row, axes.get_ylim()[1]
    line(axes, [cost, cost], [0, ceiling * (1 + up / height)], SERIES[1])
    wanted = width_of(text) + 6
    is_left = room[0] >= wanted and (row == 0 or room[1] < wanted)
    beside = (
        -6.0 if is_left else min(6.0, room[1] - wanted + 6)
    )  # where neither side has room, across the line
    write(axes, cost, ceiling, text, shift=(beside, up - 6), align="right" if is_left else "left")
