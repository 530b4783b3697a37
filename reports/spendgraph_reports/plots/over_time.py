"""Spending over time: a bar for each day or week, stacked by a tag, named at its end."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from spendgraph_reports.amounts import percent, share
from spendgraph_reports.months import named
from spendgraph_reports.plots.bars import Bars, bars_of
from spendgraph_reports.plots.palette import MUTED, REST, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.scales import amount, amounts, day_label, ticks, usd_labels
from spendgraph_reports.plots.sheet import SMALL, apart, boxes, line, name_of, sheet, widest, write
from spendgraph_reports.report import UNNAMED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spendgraph_reports.period import Period


@dataclass(frozen=True, slots=True)
class Band:
    """What one payer spent in each bar.

    Attributes:
        name: The payer; of all that are not shown on their own, how many they are.
        nanousd: For each bar.
        colour: Of the palette.
    """

    name: str
    nanousd: tuple[int, ...]
    colour: str

    @property
    def total(self) -> int:
        """What it spent in all, in nano-USD."""
        return sum(self.nanousd)


def over_time(series: pd.DataFrame, by: str, period: Period, zone: str = "UTC", *, top: int = 5) -> Plot:
    """Spending by day, or by week where the period is longer than two months, stacked by a tag.

    Args:
        series: As `Books.series([by], period, "day")` makes it.
        by: The tag.
        period: What is shown, with both ends; a day without spending is a gap.
        zone: Whose days they are.
        top: So many payers on their own, five at most, the dearest first; one more for all others.
    """
    bars = bars_of(series, by, period, zone)
    if bars.is_empty:
        nothing = f"Nothing was spent in {named(period, zone)}."
        return Plot(nothing, nothing)
    bands = stacked(bars.spent, min(top, len(SERIES)))
    title, alt = _said(bars, bands, by, named(period, zone))
    return Plot(
        title,
        alt,
        lambda width: _draw(bars.starts, bands, width),
        note=bars.note(zone),
    )


def _said(bars: Bars, bands: Sequence[Band], by: str, when: str) -> tuple[str, str]:
    total = sum(bars.sums)
    dearest = max(range(len(bars.sums)), key=bars.sums.__getitem__)
    day, cost = day_label(bars.starts[dearest]), amount(bars.sums[dearest])
    peak = f"{day} was the dearest day" if bars.unit == "day" else f"the week from {day} was the dearest"
    peak = f"{peak} with {cost}"
    lead = bands[0]
    title = f"{amount(total)} in {when}"
    if len(bands) > 1 and total > 0:
        title = f"{lead.name} spent {percent(share(lead.total, total))} of {amount(total)}"
    parts = ", ".join(f"{band.name} {amount(band.total)}" for band in bands)
    alt = f"A bar for each {bars.unit} of {when}, stacked by {by.replace('_', ' ')}: {parts}. In all {amount(total)}; {peak}."
    return f"{title}; {peak}.", alt


def stacked(spent: Mapping[str, Sequence[int]], top: int) -> list[Band]:
    """The dearest payers as bands, the dearest first, and one last band for all others."""
    order = sorted(spent, key=lambda name: (-sum(spent[name]), name))
    bands = [
        Band(name or UNNAMED, tuple(spent[name]), colour)
        for name, colour in zip(order[:top], SERIES, strict=False)
    ]
    if rest := order[top:]:
        sums = tuple(map(sum, zip(*(spent[name] for name in rest), strict=True)))
        bands.append(Band("1 other" if len(rest) == 1 else f"{len(rest):,} others", sums, REST))
    return bands


def _draw(starts: Sequence[date], bands: Sequence[Band], width: int) -> Figure:
    is_narrow = width < 600
    names = [name_of(band.name, 112 if is_narrow else 240) for band in bands]
    totals = amounts([band.total for band in bands])
    columns = [[band.nanousd[at] / 1e9 for band in bands] for at in range(len(starts))]
    highs = [sum(value for value in column if value > 0) for column in columns]
    lows = [sum(value for value in column if value < 0) for column in columns]
    beside = ticks(min(lows), max(highs), 4)
    labels = usd_labels(beside)
    leader = 12 if is_narrow else 20
    height = 270 if is_narrow else 330
    left = widest(labels, SMALL) + 8
    right = leader + 6 + max(widest(names), widest(totals, SMALL)) + 2
    figure, axes = sheet(width, height, left=left, right=right, top=12, bottom=28)
    axes.set_xlim(-0.5, len(starts) - 0.5)
    axes.set_ylim(beside[0], beside[-1])
    axes.set_yticks(beside, labels)
    axes.set_xticks(*_ticks_below(starts, (width - left - right) / 48))
    axes.grid(axis="y")
    up, down = [0.0] * len(starts), [0.0] * len(starts)
    middles: list[float] = []
    for number, band in enumerate(bands):
        plotted = [column[number] for column in columns]
        bottoms = [up[at] if value >= 0 else down[at] for at, value in enumerate(plotted)]
        corners = [
            (at - 0.42, bottom, at + 0.42, bottom + value)
            for at, (bottom, value) in enumerate(zip(bottoms, plotted, strict=True))
            if value
        ]
        boxes(axes, corners, band.colour)
        middles.append(bottoms[-1] + plotted[-1] / 2)
        for at, value in enumerate(plotted):
            (up if value >= 0 else down)[at] += value
    line(axes, axes.get_xlim(), [0, 0], MUTED, width=1)
    _name_bands(
        axes,
        bands,
        list(zip(names, totals, strict=True)),
        middles,
        (width - left - right, height - 40),
        leader,
    )
    return figure


def _name_bands(
    axes: Axes,
    bands: Sequence[Band],
    labels: Sequence[tuple[str, str]],
    middles: Sequence[float],
    size: tuple[float, float],
    leader: float,
) -> None:
    """Names and amounts at the bands' ends, in their order, each with a line of its colour."""
    (first, last), (low, high) = axes.get_xlim(), axes.get_ylim()
    across, up = (last - first) / size[0], (high - low) / size[1]
    order = sorted(range(len(bands)), key=lambda at: middles[at])
    places = apart([middles[at] for at in order], 36 * up, low + 8 * up, high - 8 * up)
    for place, at in zip(places, order, strict=True):
        if bands[at].nanousd[-1]:
            line(axes, [last - 0.08, last + leader * across], [middles[at], place], bands[at].colour)
        else:  # nothing there to lead to, as in the rest of a month that is not over
            line(axes, [last + leader * across * part for part in (0.3, 1)], [place, place], bands[at].colour)
        name, total = labels[at]
        write(axes, last, place, name, shift=(leader + 5, 7))
        write(axes, last, place, total, shift=(leader + 5, -8), colour=MUTED, size=SMALL)


def _ticks_below(starts: Sequence[date], most: float) -> tuple[list[int], list[str]]:
    """Which bars are named below: as many as there is room for, at even distances."""
    every = next(step for step in (1, 7, 14, 28, 56, 10_000) if len(starts) / step <= most)
    places = list(range(0, len(starts), every))
    return places, [day_label(starts[at]) for at in places]
