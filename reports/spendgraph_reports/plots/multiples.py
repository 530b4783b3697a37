"""Many payers at a glance: a small plot of its own for each of the dearest, all over the same days."""

# matplotlib does not say the types of its keyword arguments.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph_reports.months import named
from spendgraph_reports.plots.bars import Bars, bars_of
from spendgraph_reports.plots.palette import MUTED, REST, SERIES
from spendgraph_reports.plots.plot import Plot
from spendgraph_reports.plots.scales import amount, day_label
from spendgraph_reports.plots.sheet import SMALL, axes_at, blank, boxes, line, name_of, width_of, write
from spendgraph_reports.report import UNNAMED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spendgraph_reports.period import Period

_GAP = 28
_HEIGHT = 84


def multiples(series: pd.DataFrame, by: str, period: Period, zone: str = "UTC", *, top: int = 8) -> Plot:
    """Spending by day or week of each of the dearest payers, each on a scale of its own.

    Args:
        series: As `Books.series([by], period, "day")` makes it.
        by: The tag.
        period: What is shown, with both ends.
        zone: Whose days they are.
        top: So many payers.
    """
    bars = bars_of(series, by, period, zone)
    names = sorted(bars.spent, key=lambda name: (-sum(bars.spent[name]), name))[:top]
    when = named(period, zone)
    what = by.replace("_", " ")
    if bars.is_empty:
        title = f"Nothing was spent in {when}."
        return Plot(title, title)
    since = "on" if bars.unit == "day" else "in the week from"
    peaks = {
        name: f"{amount(max(bars.spent[name]))} {since} {day_label(bars.starts[_peak(bars.spent[name])])}"
        for name in names
    }
    highest = max(names, key=lambda name: max(bars.spent[name]))
    said = "; ".join(f"{name or UNNAMED} {peak}" for name, peak in peaks.items())
    return Plot(
        f"{highest or UNNAMED} had the dearest {bars.unit} of all: {peaks[highest]}.",
        f"A small plot for each {what}, by {bars.unit} of {when}; the dearest {bars.unit} of each: {said}.",
        lambda width: _draw(bars, names, width),
        note=f"Each {what} has a scale of its own; the amount is its dearest {bars.unit}.",
    )


def _draw(bars: Bars, names: list[str], width: int) -> Figure:
    across = 2 if width < 600 else 4
    down = max(-(-len(names) // across), 1)
    column = (width - _GAP * (across - 1)) / across
    figure = blank(width, down * (_HEIGHT + 58))
    for at, name in enumerate(names):
        axes = axes_at(
            figure, at % across * (column + _GAP), at // across * (_HEIGHT + 58) + 40, column, _HEIGHT - 8
        )
        _one(axes, bars, name)
    return figure


def _one(axes: Axes, bars: Bars, name: str) -> None:
    spent = bars.spent[name]
    plotted = [cost / 1e9 for cost in spent]
    peak = _peak(spent)
    axes.set_xlim(-0.5, len(plotted) - 0.5)
    axes.set_ylim(min(0.0, *plotted, 0.0), max(0.0, *plotted, 1e-9))
    axes.set_yticks([])
    axes.set_xticks([-0.5, len(plotted) - 0.5], [day_label(bars.starts[0]), day_label(bars.starts[-1])])
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    corners = {at: (at - 0.4, 0.0, at + 0.4, value) for at, value in enumerate(plotted) if value}
    boxes(axes, [box for at, box in corners.items() if at != peak], REST, edged=False)
    boxes(axes, [box for at, box in corners.items() if at == peak], SERIES[0], edged=False)
    line(axes, axes.get_xlim(), [0, 0], MUTED, width=1)
    across = axes.get_window_extent().width
    shown = name_of(name or UNNAMED, across, bold=True)
    write(axes, -0.5, axes.get_ylim()[1], shown, shift=(0, 30), bold=True)
    label = amount(spent[peak])
    at = across * (peak + (1 if peak > len(plotted) / 2 else 0)) / len(plotted)
    start = at - width_of(label, SMALL) if peak > len(plotted) / 2 else at
    shift = max(min(start, across - width_of(label, SMALL)), 0)
    write(axes, -0.5, plotted[peak], label, shift=(shift, 9), size=SMALL, colour=MUTED)


def _peak(spent: list[int]) -> int:
    return max(range(len(spent)), key=spent.__getitem__)
